"""MLflow beside the records: every edit of a real store is named, nothing else is, and what is remembered holds."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError
from harness.tracking import delivery, ledger
from harness.tracking.addresses import sqlite_uri, tracking_uri
from harness.tracking.held import Problem, Recorded, compare
from harness.tracking.mlflow_store import create_database, open_store
from harness.tracking.reader import DatabaseReader, Held, ServerReader
from harness.tracking.record import Record
from harness.tracking.runs import RunsDir
from tests.tracking.made import FINGERPRINT, SEEDS, made_run, run_id

REFERENCES = (("reference-random", 0.1), ("reference-skyline", 0.97))
ALL = {run_id(name) for name in ("reference-random", "reference-skyline", "good", "fair")}
BOARD = ("made", FINGERPRINT)


@pytest.fixture(autouse=True)
def _own_store_and_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(scope="module")
def _made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("held") / "runs"
    for name, skill in (*REFERENCES, ("good", 0.9), ("fair", 0.6)):
        made_run(place, name, skill)
    return place


@pytest.fixture
def place(_made_once: Path, tmp_path: Path) -> Path:
    shutil.copytree(_made_once, tmp_path / "runs")
    return tmp_path / "runs"


def wanted(place: Path) -> dict[str, Recorded]:
    """What the ledger holds, with records as they are on disk."""
    entries = [entry for entry in ledger.read(place) if entry.kind == "run"]
    latest = ledger.latest_records(entries)
    return {
        found: Recorded(
            RunsDir(place).load_record(found),
            digest,
            frozenset(e.record_sha256 or "" for e in entries if e.run_id == found) - {digest},
        )
        for found, digest in latest.items()
    }


def compared(place: Path, uri: str | None = None) -> list[Problem]:
    return compare(RunsDir(place), uri, wanted(place), {BOARD})


def rows(place: Path) -> dict[str, Held]:
    reader = DatabaseReader(tracking_uri(place))
    return {row.name: row for e in reader.experiments() if e.ours for row in reader.rows(e)}


def artifact(place: Path, name: str = "fair") -> Path:
    return place / rows(place)[name].artifacts.split(f"{place.name}/", 1)[1] / "record.json"


def sql(place: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(place / "mlflow.db")) as database:
        assert database.execute(statement, values).rowcount > 0
        database.commit()


def edit(path: Path, old: bytes = b'"score": 0.', new: bytes = b'"score": 0.9') -> None:
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))


def forge(place: Path, name: str) -> None:
    client = open_store(tracking_uri(place))
    first = client.get_run(rows(place)["fair"].mlflow_id)
    forged = client.create_run(first.info.experiment_id, tags={**first.data.tags, "run_id": name})
    client.set_terminated(forged.info.run_id)


def delete(place: Path) -> None:
    open_store(tracking_uri(place)).delete_run(rows(place)["fair"].mlflow_id)


def move_experiment(place: Path) -> None:
    """The row of another board's run among ours."""
    made_run(place, "other", 0.99, fingerprint="12" * 32)
    number = "(SELECT experiment_id FROM experiments WHERE name LIKE ?)"
    sql(place, f"UPDATE runs SET experiment_id = {number} WHERE name = 'other'", f"%{FINGERPRINT[:12]}")


LATEST = "UPDATE latest_metrics SET value = 0.99 WHERE key = ? AND value BETWEEN 0.4 AND 0.7"
EDITS: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "artifact edited": (lambda p: edit(artifact(p)), run_id("fair"), "its artifact record.json was edited"),
    "artifact removed": (lambda p: artifact(p).unlink(), run_id("fair"), "missing or unreadable"),
    "artifact a link": (lambda p: _link(artifact(p)), run_id("fair"), "missing or unreadable"),
    "score": (lambda p: sql(p, LATEST, "score"), run_id("fair"), "metric score is 0.99"),
    "interval": (lambda p: sql(p, LATEST, "ci_low"), run_id("fair"), "metric ci_low is 0.99"),
    "no number": (
        lambda p: sql(p, "UPDATE latest_metrics SET is_nan = 1 WHERE key = 'score' AND value < 0.7"),
        run_id("fair"),
        "metric score is nan",
    ),
    "normalised removed": (
        lambda p: sql(p, "DELETE FROM latest_metrics WHERE key = 'normalised'"),
        run_id("good"),
        "metric normalised is None",
    ),
    "score of a seed": (
        lambda p: sql(p, "UPDATE metrics SET value = 0.99 WHERE key = 'seed/score' AND step = 2"),
        run_id("good"),
        "the score of seed 2 is 0.99",
    ),
    "seed removed": (
        lambda p: sql(p, "DELETE FROM metrics WHERE key = 'seed/score' AND step = 1"),
        run_id("good"),
        "the score of seed 1 is None",
    ),
    "seed added": (
        lambda p: sql(p, "UPDATE metrics SET key = 'seed/score', step = 7 WHERE key = 'seed/accuracy' AND step = 0"),
        run_id("good"),
        "the score of seed 7",
    ),
    "run id": (
        lambda p: sql(p, "UPDATE tags SET value = 'x' WHERE value = ?", run_id("fair")),
        "x",
        "a row without a run",
    ),
    "run deleted": (delete, run_id("fair"), "`harness sync` delivers it again"),
    "experiment renamed": (
        lambda p: sql(p, "UPDATE experiments SET name = 'x' WHERE name LIKE 'made@%'"),
        run_id("fair"),
        "`harness sync` delivers it again",
    ),
    "digest": (
        lambda p: sql(p, "UPDATE tags SET value = ? WHERE key = 'record_sha256'", "0" * 64),
        run_id("fair"),
        "not of the record that the ledger holds",
    ),
    "row without a run": (lambda p: forge(p, "made-nobody"), "made-nobody", "a row without a run"),
    "second row": (lambda p: forge(p, run_id("fair")), run_id("fair"), "record.json is missing"),
    "of another board": (move_experiment, run_id("other"), "has another fingerprint than the board"),
}


def _link(path: Path) -> None:
    path.rename(path.with_name("elsewhere.json"))
    path.symlink_to("elsewhere.json")


@pytest.mark.parametrize("kind", EDITS)
def test_an_edit_is_named(place: Path, kind: str) -> None:
    act, run, what = EDITS[kind]
    assert compared(place) == []
    act(place)
    problems = compared(place)
    assert [text for named, text in problems if named == run and what in text], problems
    assert all("\n" not in text for _, text in problems)


def test_runs_without_any_ledger_are_noticed(place: Path) -> None:
    (place / "ledger.jsonl").unlink()
    assert {named for named, _ in compared(place)} == ALL


def test_a_store_that_is_gone_holds_no_run(place: Path) -> None:
    (place / "mlflow.db").unlink()
    assert {named for named, _ in compared(place)} == ALL
    assert not (place / "mlflow.db").exists(), "comparing makes no store"


def test_what_waits_or_was_killed_is_no_difference(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made_run(place, "late", deliver=False)
    delivery.mark(place / run_id("late"))
    client = open_store(tracking_uri(place))
    experiment = client.get_run(rows(place)["fair"].mlflow_id).info.experiment_id
    client.create_run(experiment, run_name="half", tags={"run_id": run_id("fair")})
    with monkeypatch.context() as patched:  # killed after the new delivery, before the old one was deleted
        patched.setattr(type(client), "delete_run", lambda self, run_id: None)
        made_run(place, "fair", 0.5)
    assert compared(place) == []
    made_run(place, "good", 0.3, deliver=False)  # the old row is there, the new one is not
    assert [named for named, _ in compared(place)] == [run_id("good")]
    delivery.mark(place / run_id("good"))
    assert compared(place) == []


def test_no_score_is_no_metric(place: Path) -> None:
    changes: dict[str, Any] = {
        "status": "timeout",
        "reason": "slow",
        "score": None,
        "ci95": None,
        "cells": (),
        "normalised": None,
    }
    made_run(place, "slow", **changes)
    assert compared(place) == []


def _settled(place: Path) -> None:
    """Wait until the files are old enough to be remembered by."""
    newest = max(path.stat().st_ctime for path in place.rglob("*") if path.is_file())
    time.sleep(max(0.0, newest + 2.1 - time.time()))


@pytest.mark.parametrize("what", ["artifact", "database", "artifact gone", "ledger"])
def test_what_is_remembered_ends_with_any_change(what: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The outcome is not computed again, until a file changes, even one whose size and time are set back."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(place.parent / "cache"))
    _settled(place)
    assert compared(place) == []
    with monkeypatch.context() as patched:
        patched.setattr("harness.tracking.held.open_reader", lambda uri: pytest.fail("it was read again"))
        assert compared(place) == []
    path = artifact(place) if "artifact" in what else place / "mlflow.db"
    before = path.stat()
    if what == "artifact":
        content = path.read_bytes()
        edit(path, b'"A. Author"', b'"B. Author"')
        assert len(content) == before.st_size
    elif what == "artifact gone":
        path.unlink()
    elif what == "database":
        sql(place, LATEST, "score")
    else:
        (place / "ledger.jsonl").unlink()
    if path.exists():
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert compared(place)


def test_a_fresh_change_is_not_remembered(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(place.parent / "cache"))
    made_run(place, "new")
    assert compared(place) == []
    assert not list((place.parent / "cache").rglob("held/*"))


def test_what_cannot_be_remembered_is_no_obstacle(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place.parent / "cache").write_text("a file where the cache should be")
    monkeypatch.setenv("XDG_CACHE_HOME", str(place.parent / "cache"))
    _settled(place)
    assert compared(place) == compared(place) == []


def test_a_store_that_is_read_only_can_be_read(place: Path, tmp_path: Path) -> None:
    (place / "mlflow.db").chmod(0o444)
    assert compared(place) == []


def test_a_file_that_is_no_database_is_one_paragraph(place: Path) -> None:
    (place / "mlflow.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(HarnessError, match="not a database"):
        compared(place)


def test_both_ways_of_reading_give_the_same(place: Path) -> None:
    """The tables themselves against MLflow's own client, the way for servers."""
    uri = tracking_uri(place)
    for ours, theirs in zip(
        sorted(DatabaseReader(uri).experiments(), key=lambda e: e.name),
        sorted(ServerReader(uri).experiments(), key=lambda e: e.name),
        strict=True,
    ):
        assert ours == theirs
        found = DatabaseReader(uri).rows(ours)
        via_client = ServerReader(uri).rows(ours)
        assert [(r.mlflow_id, r.name, r.status, r.run_id, r.record_sha256) for r in found] == [
            (r.mlflow_id, r.name, r.status, r.run_id, r.record_sha256) for r in via_client
        ]
        for row, other in zip(found, via_client, strict=True):
            assert dict(row.metrics) == {k: v for k, v in other.metrics.items() if "/" not in k}
        assert (
            DatabaseReader(uri).histories(found, "seed/score")
            == ServerReader(uri).histories(via_client, "seed/score")
            == {row.mlflow_id: {c.seed: c.score for c in _record(place, row).cells} for row in found}
        )


def _record(place: Path, row: Held) -> Record:
    record = RunsDir(place).load_record(row.run_id)
    assert len(record.cells) == SEEDS
    return record


def test_another_store_than_the_directorys_own(place: Path, tmp_path: Path) -> None:
    create_database(tmp_path / "other.db")
    uri = sqlite_uri(tmp_path / "other.db")
    assert len(compared(place, uri)) == 4
    assert set(delivery.sync(place, uri)[0]) == ALL
    assert compared(place, uri) == []
