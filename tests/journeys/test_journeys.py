"""The commands of the entry pages, run as they stand: here in this process, by ``scripts/journeys`` from a clean clone."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from harness.cli import main
from harness.protocol.compose import load_challenge
from harness.tracking.provenance import versions
from tests.journeys.walk import ENDS, ROOT, Journey, journey, patients, walk

INSTALL = ("git clone REPOSITORY harness", "cd harness", "./scripts/setup", "source .venv/bin/activate")


def commands(name: str) -> list[list[str]]:
    """What is left once the harness is installed, which is the same for everybody."""
    found = journey(name).commands
    assert found[: len(INSTALL)] == INSTALL
    return [shlex.split(command)[1:] for command in found[len(INSTALL) :] if command != "cd .."]


# Minutes, or for a function that takes k: tests/verification, tests/evaluation and tests/cli run such.
ELSEWHERE = ("submission=all", "challenge=all", "reproduce", "model.C=10", "submission.params.k=5,10")


def shown(page: str) -> list[list[str]]:
    """The commands of another page, but for those that take long."""
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    found = [shlex.split(line, comments=True)[1:] for line in re.findall(r"^    (harness .*)$", text, re.MULTILINE)]
    return [words for words in found if not any(word in ELSEWHERE for word in words)]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))  # where the secret goes
    (tmp_path / "harness").mkdir()
    return tmp_path


@pytest.mark.slow
def test_a_researcher_gets_a_row(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place / "harness")
    for words in commands("researcher"):
        if words[:2] == ["run", "-m"]:  # the slow one of them in scripts/journeys
            words = [word.replace(",kmeans_medoids", "") for word in words]
        assert main(words) == 0, words
    assert ENDS["researcher"](place) == ""
    for page in ("submissions", "trust"):  # what else is said about a folder, a board and its runs
        for words in shown(page):
            assert main([word.replace("debugging_digits.json", "selection_digits.json") for word in words]) == 0, words


def test_an_organiser_has_a_frozen_challenge(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    patients(place / "patients.csv")
    for words in commands("organiser"):
        if words[0] == "show":  # the verdict itself is of tests/cli/test_organise.py, which asks for it on three seeds
            assert words[1:] == ["patients", "--config-dir", "conf", "--power", "--teams", "40"]
            words = words[:4]
        assert main(words) == 0, words
    assert ENDS["organiser"](place) == ""
    assert not load_challenge("patients", config_dir=place / "conf").practice


@pytest.mark.slow
def test_a_checker_gets_a_verdict(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    verify, reproduce = commands("checker")
    assert main(verify) == 0
    (row,) = (row for row in json.loads(Path(reproduce[2]).read_text())["ranked"] if row["submission"] == reproduce[3])
    here = versions()
    if other := [name for name in ("numpy", "scikit-learn", "torch") if here[name] != row["versions"][name]]:
        pytest.skip(f"the row was made with another {', '.join(other)}, where k-means may differ in a last digit")
    capsys.readouterr()
    assert main(reproduce) == 0, capsys.readouterr().out
    assert capsys.readouterr().out.startswith("reproduced ")


def test_a_way_that_ends_early_says_where(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The whole ways, from a clean clone, are gone by ``scripts/journeys``, every night."""
    walked = walk(Journey("researcher", 5, ("cd /", "test -d REPOSITORY", "false", "echo not reached")), tmp_path)
    assert walked.problem == "`false` failed"
    assert [step.command for step in walked.steps] == ["cd /", "test -d REPOSITORY"]
    assert capfd.readouterr().out.splitlines() == ["$ cd /", "$ test -d REPOSITORY", "$ false"]
