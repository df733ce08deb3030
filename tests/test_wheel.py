"""The wheel carries configs and baselines: installed anywhere, the harness runs from any directory."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from harness import __version__

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory holding what `pip install harness-*.whl` would put into site-packages."""
    made = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(made), str(ROOT)]
    done = subprocess.run(build, capture_output=True, text=True)
    if done.returncode and "hatchling" in done.stderr:
        pytest.skip(f"the build backend cannot be had here: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    (wheel,) = made.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(made / "site")
    return made / "site"


def harness(installed: Path, cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command with the unpacked wheel in front of the checkout."""
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    return subprocess.run(
        [sys.executable, "-P", "-m", "harness", *words], cwd=cwd, env=environment, capture_output=True, text=True
    )


def test_the_wheel_runs_from_any_directory(installed: Path, tmp_path: Path) -> None:
    where = subprocess.run(
        [sys.executable, "-P", "-c", "import harness.paths as p; print(p.CONF_DIR)"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(installed)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert where.stdout.strip().startswith(str(installed))
    done = harness(installed, tmp_path, "run", "seeds=1", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "ok"
    assert (tmp_path / "runs" / "ledger.jsonl").exists()


def test_the_wheel_holds_every_config_baseline_and_card(installed: Path, tmp_path: Path) -> None:
    said = harness(installed, tmp_path, "dataset", "card", "digits").stdout
    assert said.strip() == (ROOT / "docs/datasets/digits.md").read_text().strip()
    for folder in ("conf", "submissions", "docs/datasets"):
        ours = {p.relative_to(ROOT) for p in (ROOT / folder).rglob("*") if p.is_file() and "__pycache__" not in p.parts}
        theirs = {
            p.relative_to(installed / "harness/_shipped") for p in (installed / "harness/_shipped" / folder).rglob("*")
        }
        assert ours <= theirs


def test_the_wheel_carries_the_version(installed: Path, tmp_path: Path) -> None:
    (metadata,) = installed.glob("*.dist-info/METADATA")
    assert f"\nVersion: {__version__}\n" in metadata.read_text(encoding="utf-8")
    said = harness(installed, tmp_path, "--version")
    assert said.stdout.split() == ["harness", __version__]


def test_constraints_pin_torch_without_cuda_wheels() -> None:
    """An unpinned torch, or one with a local suffix, pulls gigabytes or cannot be found."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert "torch==2.13.0" in lines
    assert not [line for line in lines if re.search(r"file:|@", line)]
