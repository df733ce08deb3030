"""Making an MLflow store again from the records: after damage, edits, or with another version of mlflow.

The records are the truth and the store a copy of them, so nothing is repaired in it. A runs directory's own store is set
aside under another name and filled anew; a store that is shared gets anew the runs whose delivery differs.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.tracking import delivery, ledger
from harness.tracking.addresses import DATABASE, is_own, shown, tracking_uri
from harness.tracking.archive import CELLS
from harness.tracking.files import disk_errors, sync_directory
from harness.tracking.held import Recorded, compare
from harness.tracking.places import ARTIFACTS
from harness.tracking.reader import open_reader
from harness.tracking.record import record_sha256
from harness.tracking.runs import RunsDir, exclusive

if TYPE_CHECKING:
    from harness.tracking.signature import Key

_BESIDE = ("", "-wal", "-shm", "-journal")  # what SQLite keeps beside its file


@dataclass(frozen=True)
class Rebuilt:
    """What was done."""

    aside: tuple[Path, ...] = ()  # where the old store is now
    delivered: tuple[str, ...] = ()  # run ids
    left: dict[str, str] = field(default_factory=dict)  # run id -> why


def rebuild(runs_dir: Path | str, uri: str | None = None, *, who: str | None = None, key: Key | None = None) -> Rebuilt:
    """Make the store again; the ledger says who did it. A kill in the middle loses nothing: sync, or do it again.

    Raises
    ------
    ProtocolError: the ledger is signed and ``key`` is not its key.
    HarnessError: disk, ledger or a shared store refuse.
    """
    runs = RunsDir(runs_dir)
    where = tracking_uri(runs.path, uri)
    if is_own(where, runs.path):
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        ledger.append(runs.path, "rebuild", note=f"{DATABASE} is set aside as {DATABASE}.{stamp}", who=who, key=key)
        aside = _set_aside(runs.path, stamp)
        _forget(where)
        delivered, left = delivery.sync(runs.path, uri)
        return Rebuilt(aside, tuple(delivered), left)
    differing = _differing(runs, uri, where)
    if differing.keys() & set(runs.run_ids()):
        ledger.append(runs.path, "rebuild", note=f"what differed in {shown(where)}", who=who, key=key)
    delivered = []
    left = {}
    for run_id in sorted(differing.keys() & set(runs.run_ids())):
        try:
            delivery.deliver_anew(runs, run_id, where)
            delivered.append(run_id)
        except HarnessError as error:
            left[run_id] = str(error)
    return Rebuilt((), tuple(delivered), _differing(runs, uri, where) | left)


def _set_aside(folder: Path, stamp: str) -> tuple[Path, ...]:
    moved = []
    with (
        exclusive(folder / f".{DATABASE}.lock", "the MLflow store", wait_seconds=60),
        disk_errors("set the store aside"),
    ):
        for old in [*(folder / f"{DATABASE}{end}" for end in _BESIDE), folder / ARTIFACTS]:
            if old.exists():
                end = old.name.removeprefix(DATABASE) if old.name.startswith(DATABASE) else ""
                new = old.with_name(f"{old.name.removesuffix(end)}.{stamp}{end}")
                old.rename(new)
                moved.append(new)
        sync_directory(folder)
    return tuple(moved)


def _forget(uri: str) -> None:
    """Close the connections that mlflow keeps in this process: they lead to the file that was set aside."""
    module = sys.modules.get("mlflow.store.tracking.sqlalchemy_store")
    engine = getattr(getattr(module, "SqlAlchemyStore", None), "_engine_map", {}).get(uri)
    if engine is not None:
        engine.dispose()


def _differing(runs: RunsDir, uri: str | None, where: str) -> dict[str, str]:
    """Runs whose delivery is not what it should be, by id, and why; those that wait among them."""
    wanted = {
        run_id: Recorded(runs.load_record(run_id), record_sha256(runs.run_dir(run_id))) for run_id in runs.run_ids()
    }
    boards = {recorded.board for recorded in wanted.values()}
    found: dict[str, str] = dict(compare(runs, uri, wanted, boards))
    found |= dict.fromkeys(delivery.undelivered(runs.path), "It was not delivered yet.")
    reader = open_reader(where)
    if reader is not None:
        rows = [
            row for row in reader.all_rows() if (runs.path / row.run_id / "cells").is_dir() and row.run_id in wanted
        ]
        for row, there in zip(rows, reader.there(rows, CELLS), strict=True):
            if not there:
                found.setdefault(row.run_id, f"It has no {CELLS}.")
    return found
