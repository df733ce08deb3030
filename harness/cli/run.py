"""``harness run``: one run, or a sweep of them."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from harness.errors import Status, SubmissionError
from harness.evaluation.entrants import Entrant
from harness.evaluation.run import find_entry, load_entry, run_folder
from harness.evaluation.session import Session
from harness.protocol.catalogue import baseline_names
from harness.protocol.compose import RunConfig, compose, sweep
from harness.protocol.folder import keep_apart
from harness.sandbox.log import last_lines
from harness.tracking.record import Record
from harness.tracking.runs import RunsDir, StoredCell


def run(args: Namespace) -> int:
    """Exit 0 only if every cell of every run is ``ok``. Everything asked for is looked at before the first cell runs."""
    combinations = sweep(args.overrides) if args.multirun else [args.overrides]
    configs = [config for overrides in combinations for config in _each(compose(overrides, args.config_dir), args)]
    found = [find_entry(config.challenge, config.submission) for config in configs]
    for config, folder in zip(configs, found, strict=True):
        keep_apart(folder, RunsDir(config.runs_dir).path)
        with suppress(SubmissionError):  # a broken folder is a row; one that is not there, or does not fit, a mistake
            load_entry(config.challenge, folder)
    sessions: dict[str, Session] = {}  # one per challenge: a sweep over submissions loads data and model once
    records: list[Record] = []
    for config, folder in zip(configs, found, strict=True):
        key = f"{config.challenge.model_dump_json()}|{config.device}|{config.tier}|{config.runs_dir}"
        if key not in sessions:
            sessions[key] = Session.open(
                config.challenge, runs_dir=config.runs_dir, device=config.device, tier=config.tier
            )
        record = _run_one(sessions[key], folder, config, args)
        records.append(record)
        if not args.json:
            _print_line(record) if len(configs) > 1 else _print(record, sessions[key])
        if sessions[key].engine.stopped.is_set():
            break
    if args.json:
        contents = [record.model_dump(mode="json") for record in records]
        print(json.dumps(contents if args.multirun else contents[0], indent=2))
    elif len(configs) > 1:
        print(f"records  {sessions[key].runs.path}")
    return 0 if len(records) == len(configs) and all(record.status is Status.OK for record in records) else 1


def _each(config: RunConfig, args: Namespace) -> list[RunConfig]:
    """``submission=all`` stands for every baseline that fits the challenge; it makes a run a sweep."""
    if config.submission != "all":
        return [config]
    args.multirun = True
    challenge = config.challenge
    names = baseline_names(challenge.track_type.task.kind, challenge.track.left_out())
    return [replace(config, submission=name) for name in names]


def _run_one(session: Session, folder: Path, config: RunConfig, args: Namespace) -> Record:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        bars: dict[str, object] = {}

        def on_cell(name: str, stored: StoredCell) -> None:
            if name not in bars:
                bars[name] = progress.add_task(f"{session.challenge.name} {name}", total=session.challenge.seeds)
            progress.advance(bars[name])  # type: ignore[arg-type]

        return run_folder(
            session,
            folder,
            workers=config.workers,
            tracking_uri=config.tracking_uri,
            force=args.force,
            on_cell=on_cell,
        )


def _print(record: Record, session: Session) -> None:
    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False)
    for name in ("seed", "status", record.metric, "submission s", "scoring s", "fits", "memory MB"):
        table.add_column(name, justify="left" if name == "status" else "right")
    for cell in record.cells:
        table.add_row(
            str(cell.seed),
            str(cell.status),
            _number(cell.score),
            "-" if cell.status is Status.SKIPPED else f"{cell.seconds.submission:.2f}",
            "-" if cell.status is Status.SKIPPED else f"{cell.seconds.scoring:.2f}",
            "-" if cell.fits is None else str(cell.fits),
            "-" if cell.peak_memory_mb is None else f"{cell.peak_memory_mb:.0f}",
        )
    console.print(f"[bold]{record.challenge}[/bold]  {record.submission}  ({record.isolation}, {record.device})")
    console.print(table)
    if record.score is not None:
        interval = f"[{_number(record.ci95[0])}, {_number(record.ci95[1])}]" if record.ci95 else "-"
        better = "higher" if record.direction == "max" else "lower"
        console.print(
            f"{record.metric} {_number(record.score)}  95 % interval {interval}  ({better} is better; "
            f"random {_number(record.floor)}, skyline {_number(record.skyline)}, normalised {_number(record.normalised)})",
            soft_wrap=True, markup=False,
        )  # fmt: skip
    if record.reason:
        console.print(f"{record.status}: {record.reason}", soft_wrap=True, markup=False)
    if log := _failed_log(record, session):
        console.print(log, soft_wrap=True, markup=False)
    if record.modified:
        console.print("modified: pinned settings were overridden, so this run joins no official board.", soft_wrap=True)
    if not session.challenge.dataset.pinned:
        console.print(session.track.dataset.notes[0], soft_wrap=True, markup=False)
    console.print(f"record  {session.runs.run_dir(record.run_id) / 'record.json'}", soft_wrap=True, markup=False)
    if not record.modified and (missing := _not_run(session)):
        name = record.challenge
        console.print(
            f"{missing} baselines have no run here to compare with: `harness run challenge={name} submission=all` runs "
            f"them, `harness leaderboard {name}` ranks all.",
            soft_wrap=True, markup=False,
        )  # fmt: skip


def _failed_log(record: Record, session: Session) -> str:
    """The last lines of the first failed cell's log; nothing where the challenge keeps its secret: they may hold it."""
    ours = (Status.OK, Status.SKIPPED, Status.CANCELLED, Status.HARNESS_ERROR)
    failed = [cell.seed for cell in record.cells if cell.status not in ours]
    if not failed or not session.challenge.practice:
        return ""
    path = session.runs.cell_dir(record.run_id, failed[0]) / "log.txt"
    lines = last_lines(path.read_text(encoding="utf-8", errors="replace")) if path.is_file() else ""
    return f"Its last lines on seed {failed[0]}:\n{lines}" if lines else ""


def _not_run(session: Session) -> int:
    """How many of the baselines that fit the challenge have no run of it in this runs directory."""
    challenge, recorded = session.challenge, set(session.runs.run_ids())
    names = baseline_names(challenge.track_type.task.kind, challenge.track.left_out())
    entries = [load_entry(challenge, find_entry(challenge, name)) for name in names]
    return sum(session.run_id(Entrant.of(entry)) not in recorded for entry in entries)


def _print_line(record: Record) -> None:
    """One line a run, for sweeps."""
    said = f"{record.metric} {_number(record.score)}"
    if record.ci95:
        said += f"  [{_number(record.ci95[0])}, {_number(record.ci95[1])}]  normalised {_number(record.normalised)}"
    if record.status is not Status.OK:
        said = f"{record.status}: {record.reason}"
    print(f"{record.challenge:<22} {record.submission:<22} {said}", flush=True)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
