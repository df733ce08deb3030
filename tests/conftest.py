"""What tests of several rooms share."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

Write = Callable[..., Path]

BESIDE = Path(__file__).parents[2] / "shared" / "data"  # of the checkout

# A shell's background jobs start with Ctrl-C ignored, and all their children too; tests mean a terminal's.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def write_submission(tmp_path: Path) -> Write:
    """Writes a submission folder: ``write_submission("name", source, track="debugging", function="rank")``."""

    def write(name: str, source: str, track: str = "debugging", function: str = "rank", **manifest: object) -> Path:
        folder = tmp_path / "submissions" / name
        folder.mkdir(parents=True)
        content = {
            "name": name,
            "track": track,
            "entry": f"algorithm:{function}",
            "authors": ["Tester"],
            "description": "made by a test",
            "license": "Apache-2.0",
            **manifest,
        }
        (folder / "submission.yaml").write_text(yaml.safe_dump(content))
        (folder / "algorithm.py").write_text(source)
        return folder

    return write


@pytest.fixture
def real_folder(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """The folder of a data set, HARNESS_DATA_DIR pointing there; skips the test where there is none."""

    def folder(name: str) -> Path:
        directory = Path(os.environ.get("HARNESS_DATA_DIR", BESIDE))
        if not (directory / name).is_dir():
            pytest.skip(f"{name} is not in {directory}")
        monkeypatch.setenv("HARNESS_DATA_DIR", str(directory))
        return directory / name

    return folder
