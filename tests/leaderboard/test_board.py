"""What joins a board, in which place, and that nothing edited afterwards does."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.errors import HarnessError, Status
from harness.leaderboard.board import LUCKY, Board, BoardRefused, build
from harness.protocol.challenge import Challenge
from harness.tracking import delivery, ledger
from harness.tracking.mlflow_store import open_store, tracking_uri
from harness.tracking.record import CellRecord
from tests.tracking.made import FINGERPRINT, made_run


def test_rows_and_ranks(board: Board, runs_dir: Path) -> None:
    assert {row.submission: row.rank for row in board.ranked} == {"good": 1, "equal": 1, "fair": 3}
    assert [row.rank for row in board.ranked] == [1, 1, 3]
    assert [row.submission for row in board.references] == ["reference-skyline", "reference-random"]
    assert all(row.rank is None for row in board.references)
    assert board.unranked == ()
    assert board.notes == (
        "12 of 12 baselines have not been run here: `harness run challenge=made submission=all` runs them.",
    )
    record = json.loads((runs_dir / "made-fair" / "record.json").read_text())
    row = board.ranked[-1]
    assert (row.score, list(row.ci95 or ())) == (record["score"], record["ci95"])
    assert row.metrics == {"second": pytest.approx(record["score"] / 2)}
    assert (row.seconds, row.scoring_seconds, row.peak_memory_mb) == (0.5, 0.25, 23.0)
    assert row.submission_fits == pytest.approx(101.5)  # of 100, 101, 102, 103
    assert (row.date, row.reproduced, row.released) == ("2026-01-02", "", "")


def test_no_runs_give_an_empty_board(challenge: Challenge, tmp_path: Path) -> None:
    board = build(challenge, FINGERPRINT, tmp_path)
    assert board.ranked == board.references == board.unranked == ()


def test_other_fingerprints_and_challenges_stay_apart(challenge: Challenge, runs_dir: Path) -> None:
    made_run(runs_dir, "other", 0.99, fingerprint="12" * 32)
    made_run(runs_dir, "elsewhere", 0.99, challenge="made_legacy")
    names = {row.submission for row in build(challenge, FINGERPRINT, runs_dir).ranked}
    assert names == {"good", "fair", "equal"}
    assert [row.submission for row in build(challenge, "12" * 32, runs_dir).ranked] == ["other"]


def test_modified_and_unisolated_runs_never_join(challenge: Challenge, runs_dir: Path) -> None:
    made_run(runs_dir, "changed", 0.95, modified=True)
    made_run(runs_dir, "open", 0.95, isolation="none")
    board = build(challenge, FINGERPRINT, runs_dir)
    assert {row.submission for row in board.ranked} == {"good", "fair", "equal"}
    assert board.unranked == ()
    assert "2 runs are left out" in board.notes[0]


@pytest.mark.parametrize(("skill", "noted"), [(0.3, False), (0.9, True)])
def test_random_that_is_not_the_floor_is_noted(skill: float, noted: bool, challenge: Challenge, runs_dir: Path) -> None:
    made_run(runs_dir, "random", skill, authors=("harness baselines",))
    notes = build(challenge, FINGERPRINT, runs_dir).notes
    assert any(note.startswith(LUCKY) for note in notes) == noted
    assert any(note.startswith("11 of 12 baselines") for note in notes)


def test_a_strangers_random_is_not_compared_with_the_floor(challenge: Challenge, runs_dir: Path) -> None:
    made_run(runs_dir, "random", 0.9, authors=("Somebody",))
    assert not any(note.startswith(LUCKY) for note in build(challenge, FINGERPRINT, runs_dir).notes)


def test_weak_failed_and_suspicious_runs_are_listed_below(challenge: Challenge, runs_dir: Path) -> None:
    cells = (CellRecord(seed=0, status=Status.TIMEOUT, reason="60 s were not enough"),)
    failed: dict[str, Any] = {
        "status": Status.TIMEOUT,
        "reason": "60 s were not enough",
        "score": None,
        "ci95": None,
        "cells": cells,
    }
    made_run(runs_dir, "slow", 0.9, **failed)
    made_run(runs_dir, "weak", 0.9, isolation="landlock")
    made_run(runs_dir, "magic", 0.99, status=Status.SUSPICIOUS, reason="better than the skyline")
    strict = challenge.model_copy(update={"minimum_isolation": "bubblewrap"})
    below = {row.submission: row for row in build(strict, FINGERPRINT, runs_dir).unranked}
    assert set(below) == {"slow", "weak", "magic"}
    assert all(row.rank is None for row in below.values())
    assert below["slow"].status == "timeout"
    assert below["slow"].reason == "60 s were not enough"
    assert "landlock is weaker than bubblewrap" in below["weak"].reason
    assert "weak" in {row.submission for row in build(challenge, FINGERPRINT, runs_dir).ranked}
    ledger.append(runs_dir, "release", "made-magic", who="a judge", note="checked by hand")
    released = {row.submission: row for row in build(challenge, FINGERPRINT, runs_dir).ranked}
    assert released["magic"].released == "a judge"
    assert released["magic"].rank == 1


def test_the_newest_run_of_a_submission_stands(challenge: Challenge, runs_dir: Path) -> None:
    made_run(runs_dir, "good", 0.3, run_id="made-good-2", created="2026-02-02T00:00:00+00:00")
    board = build(challenge, FINGERPRINT, runs_dir)
    assert [row.run_id for row in board.ranked if row.submission == "good"] == ["made-good-2"]
    made_run(runs_dir, "good", 0.9, run_id="theirs", authors=("Somebody Else",), created="2026-03-03T00:00:00+00:00")
    ids = {row.run_id for row in build(challenge, FINGERPRINT, runs_dir).ranked if row.submission == "good"}
    assert ids == {"made-good-2", "theirs"}  # another author's method of the same name pushes nobody out


def test_the_last_verdict_of_reproduce_stands_beside_the_row(challenge: Challenge, runs_dir: Path) -> None:
    ledger.append(runs_dir, "reproduce", "made-good", note="differs: by 0.1")
    ledger.append(runs_dir, "reproduce", "made-good", note="reproduced: 4 of 4 outputs identical")
    rows = {row.submission: row for row in build(challenge, FINGERPRINT, runs_dir).ranked}
    assert (rows["good"].reproduced, rows["fair"].reproduced) == ("reproduced", "")


def test_undelivered_runs_are_delivered_first(challenge: Challenge, runs_dir: Path) -> None:
    made_run(runs_dir, "late", 0.8, deliver=False)
    (runs_dir / "made-late" / "undelivered").write_text("the store was locked\n")
    assert "late" in {row.submission for row in build(challenge, FINGERPRINT, runs_dir).ranked}
    assert delivery.undelivered(runs_dir) == []


def edit(path: Path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))


def sql(runs_dir: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(runs_dir / "mlflow.db")) as database:
        assert database.execute(statement, values).rowcount > 0
        database.commit()


def artifact(runs_dir: Path, name: str) -> Path:
    runs = delivery.runs_of(open_store(tracking_uri(runs_dir)), "made", FINGERPRINT)
    (run,) = [run for run in runs if run.info.run_name == "fair"]
    return Path(run.info.artifact_uri.removeprefix("file://")) / name


def delete_mlflow_run(runs_dir: Path) -> None:
    client = open_store(tracking_uri(runs_dir))
    (run,) = [r for r in delivery.runs_of(client, "made", FINGERPRINT) if r.info.run_name == "fair"]
    client.delete_run(run.info.run_id)


def forge_mlflow_run(runs_dir: Path, run_id: str) -> None:
    client = open_store(tracking_uri(runs_dir))
    first = delivery.runs_of(client, "made", FINGERPRINT)[0]
    forged = client.create_run(first.info.experiment_id, tags={**first.data.tags, "run_id": run_id})
    client.log_metric(forged.info.run_id, "score", 1.0)
    client.set_terminated(forged.info.run_id)


def forge_record(runs_dir: Path) -> None:
    """A record copied under another name, told to MLflow, but never run."""
    shutil.copytree(runs_dir / "made-fair", runs_dir / "made-fake")
    edit(runs_dir / "made-fake" / "record.json", b'"run_id": "made-fair"', b'"run_id": "made-fake"')
    delivery.deliver(runs_dir / "made-fake")


def double_edit(runs_dir: Path) -> None:
    """Record and artifact edited alike: the ledger still has the digest of the true one."""
    for path in (runs_dir / "made-fair" / "record.json", artifact(runs_dir, "record.json")):
        edit(path, b'"score": 0.', b'"score": 0.9')


TAMPERING: dict[str, tuple[Callable[[Path], object], str]] = {
    "record": (lambda p: edit(p / "made-fair/record.json", b'"score": 0.', b'"score": 0.9'), "made-fair"),
    "record and artifact": (double_edit, "made-fair"),
    "record removed": (lambda p: (p / "made-fair/record.json").unlink(), "made-fair"),
    "run removed": (lambda p: shutil.rmtree(p / "made-fair"), "made-fair"),
    "ledger line": (lambda p: edit(p / "ledger.jsonl", b'"note": ""', b'"note": "x"'), "line 1 or 2"),
    "ledger removed": (lambda p: (p / "ledger.jsonl").unlink(), "made-fair"),
    "ledger shortened": (
        lambda p: (p / "ledger.jsonl").write_bytes(
            b"".join((p / "ledger.jsonl").read_bytes().splitlines(keepends=True)[:-1])
        ),
        "made-reference-skyline",
    ),
    "artifact record": (lambda p: edit(artifact(p, "record.json"), b'"score": 0.', b'"score": 0.9'), "made-fair"),
    "artifact replicates": (lambda p: np.save(artifact(p, "replicates.npy"), np.ones(2000)), "made-fair"),
    "artifact removed": (lambda p: artifact(p, "replicates.npy").unlink(), "made-fair"),
    "MLflow metric": (
        lambda p: sql(p, "UPDATE latest_metrics SET value = 0.99 WHERE key = 'score' AND value BETWEEN 0.5 AND 0.7"),
        "metric score",
    ),
    "MLflow interval": (
        lambda p: sql(p, "UPDATE latest_metrics SET value = 0.99 WHERE key = 'ci_low' AND value BETWEEN 0.4 AND 0.7"),
        "metric ci_low",
    ),
    "MLflow metric removed": (
        lambda p: sql(p, "DELETE FROM latest_metrics WHERE key = 'normalised'"),
        "metric normalised is None",
    ),
    "MLflow score of a seed": (
        lambda p: sql(p, "UPDATE metrics SET value = 0.99 WHERE key = 'seed/score' AND step = 2"),
        "score of seed 2",
    ),
    "MLflow run id": (lambda p: sql(p, "UPDATE tags SET value = 'made-x' WHERE value = 'made-fair'"), "made-x"),
    "MLflow run removed": (delete_mlflow_run, "made-fair"),
    "MLflow row without a run": (lambda p: forge_mlflow_run(p, "made-nobody"), "made-nobody"),
    "MLflow second row of a run": (lambda p: forge_mlflow_run(p, "made-fair"), "made-fair"),
    "record without a ledger line": (forge_record, "made-fake"),
}


@pytest.mark.parametrize("kind", TAMPERING)
def test_tampering_is_refused_and_named(challenge: Challenge, runs_dir: Path, kind: str) -> None:
    act, named = TAMPERING[kind]
    assert build(challenge, FINGERPRINT, runs_dir).ranked
    act(runs_dir)
    with pytest.raises(BoardRefused) as caught:
        build(challenge, FINGERPRINT, runs_dir)
    assert named in caught.value.reason
    assert "\n" not in caught.value.reason


def test_a_record_moved_to_another_fingerprint_is_refused(challenge: Challenge, runs_dir: Path) -> None:
    experiment = "SELECT experiment_id FROM experiments WHERE name LIKE 'made@%'"
    made_run(runs_dir, "other", 0.99, fingerprint="12" * 32)
    with closing(sqlite3.connect(runs_dir / "mlflow.db")) as database:
        ours, other = (row[0] for row in database.execute(f"{experiment} ORDER BY experiment_id"))
    sql(runs_dir, "UPDATE runs SET experiment_id = ? WHERE experiment_id = ?", ours, other)
    with pytest.raises(BoardRefused, match="made-other has another fingerprint"):
        build(challenge, FINGERPRINT, runs_dir)


def test_a_delivery_killed_half_way_is_no_tampering(challenge: Challenge, runs_dir: Path) -> None:
    client = open_store(tracking_uri(runs_dir))
    first = delivery.runs_of(client, "made", FINGERPRINT)[0]
    client.create_run(first.info.experiment_id, run_name="half", tags={"run_id": "made-fair"})
    assert len(build(challenge, FINGERPRINT, runs_dir).ranked) == 3


def test_an_old_delivery_left_by_a_kill_is_no_tampering(
    challenge: Challenge, runs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the new delivery, before the old one was deleted: the new one stands."""
    client = open_store(tracking_uri(runs_dir))
    with monkeypatch.context() as patched:
        patched.setattr(type(client), "delete_run", lambda self, run_id: None)
        changed = made_run(runs_dir, "fair", 0.5)
    assert len(delivery.runs_of(client, "made", FINGERPRINT)) == 6
    rows = {row.submission: row.score for row in build(challenge, FINGERPRINT, runs_dir).ranked}
    assert rows["fair"] == changed.score


def test_a_run_recorded_meanwhile_is_no_tampering(
    challenge: Challenge, runs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another harness records a run between the reading of ledger and store: the board looks again."""
    late = iter(["late"])

    def meanwhile(*args: str) -> object:
        for name in late:
            made_run(runs_dir, name, 0.8)
        return delivery.runs_of(*args)  # type: ignore[arg-type]

    monkeypatch.setattr("harness.tracking.verify.runs_of", meanwhile)
    assert "late" in {row.submission for row in build(challenge, FINGERPRINT, runs_dir).ranked}


def test_replicates_of_another_length_are_not_paired(
    challenge: Challenge, runs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.leaderboard.board.N_REPLICATES", 1000)
    with pytest.raises(HarnessError, match="replicates of shape"):
        build(challenge, FINGERPRINT, runs_dir)
