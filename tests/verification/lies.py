"""Consistent lies about recorded runs: whatever is edited, ledger and MLflow are made to say the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import Status
from harness.evaluation.tally import References, tally
from harness.tracking import delivery
from harness.tracking.addresses import tracking_uri
from harness.tracking.chain import Entry
from harness.tracking.files import json_bytes
from harness.tracking.ledger import LEDGER, START, Ledger
from harness.tracking.mlflow_store import open_store
from harness.tracking.record import record_sha256, run_id_of
from harness.tracking.runs import RunsDir, StoredCell
from harness.tracks.base import Array
from harness.verification.judge import reference_ids
from tests.tracking import made

Plain = dict[str, Any]
Change = Callable[[Plain], object]


def load(path: Path) -> Plain:
    """A JSON file."""
    found: Plain = json.loads(path.read_bytes())
    return found


def edit_json(path: Path, change: Change) -> None:
    """Change a JSON file in place, in the very form in which the harness writes it."""
    plain = load(path)
    change(plain)
    path.write_bytes(json_bytes(plain))


def record_path(runs: Path, name: str) -> Path:
    """The record of a made run, under whatever id it has now."""
    found = [path for path in sorted(runs.glob("*/record.json")) if path.parent.name.startswith(f"made-{name}-")]
    return next((path for path in found if load(path)["fingerprint"] == made.FINGERPRINT), found[0])


def edit_record(runs: Path, name: str, change: Change) -> None:
    """The record alone."""
    edit_json(record_path(runs, name), change)


# --- the ledger ---


def rewrite(runs: Path, entries: Sequence[Entry]) -> None:
    """A ledger of these entries, each following from the one before it, none signed anew."""
    content, prev = b"", START
    for seq, entry in enumerate(entries, 1):
        line = replace(entry, seq=seq, prev=prev).sealed().line()
        content, prev = content + line, hashlib.sha256(line).hexdigest()
    (runs / LEDGER).write_bytes(content)


def reseal(runs: Path, *, deliver: bool = True) -> None:
    """Let every line of the ledger speak of the records as they are now, rebuild the chain, deliver to MLflow again."""
    entries = []
    for entry in Ledger(runs).read():
        place = runs / entry.run_id
        known = entry.kind == "run" and (place / "record.json").exists()
        entries.append(replace(entry, record_sha256=record_sha256(place)) if known else entry)
    rewrite(runs, entries)
    for run_id in RunsDir(runs).run_ids() if deliver else ():
        redeliver(runs, run_id)


def redeliver(runs: Path, run_id: str) -> None:
    """MLflow holds the record as it is now, and no earlier one."""
    assert delivery.deliver(runs / run_id) is not None


def lie(runs: Path, name: str, change: Change) -> None:
    """Change a record, then ledger and MLflow alike."""
    edit_record(runs, name, change)
    reseal(runs)


def append_line(runs: Path, kind: str, run_id: str, *, bound: bool = True, **facts: Any) -> None:
    """A line by hand behind the last one: chained, sealed, with the key in force, and without its signature."""
    last = Ledger(runs).read()[-1]
    entry = Entry(
        seq=last.seq + 1,
        time=last.time,
        kind=kind,
        run_id=run_id,
        record_sha256=record_sha256(runs / run_id) if bound else None,
        who=facts.get("who", "a judge"),
        note=facts.get("note", "checked by hand"),
        prev=hashlib.sha256(last.line()).hexdigest(),
        key=last.key,
        signature=facts.get("signature", ""),
    )
    with (runs / LEDGER).open("ab") as file:
        file.write(entry.sealed().line())


# --- cells ---


def cells_of(runs: Path, name: str) -> list[StoredCell]:
    """Cells as kept; of those that did not come to a score, record alone."""
    run_id = record_path(runs, name).parent.name
    return [RunsDir(runs).read_cell(run_id, cell.seed) for cell in RunsDir(runs).load_record(run_id).cells]


def edit_cell(runs: Path, name: str, seed: int, change: Change, files: dict[str, Array] | None = None) -> None:
    """A cell.json, with digests of ``files`` put right in it; the record does not know."""
    folder = record_path(runs, name).parent / "cells" / str(seed)
    for file, array in (files or {}).items():
        np.save(folder / file, array)

    def all_of_it(plain: Plain) -> None:
        for file in files or {}:
            plain["files"][file] = hashlib.sha256((folder / file).read_bytes()).hexdigest()
        change(plain)

    edit_json(folder / "cell.json", all_of_it)


def bind(runs: Path, name: str) -> None:
    """Let a record say of its cells what their cell.json says now, digest included."""
    place = record_path(runs, name).parent

    def change(plain: Plain) -> None:
        for cell in plain["cells"]:
            path = place / "cells" / str(cell["seed"]) / "cell.json"
            cell |= {key: value for key, value in load(path).items() if key in cell}
            cell["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()

    edit_json(place / "record.json", change)


def retally(runs: Path, name: str) -> None:
    """Mean, interval, place and status of a record as its cells, those it names, would give them."""
    path = record_path(runs, name)
    record = RunsDir(runs).load_record(path.parent.name)
    stored = [StoredCell(cell, *_arrays(runs, record.run_id, cell.seed), "") for cell in record.cells]
    floor, skyline = (
        [RunsDir(runs).read_cell(run_id, seed) for seed in range(made.SEEDS)]
        for run_id in reference_ids(record.challenge, record.fingerprint, record.device)
    )
    of = made.challenge()
    track = of.track_type.without_data(of.track, made.CLASSES)
    counted = tally(track, record.fingerprint, stored, References.of(floor, skyline), record.submission)
    edit_json(path, lambda plain: plain.update(vars(counted) | {"status": counted.status.value}))


def _arrays(runs: Path, run_id: str, seed: int) -> tuple[dict[str, Array], dict[str, Array], Array | None]:
    folder = runs / run_id / "cells" / str(seed)
    output, items = (
        {path.stem: np.load(path) for path in sorted((folder / kind).glob("*.npy"))} for kind in ("output", "items")
    )
    return output, items, np.load(folder / "curve.npy") if (folder / "curve.npy").exists() else None


# --- whole runs ---


def rename(runs: Path, name: str) -> None:
    """Move a run to the id that follows from its record as it is now: directory, record, ledger and MLflow."""
    path = record_path(runs, name)
    old = path.parent.name
    record = RunsDir(runs).load_record(old)
    new = run_id_of(
        record.challenge, record.fingerprint, record.submission, record.identity, record.isolation, record.device
    )
    edit_json(path, lambda plain: plain.update(run_id=new))
    path.parent.rename(runs / new)
    rewrite(runs, [replace(e, run_id=new) if e.run_id == old else e for e in Ledger(runs).read()])
    forget(runs, old)
    reseal(runs)


def forget(runs: Path, run_id: str) -> None:
    """MLflow never heard of a run."""
    client = open_store(tracking_uri(runs))
    for experiment in client.search_experiments():
        for run in client.search_runs([experiment.experiment_id], f"tags.run_id = '{run_id}'"):
            client.delete_run(run.info.run_id)


def skipped(plain: Plain, seeds: Sequence[int]) -> None:
    """Cells of some seeds as if there had been nothing to measure."""
    for cell in plain["cells"]:
        if cell["seed"] in seeds:
            cell.update(status=Status.SKIPPED.value, score=None, reason="nothing to measure", metrics={})
