"""What joins a board, in which place. That nothing edited afterwards does: tests/verification."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from harness.errors import Status
from harness.leaderboard.board import Board, build
from harness.leaderboard.notes import LUCKY
from harness.protocol import submission
from harness.protocol.challenge import Challenge
from harness.tracking import delivery, held, ledger
from harness.tracking.addresses import tracking_uri
from harness.tracking.mlflow_store import open_store
from harness.tracking.runs import RunsDir, StoredCell
from tests.tracking import made
from tests.tracking.made import DATA, made_run

NOT_SIGNED = "The ledger is not signed: whoever can write the runs directory can add lines to it."
OTHER = "12" * 32  # digest of other data: another fingerprint


def test_rows_and_ranks(board: Board, runs_dir: Path) -> None:
    scores = {row.submission: row.score or 0.0 for row in board.ranked}
    assert [row.submission for row in board.ranked] == sorted(scores, key=lambda name: -scores[name])
    assert [row.rank for row in board.ranked] == [1, 2, 3]
    assert board.ranked[-1].submission == "fair"
    sets = [row.rank_ci95 for row in board.ranked]
    assert sets[2] == (3, 3), "60 % and 90 % of 60 items on four seeds are told apart"
    assert all(low <= rank <= high for rank, (low, high) in enumerate((s for s in sets if s), 1))
    assert [row.submission for row in board.references] == ["reference-skyline", "reference-random"]
    assert all(row.rank is None and row.rank_ci95 is None for row in board.references)
    assert board.unranked == ()
    assert board.notes == (
        "14 of 14 baselines have not been run here: `harness run challenge=made submission=all` runs them.",
        NOT_SIGNED,
    )
    record = json.loads((runs_dir / made.run_id("fair") / "record.json").read_text())
    row = board.ranked[-1]
    assert (row.score, list(row.ci95 or ())) == (record["score"], record["ci95"])
    assert row.metrics == {"accuracy": pytest.approx(record["score"] / 2)}
    assert (row.seconds, row.scoring_seconds, row.peak_memory_mb) == (0.5, 0.25, 23.0)
    assert row.submission_fits == pytest.approx(101.5)  # of 100, 101, 102, 103
    assert (row.date, row.reproduced, row.released) == ("2026-01-02", "", "")
    assert row.record_sha256 == hashlib.sha256((runs_dir / row.run_id / "record.json").read_bytes()).hexdigest()


def test_the_numbers_of_a_row_by_scikit_learn_and_scipy(runs_dir: Path, board: Board) -> None:
    """Score: macro F1 of the kept items by seed; interval: t on the seeds; place: between floor and skyline."""
    by_seed = {
        row.submission: [made.macro_f1(cell.items) for cell in cells(runs_dir, row.run_id)] for row in board.scored()
    }
    floor, skyline = np.mean(by_seed["reference-random"]), np.mean(by_seed["reference-skyline"])
    for row in board.ranked:
        scores = np.array(by_seed[row.submission])
        assert row.score == pytest.approx(scores.mean())
        expected = stats.t.interval(0.95, len(scores) - 1, scores.mean(), stats.sem(scores))
        assert row.ci95 == pytest.approx(expected)
        assert row.normalised == pytest.approx((scores.mean() - floor) / (skyline - floor))


def cells(runs_dir: Path, run_id: str) -> list[StoredCell]:
    return [RunsDir(runs_dir).read_cell(run_id, seed) for seed in range(made.SEEDS)]


def test_equal_scores_go_by_the_tie_break_then_the_earlier_run(challenge: Challenge, runs_dir: Path) -> None:
    items = made.items_of(0.8, "twins")
    made_run(runs_dir, "second", items=items, created="2026-01-05T00:00:00+00:00")
    made_run(runs_dir, "first", items=items, created="2026-01-04T00:00:00+00:00")
    board = build(challenge, DATA, runs_dir)
    twins = [row for row in board.ranked if row.submission in ("first", "second")]
    assert [row.submission for row in twins] == ["first", "second"]
    assert [row.rank for row in board.ranked] == [1, 2, 3, 4, 5]
    assert (twins[0].rank_ci95 or ())[1:] == (twins[1].rank_ci95 or ())[1:], "nothing tells them apart"


def test_no_runs_give_an_empty_board(challenge: Challenge, tmp_path: Path) -> None:
    board = build(challenge, DATA, tmp_path)
    assert board.ranked == board.references == board.unranked == ()


def test_other_fingerprints_and_challenges_stay_apart(challenge: Challenge, runs_dir: Path) -> None:
    changed = challenge.model_copy(update={"secret": "another"})
    elsewhere = made.challenge("elsewhere")
    for of in (changed, elsewhere):
        for name, skill in (("reference-random", 0.3), ("reference-skyline", 0.97), ("other", 0.95)):
            made_run(runs_dir, name, skill, of=of)
    names = {row.submission for row in build(challenge, DATA, runs_dir).ranked}
    assert names == {"good", "fair", "equal"}
    assert [row.submission for row in build(changed, DATA, runs_dir).ranked] == ["other"]
    assert [row.submission for row in build(elsewhere, DATA, runs_dir).ranked] == ["other"]
    assert build(challenge, OTHER, runs_dir).ranked == ()


def test_runs_without_isolation_never_join(challenge: Challenge, runs_dir: Path) -> None:
    made_run(runs_dir, "open", 0.95, isolation="none")
    board = build(challenge, DATA, runs_dir)
    assert {row.submission for row in board.ranked} == {"good", "fair", "equal"}
    assert board.unranked == ()
    assert board.notes[0] == "1 runs without isolation are left out."


@pytest.mark.parametrize(("skill", "noted"), [(0.3, False), (0.9, True)])
def test_random_that_is_not_the_floor_is_noted(
    skill: float, noted: bool, challenge: Challenge, runs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = made_run(runs_dir, "random", skill, authors=("harness baselines",))
    monkeypatch.setattr(submission, "shipped_digests", lambda: {ours.submission_digest})
    notes = build(challenge, DATA, runs_dir).notes
    assert any(note.startswith(LUCKY) for note in notes) == noted
    assert any(note.startswith("13 of 14 baselines") for note in notes)


def test_a_strangers_random_is_not_compared_with_the_floor(challenge: Challenge, runs_dir: Path) -> None:
    made_run(runs_dir, "random", 0.9, authors=("Somebody",))
    assert not any(note.startswith(LUCKY) for note in build(challenge, DATA, runs_dir).notes)


def test_weak_failed_and_suspicious_runs_are_listed_below(runs_dir: Path, tmp_path: Path) -> None:
    strict = made.challenge().model_copy(update={"minimum_isolation": "bubblewrap", "name": "strict"})
    place = tmp_path / "strict"
    for name, skill in (("reference-random", 0.3), ("reference-skyline", 0.8), ("good", 0.7)):
        made_run(place, name, skill, of=strict)
    made_run(place, "slow", 0.9, of=strict, failed={2: (Status.TIMEOUT, "60 s were not enough")})
    made_run(place, "weak", 0.9, of=strict, isolation="landlock")
    magic = made_run(place, "magic", 1.0, of=strict)
    assert magic.status is Status.SUSPICIOUS
    board = build(strict, DATA, place)
    below = {row.submission: row for row in board.unranked}
    assert set(below) == {"slow", "weak", "magic"}
    assert all(row.rank is None for row in below.values())
    assert below["slow"].status == "timeout"
    assert below["slow"].reason == "1 of 4 cells failed; seed 2: 60 s were not enough"
    assert "landlock is weaker than bubblewrap" in below["weak"].reason
    assert "better than" in below["magic"].reason
    made_run(runs_dir, "weak", 0.9, isolation="landlock")
    assert "weak" in {row.submission for row in build(made.challenge(), DATA, runs_dir).ranked}
    ledger.append(place, "release", magic.run_id, who="a judge", note="checked by hand")
    released = {row.submission: row for row in build(strict, DATA, place).ranked}
    assert (released["magic"].rank, released["magic"].released) == (1, "a judge")


def test_a_release_and_a_verdict_end_when_the_record_changes(challenge: Challenge, tmp_path: Path) -> None:
    runs_dir = tmp_path / "runs"
    for name, skill in (("reference-random", 0.3), ("reference-skyline", 0.8)):
        made_run(runs_dir, name, skill)
    magic = made_run(runs_dir, "magic", 1.0)
    ledger.append(runs_dir, "release", magic.run_id, who="a judge", note="checked by hand")
    ledger.append(runs_dir, "reproduce", magic.run_id, note="reproduced: 4 of 4 outputs identical")
    (row,) = [row for row in build(challenge, DATA, runs_dir).ranked if row.submission == "magic"]
    assert (row.released, row.reproduced, row.reproduced_how) == ("a judge", "reproduced", "4 of 4 outputs identical")
    made_run(runs_dir, "magic", 1.0, created="2026-02-02T00:00:00+00:00")
    board = build(challenge, DATA, runs_dir)
    (row,) = board.unranked
    assert (row.submission, row.released, row.reproduced) == ("magic", "", "")


def test_the_newest_run_of_a_submission_stands(challenge: Challenge, runs_dir: Path) -> None:
    newer = made_run(runs_dir, "good", 0.3, isolation="landlock", created="2026-02-02T00:00:00+00:00")
    board = build(challenge, DATA, runs_dir)
    assert [row.run_id for row in board.ranked if row.submission == "good"] == [newer.run_id]
    theirs = made_run(runs_dir, "good", 0.9, authors=("Somebody Else",), created="2026-03-03T00:00:00+00:00")
    ids = {row.run_id for row in build(challenge, DATA, runs_dir).ranked if row.submission == "good"}
    assert ids == {newer.run_id, theirs.run_id}  # another author's method of the same name pushes nobody out


def test_the_last_verdict_of_reproduce_stands_beside_the_row(challenge: Challenge, runs_dir: Path) -> None:
    ledger.append(runs_dir, "reproduce", made.run_id("good"), note="differs: by 0.1")
    ledger.append(runs_dir, "reproduce", made.run_id("good"), note="reproduced: 4 of 4 outputs identical")
    rows = {row.submission: row for row in build(challenge, DATA, runs_dir).ranked}
    assert (rows["good"].reproduced, rows["fair"].reproduced) == ("reproduced", "")


def test_undelivered_runs_are_delivered_first(challenge: Challenge, runs_dir: Path) -> None:
    late = made_run(runs_dir, "late", 0.8, deliver=False)
    delivery.mark(runs_dir / late.run_id, "the store was locked")
    assert "late" in {row.submission for row in build(challenge, DATA, runs_dir).ranked}
    assert delivery.undelivered(runs_dir) == []


def test_rows_of_another_scoring_source_do_not_rank(challenge: Challenge, runs_dir: Path) -> None:
    made_run(runs_dir, "older", 0.95, source="ab" * 32)
    board = build(challenge, DATA, runs_dir)
    assert {row.submission for row in board.ranked} == {"good", "fair", "equal"}
    (older,) = board.unranked
    assert older.reason.startswith("scored by another source of the harness (abababababab)")


def test_a_board_may_be_of_one_other_source_altogether(challenge: Challenge, tmp_path: Path) -> None:
    for name, skill in (("reference-random", 0.3), ("reference-skyline", 0.97), ("good", 0.9), ("fair", 0.6)):
        made_run(tmp_path, name, skill, source="ab" * 32)
    assert [row.submission for row in build(challenge, DATA, tmp_path).ranked] == ["good", "fair"]


def test_a_run_being_run_again_is_listed_and_nothing_is_refused(challenge: Challenge, runs_dir: Path) -> None:
    """As a kill between the first cell and the record leaves it: cells of the new run, record of the old."""
    runs, run_id = RunsDir(runs_dir), made.run_id("good")
    runs.mark_unfinished(run_id)
    shutil.rmtree(runs.cell_dir(run_id, 0))
    board = build(challenge, DATA, runs_dir)
    assert [row.submission for row in board.ranked] == ["equal", "fair"]
    (row,) = board.unranked
    assert row.reason == "it was being run again and did not come to an end: run it once more"


def test_a_delivery_killed_half_way_is_no_tampering(challenge: Challenge, runs_dir: Path) -> None:
    client = open_store(tracking_uri(runs_dir))
    first = delivery.runs_of(client, "made", made.FINGERPRINT)[0]
    client.create_run(first.info.experiment_id, run_name="half", tags={"run_id": made.run_id("fair")})
    assert len(build(challenge, DATA, runs_dir).ranked) == 3


def test_an_old_delivery_left_by_a_kill_is_no_tampering(
    challenge: Challenge, runs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the new delivery, before the old one was deleted: the new one stands."""
    client = open_store(tracking_uri(runs_dir))
    with monkeypatch.context() as patched:
        patched.setattr(type(client), "delete_run", lambda self, run_id: None)
        changed = made_run(runs_dir, "fair", 0.5)
    assert len(delivery.runs_of(client, "made", made.FINGERPRINT)) == 6
    rows = {row.submission: row.score for row in build(challenge, DATA, runs_dir).ranked}
    assert rows["fair"] == changed.score


def test_a_run_recorded_meanwhile_is_no_tampering(
    challenge: Challenge, runs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another harness records a run between the reading of ledger and store: the board looks again."""
    late, compare = iter(["late"]), held.compare

    def meanwhile(*args: Any) -> list[tuple[str, str]]:
        for name in late:
            made_run(runs_dir, name, 0.8)
        return compare(*args)

    monkeypatch.setattr("harness.tracking.held.compare", meanwhile)
    assert "late" in {row.submission for row in build(challenge, DATA, runs_dir).ranked}
