"""A row run again from the JSON file of its board alone: one that is true, several that are not, and what cannot run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness import evaluate
from harness.cli import main
from harness.leaderboard.board import build
from harness.leaderboard.published import write_board
from harness.paths import SUBMISSIONS_DIR
from harness.protocol.challenge import Challenge
from harness.protocol.compose import load_challenge
from harness.tracking.signature import new_key

NAME = "small"
SETTINGS = """defaults: [debugging_digits]
title: Find the wrong labels among sixty digits
seeds: 3
track: {train: 60, validation: 20, test: 200}
"""
BACKWARDS = "import numpy\ndef rank(task):\n    return numpy.arange(len(task.y))[::-1]\n"
Row = dict[str, Any]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with ``boards/small.json``, signed, of a baseline and of a folder of somebody's, both run for real."""
    place = tmp_path_factory.mktemp("published")
    (place / "conf" / "challenge").mkdir(parents=True)
    (place / "conf" / "challenge" / f"{NAME}.yaml").write_text(SETTINGS)
    challenge: Challenge = load_challenge(NAME, config_dir=place / "conf")
    mine = place / "mine"
    shutil.copytree(SUBMISSIONS_DIR / "debugging" / "random", mine)
    manifest = (
        (mine / "submission.yaml").read_text().replace("name: random", "name: mine").replace("harness baselines", "Me")
    )
    (mine / "submission.yaml").write_text(manifest)
    (mine / "algorithm.py").write_text(BACKWARDS)
    for name in ("random", str(mine)):
        evaluate(challenge, name, runs_dir=place / "runs")
    data = challenge.load_dataset().digest()
    key, _ = new_key(place / "key.pem")
    write_board(build(challenge, data, place / "runs", config_dir=place / "conf", key=key), place / "boards", key)
    shutil.rmtree(place / "runs")  # a checker has none
    return place


@pytest.fixture
def place(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(published / "boards", tmp_path / "boards")
    shutil.copytree(published / "mine", tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def asked(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    status = main(["reproduce", "--board", f"boards/{NAME}.json", *words, "--json"])
    return status, json.loads(capsys.readouterr().out)


def edit(change: Callable[[Row], None], name: str = "random", *, signed: bool = False) -> None:
    """Change a row of the board as whoever publishes it could: without a signature, or leaving the old one."""
    path = Path("boards") / f"{NAME}.json"
    plain = json.loads(path.read_text())
    change(next(row for row in plain["ranked"] if row["submission"] == name))
    plain["signature"] = plain["signature"] if signed else None
    path.write_text(json.dumps(plain))


def better(row: Row) -> None:
    """All seeds a tenth better, and mean and interval to match: a lie that nothing but running it again can tell."""
    row["seed_scores"] = {seed: score + 0.1 for seed, score in row["seed_scores"].items()}
    row["score"] += 0.1
    row["ci95"] = [bound + 0.1 for bound in row["ci95"]]
    row["normalised"] = None


def test_a_baseline_is_reproduced_and_nothing_is_written(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, verdict = asked(capsys, "random")
    assert (status, verdict["verdict"]) == (0, "reproduced"), verdict
    assert (verdict["seeds"], verdict["largest_difference"], verdict["identical_outputs"]) == (3, 0.0, None)
    assert verdict["score"] == pytest.approx(verdict["recorded_score"])
    assert verdict["changed"] == {}
    assert sorted(path.name for path in place.iterdir()) == ["boards", "mine"]


def test_a_folder_and_the_harness_s_own_rows(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, verdict = asked(capsys, "mine")
    assert (status, verdict["verdict"]) == (1, "cannot run")
    assert "--submission names its folder" in verdict["detail"]
    status, verdict = asked(capsys, "mine", "--submission", "mine")
    assert (status, verdict["verdict"]) == (0, "reproduced"), verdict
    status, verdict = asked(capsys, "reference-skyline")
    assert (status, verdict["verdict"]) == (0, "reproduced"), verdict


def test_a_lie_in_all_seeds_differs_by_how_much(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(better)
    status, verdict = asked(capsys, "random")
    assert (status, verdict["verdict"]) == (1, "differs")
    assert verdict["largest_difference"] == pytest.approx(0.1)
    assert "by 0.1 on seed" in verdict["detail"]


@pytest.mark.parametrize(
    ("change", "signed", "verdict", "says"),
    [
        (better, True, "differs", "edited after it was signed"),
        (lambda row: row.update(score=0.99), False, "differs", "does not agree with itself: score is 0.99"),
        (lambda row: row.update(submission_digest="0" * 64), False, "cannot run", "the files of random are others"),
        (lambda row: row.update(isolation="nowhere"), False, "cannot run", "nowhere"),
    ],
)
def test_what_can_be_told_before_anything_runs(
    change: Callable[[Row], None],
    signed: bool,
    verdict: str,
    says: str,
    place: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    edit(change, signed=signed)
    status, found = asked(capsys, "random")
    assert (status, found["verdict"]) == (1, verdict)
    assert says in found["detail"]


def test_settings_that_are_not_the_board_s(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path("boards") / f"{NAME}.json"
    plain = json.loads(path.read_text()) | {"signature": None}
    plain["settings"]["track"]["noise"] = 0.1
    path.write_text(json.dumps(plain))
    status, verdict = asked(capsys, "random")
    assert (status, verdict["verdict"]) == (1, "cannot run")
    assert "not those of the board: fingerprint" in verdict["detail"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--board", "boards/small.json", "randm"], "There is no row 'randm'"),
        (["--board", "boards/small.json"], "takes the name of a row"),
        (["--board", "nowhere.json", "random"], "There is no board at nowhere.json"),
        (["--board", "boards/small.json", "--all", "--pending"], "--pending asks the ledger"),
        (["--board", "boards/small.json", "--all", "--submission", "mine"], "name the row instead"),
        (["--board", "boards/small.json", "random", "--submission", "nowhere"], "There is no folder nowhere"),
        (["random", "--submission", "mine"], "--submission goes with --board"),
    ],
)
def test_what_is_asked_for_wrongly_is_one_paragraph(
    words: list[str], says: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reproduce", *words]) == 2
    said = capsys.readouterr()
    assert says in said.err
    assert said.out == ""
