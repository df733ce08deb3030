"""A runs directory with thousands of delivered runs, written in bulk, to measure what a board of them costs.

``python -m tests.benchmarks.many_runs DIR [--runs 10000]`` makes it and times boards and comparison. One run is
made and delivered as any other; the others have cells, records and archives of their own, and its rows in MLflow.
"""

from __future__ import annotations

import argparse
import hashlib
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest.mock import patch

from harness.leaderboard.board import build
from harness.tracking import description, ledger
from harness.tracking.addresses import tracking_uri
from harness.tracking.held import Recorded, compare
from harness.tracking.places import local_path
from harness.tracking.reader import Held, open_reader
from harness.tracking.record import Record, parse_record
from harness.tracking.runs import RunsDir
from tests.tracking.made import DATA, FINGERPRINT, challenge, made_run

_COPIED = ("runs", "tags", "params", "metrics", "latest_metrics")


def make(place: Path, count: int) -> None:
    """``count`` runs of one experiment beside floor and skyline, with cells and archives, all in the directory's own store."""
    made_run(place, "reference-random", 0.2)
    made_run(place, "reference-skyline", 0.99)
    first = made_run(place, "run-0")
    reader = open_reader(tracking_uri(place))
    assert reader is not None
    rows = [row for found in reader.experiments() if found.ours for row in reader.rows(found)]
    (row,) = (row for row in rows if row.run_id == first.run_id)
    folder = local_path(row.artifacts)
    assert folder is not None
    with closing(sqlite3.connect(place / "mlflow.db")) as database:
        database.execute("PRAGMA synchronous = OFF")
        found = {
            name: database.execute(f"SELECT * FROM {name} WHERE run_uuid = ?", [row.mlflow_id]) for name in _COPIED
        }
        columns = {name: [column[0] for column in cursor.description] for name, cursor in found.items()}
        content = {name: cursor.fetchall() for name, cursor in found.items()}
        for i in range(1, count):
            with patch("os.fsync", lambda descriptor: None):  # nothing here is to survive a power cut
                record = made_run(place, f"run-{i}", 0.5 + 0.4 * i / count, deliver=False)
            mlflow_id = f"{i:032x}"
            artifacts = folder.parents[1] / mlflow_id / "artifacts"
            artifacts.mkdir(parents=True)
            (artifacts / "record.json").write_bytes(record.json_bytes())
            _insert(database, columns, content, record, row, mlflow_id)
        database.commit()


def _insert(database: Any, columns: Any, content: Any, record: Record, row: Held, mlflow_id: str) -> None:
    """A run's rows: those of the first one, with its own values."""
    tags = {
        "run_id": record.run_id,
        "record_sha256": hashlib.sha256(record.json_bytes()).hexdigest(),
        "submission": record.submission,
    }
    final = description.final_metrics(record)
    seeds = {cell.seed: cell.score for cell in record.cells}
    for name, found in content.items():
        for values in found:
            one = dict(zip(columns[name], values, strict=True)) | {"run_uuid": mlflow_id}
            if name == "tags":
                one["value"] = tags.get(one["key"], one["value"])
            if name in ("metrics", "latest_metrics"):
                own = seeds[one["step"]] if one["key"] == "seed/score" else final.get(one["key"])
                one["value"] = one["value"] if own is None else own
            if name == "runs":
                one |= {"name": record.submission}
                one["artifact_uri"] = one["artifact_uri"].replace(row.mlflow_id, mlflow_id)
            marks = ", ".join("?" * len(one))
            database.execute(f"INSERT INTO {name} VALUES ({marks})", list(one.values()))


def wanted(place: Path) -> dict[str, Recorded]:
    """What the ledger and the records have."""
    runs = RunsDir(place)
    found = {}
    for run_id, digest in ledger.latest_records(ledger.read(place)).items():
        content = (runs.run_dir(run_id) / "record.json").read_bytes()
        found[run_id] = Recorded(parse_record(content, run_id), digest)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("place", type=Path)
    parser.add_argument("--runs", type=int, default=10_000)
    args = parser.parse_args()
    if not args.place.exists():
        make(args.place, args.runs)
        print("made; files must be two seconds old before an outcome is remembered")
        time.sleep(2.5)
    expected = wanted(args.place)
    for _ in range(2):
        started = time.perf_counter()
        problems = compare(RunsDir(args.place), None, expected, {("made", FINGERPRINT)})
        print(
            f"compared with MLflow: {len(expected)} runs, {len(problems)} problems: {time.perf_counter() - started:.2f} s"
        )
    for way in ("first", "again, nothing changed"):
        started, cpu = time.perf_counter(), time.process_time()
        board = build(challenge(), DATA, args.place)
        wall, own = time.perf_counter() - started, time.process_time() - cpu
        print(f"board {way}: {len(board.ranked)} rows, {wall:.2f} s, {own:.2f} s of this process's CPU")


if __name__ == "__main__":
    main()
