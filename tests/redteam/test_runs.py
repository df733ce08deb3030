"""Attacks that only a whole run or a whole board can answer: settings smuggled in, hidden rows known, results edited.

The folders under ``entries/`` are submissions to a small training-set challenge on real digits. The two that cheat are given
what nobody should have: the hidden test rows of every seed.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.protocol import submission
from harness.evaluation.session import Session
from harness.protocol.compose import load_challenge
from harness.errors import Status, SubmissionError
from harness.evaluation.run import run_submission
from harness.leaderboard.board import BoardRefused, build
from harness.leaderboard.published import write_board
from harness.sandbox import probe
from harness.tracking import ledger
from harness.tracking import delivery
from harness.tracking.addresses import tracking_uri
from harness.tracking.mlflow_store import open_store
from harness.tracking.record import Record
from harness.tracking.runs import RunsDir
from tests.protocol.test_manifests import REFUSED

Table = dict[str, dict[str, str]]
HERE = Path(__file__).parent / "entries"
TIERS = [report.name for report in probe() if report.works and report.name != "none"]
CHALLENGE = """# @package _global_
defaults: [override /track: training_set, override /dataset: digits, override /model: logistic]
name: redteam
title: Make a training set of 150 digits
secret: nobody-knows
baseline: random
seeds: 3
track: {raw: 150, test: 300, imbalance: null, noise: 0.1}
model: {C: 10.0}
"""
EXPECTED = {
    "control/honest": Status.OK,
    "cheat/copied_test_rows": Status.CONTRACT_VIOLATION,
    "cheat/hash_look_up": Status.OK,  # labels that are public cannot be hidden; see docs/security.md
    "too_good/moved_test_rows": Status.SUSPICIOUS,
}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("config")
    (place / "challenge").mkdir()
    (place / "challenge" / "redteam.yaml").write_text(CHALLENGE)
    return place


def open_bench(config: Path, runs: Path, tier: str) -> Session:
    return Session.open(load_challenge("redteam", config_dir=config), runs_dir=runs, device="cpu", tier=tier)


def leak(session: Session, path: Path) -> None:
    """All that a submission must not know, beside it."""
    secrets: dict[str, Any] = {"X": session.track.dataset.X, "y": session.track.dataset.y}
    for seed in range(session.challenge.seeds):
        view, key = session.track.prepare(seed)
        secrets |= {f"shown{seed}": view.arrays["X"], f"X{seed}": key.X_test, f"y{seed}": key.y_test}
    np.savez(path, **secrets)


@pytest.mark.parametrize("tier", TIERS)
def test_who_knows_the_hidden_rows_does_not_rank(tier: str, config: Path, tmp_path: Path, table: Table) -> None:
    session = open_bench(config, tmp_path / "runs", tier)
    shutil.copytree(HERE, tmp_path / "submissions")
    records = {}
    for name in EXPECTED:
        folder = tmp_path / "submissions" / name
        if not name.startswith("control"):
            leak(session, folder / "leaked.npz")
        records[name] = run_submission(session, folder)
        table.setdefault(name, {})[tier] = str(records[name].status)
    assert {name: record.status for name, record in records.items()} == EXPECTED, records
    assert "copies a hidden test item" in records["cheat/copied_test_rows"].reason
    good = records["too_good/moved_test_rows"]
    assert (good.score or 0) > (good.suspicious_bound or 1) > (good.skyline or 1)
    assert (records["cheat/hash_look_up"].score or 1) <= (good.skyline or 0)

    board = build(session.challenge, session.data_digest, session.runs.path)
    assert {row.submission for row in board.ranked} == {"honest", "hash_look_up"}
    assert {row.submission for row in board.unranked} == {"copied_test_rows", "moved_test_rows"}
    for path in write_board(board, tmp_path / "board"):
        assert "<script>alert" not in path.read_text() or path.suffix in (".json", ".csv")
        assert "<img" not in path.read_text() or path.suffix in (".json", ".csv")
    table.setdefault("config/markup in an author's name", {})[tier] = "escaped"


def test_settings_smuggled_into_a_manifest(config: Path, tmp_path: Path, table: Table) -> None:
    session = open_bench(config, tmp_path / "runs", TIERS[0])
    for name, text in REFUSED.items():
        folder = tmp_path / "submissions" / name.replace(" ", "_")
        shutil.copytree(HERE / "control" / "honest", folder)
        (folder / "algorithm.py").write_text("raise SystemExit('imported')\n")
        (folder / "submission.yaml").write_text(text)
        with pytest.raises(SubmissionError) as caught:
            submission.load(folder)
        table.setdefault(f"config/{name}", {})["any"] = str(caught.value.status)
    record = run_submission(session, folder)
    assert (record.status, record.fingerprint) == (Status.INVALID_SUBMISSION, session.fingerprint)
    assert build(session.challenge, session.data_digest, session.runs.path).ranked == ()


# --- tampering ---


@pytest.fixture(scope="module")
def finished(config: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Session, Record]:
    session = open_bench(config, tmp_path_factory.mktemp("finished") / "runs", TIERS[0])
    return session, run_submission(session, HERE / "control" / "honest")


@pytest.fixture
def untouched(finished: tuple[Session, Record], tmp_path: Path) -> tuple[Session, Record]:
    """A copy of the finished run."""
    session, record = finished
    return replace(session, runs=RunsDir(shutil.copytree(session.runs.path, tmp_path / "runs"))), record


def edit_record(runs: Path, run_id: str) -> None:
    path = runs / run_id / "record.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "score": 0.999}))


def edit_ledger(runs: Path, run_id: str) -> None:
    path = runs / ledger.LEDGER
    lines = path.read_bytes().splitlines(keepends=True)
    at = next(i for i, line in enumerate(lines) if run_id.encode() in line)
    lines[at] = lines[at].replace(b'"note": ""', b'"note": "checked by hand"')
    path.write_bytes(b"".join(lines))


def remove_ledger_line(runs: Path, run_id: str) -> None:
    path = runs / ledger.LEDGER
    path.write_bytes(b"".join(line for line in path.read_bytes().splitlines(True) if run_id.encode() not in line))


def edit_metric(runs: Path, run_id: str) -> None:
    with closing(sqlite3.connect(runs / "mlflow.db")) as database:
        changed = database.execute(
            "UPDATE latest_metrics SET value = 0.999 WHERE key = 'score' AND run_uuid IN "
            "(SELECT run_uuid FROM tags WHERE key = 'run_id' AND value = ?)",
            (run_id,),
        )
        assert changed.rowcount == 1
        database.commit()


def row_without_a_run(runs: Path, run_id: str) -> None:
    client = open_store(tracking_uri(runs))
    (run, *_) = client.search_runs([e.experiment_id for e in client.search_experiments()])
    forged = client.create_run(run.info.experiment_id, tags={"run_id": f"forged-{run_id}"})
    client.log_metric(forged.info.run_id, "score", 0.999)
    client.set_terminated(forged.info.run_id)


def edit_artifact(runs: Path, run_id: str) -> None:
    client = open_store(tracking_uri(runs))
    (run,) = client.search_runs([e.experiment_id for e in client.search_experiments()], f"tags.run_id = '{run_id}'")
    path = Path(run.info.artifact_uri.removeprefix("file://")) / "record.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "score": 0.999}))


TAMPERING: dict[str, Callable[[Path, str], None]] = {
    "record": edit_record,
    "ledger line": edit_ledger,
    "ledger line removed": remove_ledger_line,
    "MLflow metric": edit_metric,
    "MLflow artifact": edit_artifact,
    "row without a run": row_without_a_run,
}


@pytest.mark.parametrize("kind", TAMPERING)
def test_what_is_edited_afterwards_is_named(kind: str, untouched: tuple[Session, Record], table: Table) -> None:
    session, record = untouched
    TAMPERING[kind](session.runs.path, record.run_id)
    with pytest.raises(BoardRefused) as caught:
        build(session.challenge, session.data_digest, session.runs.path)
    assert record.run_id in caught.value.reason
    table.setdefault(f"tamper/{kind}", {})["any"] = "board refused"


def test_an_edited_cell_is_run_again(untouched: tuple[Session, Record], table: Table) -> None:
    """Its own digests may be made to fit; the record, which the ledger vouches for, has another score."""
    session, record = untouched
    path = session.runs.cell_dir(record.run_id, 1) / "cell.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "score": 0.999}))
    delivery.mark(session.runs.run_dir(record.run_id))  # the run is recorded anew
    again = run_submission(session, HERE / "control" / "honest")
    assert (again.score, again.ci95) == (record.score, record.ci95)
    table.setdefault("tamper/cell", {})["any"] = "run again"


def test_an_edited_board_is_written_anew(untouched: tuple[Session, Record], tmp_path: Path, table: Table) -> None:
    session, record = untouched
    board = build(session.challenge, session.data_digest, session.runs.path)
    before = {path: path.read_bytes() for path in write_board(board, tmp_path / "board")}
    for path in before:
        path.write_bytes(b"forged")
    write_board(build(session.challenge, session.data_digest, session.runs.path), tmp_path / "board")
    assert {path: path.read_bytes() for path in before} == before
    table.setdefault("tamper/board", {})["any"] = "written anew"
