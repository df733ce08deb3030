"""A runs directory with thousands of delivered runs, written in bulk, to measure what a board of them costs.

``python -m tests.benchmarks.many_runs DIR [--runs 10000]`` makes it and times the comparison with MLflow. One run is
made and delivered as any other; the others are its rows, records and artifacts under their own names.
"""

from __future__ import annotations

import argparse
import hashlib
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from harness.tracking import delivery, ledger
from harness.tracking.held import Recorded, compare
from harness.tracking.mlflow_store import tracking_uri
from harness.tracking.places import local_path
from harness.tracking.reader import open_reader
from harness.tracking.record import Record, parse_record
from harness.tracking.runs import RunsDir
from tests.tracking.made import FINGERPRINT, made_run

_COPIED = ("runs", "tags", "params", "metrics", "latest_metrics")


def make(place: Path, count: int) -> None:
    """``count`` runs of one experiment, all delivered to the directory's own store."""
    first = made_run(place, "run-0")
    reader = open_reader(tracking_uri(place))
    assert reader is not None
    (row,) = (row for found in reader.experiments() if found.ours for row in reader.rows(found))
    folder = local_path(row.artifacts)
    assert folder is not None
    lines = [ledger.read(place)[0]]
    with closing(sqlite3.connect(place / "mlflow.db")) as database:
        database.execute("PRAGMA synchronous = OFF")
        rows = {name: database.execute(f"SELECT * FROM {name} WHERE run_uuid = ?", [row.mlflow_id]) for name in _COPIED}
        columns = {name: [column[0] for column in cursor.description] for name, cursor in rows.items()}
        content = {name: cursor.fetchall() for name, cursor in rows.items()}
        for i in range(1, count):
            record = first.model_copy(update={"run_id": f"made-run-{i}", "submission": f"run-{i}"})
            mlflow_id = f"{i:032x}"
            digest = _write(place, record, folder.parents[1] / mlflow_id / "artifacts")
            changed = {"run_id": record.run_id, "record_sha256": digest, "submission": record.submission}
            for name, found in content.items():
                for values in found:
                    one = dict(zip(columns[name], values, strict=True)) | {"run_uuid": mlflow_id}
                    if name == "tags":
                        one["value"] = changed.get(one["key"], one["value"])
                    if name == "runs":
                        one |= {"name": record.submission}
                        one["artifact_uri"] = one["artifact_uri"].replace(row.mlflow_id, mlflow_id)
                    marks = ", ".join("?" * len(one))
                    database.execute(f"INSERT INTO {name} VALUES ({marks})", list(one.values()))
            before = lines[-1]
            chained = hashlib.sha256(before.line()).hexdigest()
            line = replace(before, seq=before.seq + 1, run_id=record.run_id, record_sha256=digest, prev=chained)
            lines.append(line.sealed())
        database.commit()
    (place / "ledger.jsonl").write_bytes(b"".join(line.line() for line in lines))


def _write(place: Path, record: Record, artifacts: Path) -> str:
    content = record.json_bytes()
    for folder in (place / record.run_id, artifacts):
        folder.mkdir(parents=True)
        (folder / "record.json").write_bytes(content)
    return hashlib.sha256(content).hexdigest()


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
        print(f"{len(expected)} runs, {len(problems)} problems: {time.perf_counter() - started:.2f} s")
    started = time.perf_counter()
    lost = delivery.sync(args.place)
    print(f"sync, nothing lost {lost}: {time.perf_counter() - started:.2f} s")


if __name__ == "__main__":
    main()
