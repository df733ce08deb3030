"""Data sets, fixed models and tracks from outside: an installed package, and modules in a config directory."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import evaluate
from harness.errors import ProtocolError, Status
from harness.protocol import catalogue
from harness.protocol.compose import load_challenge
from harness.sandbox import probe

PACKAGE = Path(__file__).parent / "plugin_package"
TIERS = [report.name for report in probe() if report.works and report.name in ("bubblewrap", "landlock")]
Harness = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Harness:
    """The command line where the plug-in package is installed, run in an empty directory."""
    base = tmp_path_factory.mktemp("plugin")
    source = shutil.copytree(PACKAGE, base / "source")
    target, here = base / "site-packages", base / "here"
    here.mkdir()
    line = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target), str(source)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"the plug-in package cannot be installed here: {done.stderr[-300:]}")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(target), os.environ.get("PYTHONPATH", "")])}
        command = [sys.executable, "-m", "harness", *arguments]
        return subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True, check=False)

    return run


def test_an_installed_package_is_listed_shown_run_ranked_and_reproduced(installed: Harness) -> None:
    assert "curriculum_moons" in installed("list", "challenges").stdout
    assert "moons" in installed("list", "datasets").stdout.splitlines()
    submissions = json.loads(installed("list", "submissions", "--json").stdout)
    assert {"margin", "random"} == {s["name"] for s in submissions if s["task"] == "curriculum"}
    assert "order(task) returns order" in installed("show", "curriculum_moons").stdout
    done = installed("run", "challenge=curriculum_moons", "submission=all", "--json")
    records = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert [record["status"] for record in records] == ["ok", "ok"]
    board = installed("leaderboard", "curriculum_moons", "--out", "boards", "--json")
    assert board.returncode == 0, board.stderr
    again = json.loads(installed("reproduce", records[0]["run_id"], "--json").stdout)
    verdict = again[0] if isinstance(again, list) else again
    assert (verdict["verdict"], verdict["identical_outputs"]) == ("reproduced", 4)


@pytest.mark.parametrize("tier", TIERS)
def test_a_cell_is_shown_the_models_module_alone(installed: Harness, tmp_path: Path, tier: str) -> None:
    assert installed("new", "curriculum", str(tmp_path / tier)).returncode == 0
    source = tmp_path / tier / "algorithm.py"
    source.write_text(
        "def order(task):\n"
        "    import harness_curriculum.centroid\n"
        "    task.model.fit(task.X, task.y)\n"
        "    import harness_curriculum.moons\n"
    )
    done = installed("run", "challenge=curriculum_moons", f"submission={tmp_path / tier}", f"sandbox={tier}", "--json")
    assert "No module named 'harness_curriculum.moons'" in json.loads(done.stdout)["reason"]


DATASET = """\
from typing import Literal
import numpy as np
from harness.data import Dataset, DatasetSettings
from .numbers import SPREAD

class Blobs(DatasetSettings):
    name: str
    rows: int = 300

    def load(self):
        rng = np.random.default_rng(1)
        y = np.arange(self.rows) % 3
        return Dataset("blobs", rng.normal(0, SPREAD, (self.rows, 2)) + 3 * np.eye(3)[y][:, :2], y, tuple("abc"))
"""
CHALLENGE = """\
defaults:
  - override /track: selection
  - override /dataset: blobs
  - override /model: means
title: Own data and own model
seeds: 2
track: {pool: 100, budget: 20}
baseline: random
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A config directory with a package of a data set and a module of a fixed model."""
    own = tmp_path / "conf"
    for folder in ("challenge", "dataset", "model", "loader"):
        (own / folder).mkdir(parents=True)
    (own / "challenge" / "mine.yaml").write_text(CHALLENGE)
    (own / "dataset" / "blobs.yaml").write_text("name: loader:Blobs\n")
    (own / "model" / "means.yaml").write_text("name: means:CentroidSettings\ntemperature: 2.0\n")
    (own / "loader" / "__init__.py").write_text(DATASET)
    (own / "loader" / "numbers.py").write_text("SPREAD = 1.0\n")
    source = (PACKAGE / "harness_curriculum" / "centroid.py").read_text()
    (own / "means.py").write_text(source.replace('name: Literal["centroid"] = "centroid"', "name: str"))
    return own


@pytest.mark.parametrize("tier", TIERS)
def test_modules_of_a_config_directory_run(directory: Path, tmp_path: Path, tier: str) -> None:
    challenge = load_challenge("mine", config_dir=directory)
    assert challenge.load_dataset().n_classes == 3
    record = evaluate(challenge, "entropy", runs_dir=tmp_path / "runs", tier=tier)
    assert record.status is Status.OK, record.reason
    assert all(cell.submission_fits for cell in record.cells)
    listed = next(entry for entry in catalogue.challenges(directory) if entry.name == "mine")
    assert (listed.problem, listed.detail) == ("", "selection, blobs, means")


@pytest.mark.parametrize("changed", ["loader/numbers.py", "means.py"])
def test_the_source_is_in_the_fingerprint(directory: Path, changed: str) -> None:
    def fingerprint() -> str:
        challenge = load_challenge("mine", config_dir=directory)
        return challenge.fingerprint(challenge.load_dataset())

    before = fingerprint()
    assert fingerprint() == before
    path = directory / changed
    path.write_text(path.read_text() + "# a remark\n")
    assert fingerprint() != before


def test_a_track_of_a_config_directory(directory: Path, tmp_path: Path) -> None:
    shutil.copy(PACKAGE / "harness_curriculum" / "curriculum.py", directory / "course.py")
    (directory / "track").mkdir()
    (directory / "track" / "course.yaml").write_text("name: course:Curriculum\ntrain: 60\n")
    text = CHALLENGE.replace("/track: selection", "/track: course").replace("track: {pool: 100, budget: 20}\n", "")
    (directory / "challenge" / "mine.yaml").write_text(text)
    folder = PACKAGE / "harness_curriculum" / "submissions" / "curriculum" / "margin"
    challenge = load_challenge("mine", config_dir=directory)
    record = evaluate(challenge, folder, runs_dir=tmp_path / "runs")
    assert (record.status, record.track) == (Status.OK, "selection"), record.reason


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("dataset/blobs.yaml", "name: absent:Blobs\n", "neither absent.py nor absent/"),
        ("dataset/blobs.yaml", "name: loader:Absent\n", "has no class Absent"),
        ("dataset/blobs.yaml", "name: loader.py:Blobs\n", "cannot be imported"),
        ("dataset/blobs.yaml", "name: 'loader:Blobs:x'\n", "does not name a data set"),
        ("dataset/blobs.yaml", "name: '../loader:Blobs'\n", "does not name a data set"),
        ("dataset/blobs.yaml", "name: means:CentroidSettings\n", "is no DatasetSettings"),
        ("dataset/blobs.yaml", "name: loader:Blobs\nrows: many\n", "dataset.rows"),
        ("loader/numbers.py", "SPREAD = 1 / 0\n", "ZeroDivisionError: division by zero (numbers.py, line 1)"),
        ("loader/numbers.py", "SPREAD = \n", "SyntaxError"),
        ("loader/numbers.py", "import lightgbn\n", "No module named 'lightgbn'"),
        ("loader/numbers.py", "raise SystemExit(3)\n", "SystemExit"),
        ("loader/__init__.py", DATASET.replace("def load", "def read"), "does not define load"),
        (
            "means.py",
            "from harness.models import ModelSettings\nclass CentroidSettings(ModelSettings):\n    pass\n",
            "build",
        ),
    ],
)
def test_a_broken_plugin_is_one_paragraph(directory: Path, file: str, text: str, says: str) -> None:
    (directory / file).write_text(text)
    with pytest.raises(ProtocolError) as caught:
        load_challenge("mine", config_dir=directory)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("% 3\n", "% 3 + nothing\n", "NameError: name 'nothing' is not defined (__init__.py, line 12)"),
        ('tuple("abc")', 'tuple("ab")', "ValueError: blobs: labels must lie in 0..1"),
    ],
)
def test_a_loader_that_fails_is_named_with_its_line(directory: Path, old: str, new: str, says: str) -> None:
    (directory / "loader" / "__init__.py").write_text(DATASET.replace(old, new))
    with pytest.raises(ProtocolError) as caught:
        load_challenge("mine", config_dir=directory).load_dataset()
    assert says in str(caught.value)
    assert "The data set Blobs failed" in str(caught.value)


def test_a_track_that_says_too_little(directory: Path) -> None:
    source = (PACKAGE / "harness_curriculum" / "curriculum.py").read_text()
    (directory / "course.py").write_text(
        source.replace('    metric = "mean_accuracy"\n', "").replace("def statistic", "def s")
    )
    (directory / "track").mkdir()
    (directory / "track" / "course.yaml").write_text("name: course:Curriculum\n")
    (directory / "challenge" / "mine.yaml").write_text(CHALLENGE.replace("/track: selection", "/track: course"))
    with pytest.raises(ProtocolError, match="does not define statistic, metric"):
        load_challenge("mine", config_dir=directory)


def test_without_its_directory_a_plugin_is_said_to_be_missing(directory: Path) -> None:
    from harness.data import load_dataset

    with pytest.raises(ProtocolError, match="--config-dir"):
        load_dataset("loader:Blobs")
