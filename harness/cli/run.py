"""``harness run``: one run, or a sweep of them."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from harness.cli.config import refuse_words, show
from harness.cli.look import facts, remark
from harness.cli.plan import outcome, planned
from harness.competition.deeds import replaceable
from harness.competition.intake.entering import Desk, check_team
from harness.errors import ProtocolError, Status
from harness.evaluation.admission import Refusal, find_entry, load_entry
from harness.evaluation.entrants import Entrant
from harness.evaluation.run import sweep
from harness.evaluation.session import OnCell, Session
from harness.evaluation.sweep import Wanted
from harness.protocol.catalogue import baseline_names
from harness.protocol.compose import RunConfig
from harness.protocol.launch import Launch
from harness.protocol.params import shown
from harness.sandbox.log import last_lines
from harness.tracking.ledger import Ledger
from harness.tracking.record import Record
from harness.tracking.runs import StoredCell
from harness.tracking.signature import load_key


def run(args: Namespace) -> int:
    """Exit 0 only if every cell of every run is ``ok``. Everything asked for is looked at before the first cell runs."""
    if args.cfg or args.info:
        return show(args)
    refuse_words(args.overrides)
    plan = planned(args)
    configs, wanted = plan.configs, plan.wanted
    desks = _entered(wanted, args.replaces)
    before = len(_kept(wanted[0], args)) if len(wanted) == 1 else 0
    records: dict[Wanted, Record] = {}
    for (launch, tracking_uri), runs in _together(configs, wanted):
        with progress(runs) as on_cell:
            for one, record in sweep(runs, launch, tracking_uri=tracking_uri, force=args.force, on_cell=on_cell):
                records[one] = record
                if args.replaces:
                    Ledger(one.session.runs.path).append("replace", record.run_id, note=args.replaces, key=load_key())
                if not args.json:
                    _print_line(record) if len(configs) > 1 else _print(record, one, before)
                    announce = not args.replaces and one.only is None
                    for line in desks[id(one.session)].announced(record) if announce else ():
                        print(line)
        if len(records) < len(runs) or any(record.status is Status.CANCELLED for record in records.values()):
            break
    if not records:
        raise KeyboardInterrupt
    if args.json:
        contents = [_plain(one, records[one]) for one in wanted if one in records]
        print(json.dumps(contents if args.multirun else contents[0], indent=2))
    elif len(configs) > 1:
        print(_where(records))
    return outcome(plan, [record.status is Status.OK for record in records.values()])


def _plain(one: Wanted, record: Record) -> dict[str, Any]:
    return record.model_dump(mode="json") if one.only is None else facts(record, one.session.challenge.seeds)


def _where(records: Mapping[Wanted, Record]) -> str:
    """The last line of a sweep."""
    one, record = next(iter(records.items()))
    runs = one.session.runs.path
    return f"records  {runs}" if one.only is None else remark(record, one.session.challenge.seeds)


def _kept(one: Wanted, args: Namespace) -> set[int]:
    """The seeds of a run whose cells are there already."""
    entrant, whose = one.admitted
    if args.force or isinstance(whose, Refusal):
        return set()
    return set(one.session.known(entrant)) & set(one.seeds)


def _entered(wanted: Sequence[Wanted], replaces: str | None) -> dict[int, Desk]:
    """Write entries of teams into the ledger before anything of them runs; a desk for each session, by its id.

    Raises ProtocolError where a team is not in the roster or has no entries left, or a run cannot be replaced.
    """
    for one in wanted:
        if one.team:
            check_team(one.session.challenge, one.team)
    if replaces and (len(wanted) > 1 or wanted[0].team):
        raise ProtocolError("--replaces gives one run's row to one other run, on a board without teams.")
    desks = {id(session): Desk(session) for session in {id(one.session): one.session for one in wanted}.values()}
    if replaces:
        session = wanted[0].session
        replaceable(session.runs, session.challenge.name, session.fingerprint, replaces)
    for one in wanted:
        if one.team:
            desks[id(one.session)].enter(one, load_key())
    return desks


def _together(
    configs: Sequence[RunConfig], wanted: Sequence[Wanted]
) -> Iterator[tuple[tuple[Launch, str | None], list[Wanted]]]:
    """Runs by launcher and MLflow store: all of a command, unless it sweeps over these."""
    groups: dict[tuple[Launch, str | None], list[Wanted]] = {}
    for config, one in zip(configs, wanted, strict=True):
        groups.setdefault((config.launch, config.tracking_uri), []).append(one)
    yield from groups.items()


@contextmanager
def progress(runs: Sequence[Wanted]) -> Iterator[OnCell]:
    """A line that says how many cells have ended, of what the last one was, and how long the others will take."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("cells"), TimeElapsedColumn(),
        TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        whole = {id(one.session): one for one in runs}.values()  # with floor and skyline, on the same seeds
        cells = sum(len(one.seeds) for one in runs) + sum(2 * len(one.seeds) for one in whole)
        bar = progress.add_task("", total=cells)

        def on_cell(name: str, stored: StoredCell) -> None:
            progress.update(bar, advance=1, description=name)

        yield on_cell


def _print(record: Record, one: Wanted, before: int) -> None:
    """A table of the cells, ``before`` of which were there before this command, what they come to, and what to do next."""
    session = one.session
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
    console.print(f"[bold]{record.challenge}[/bold]  {escape(_called(record))}  ({record.isolation}, {record.device})")
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
    if before:
        kept = f"{before} of {len(record.cells)} cells were kept from before, {len(record.cells) - before} computed."
        console.print(kept, soft_wrap=True)
    if one.only is not None:
        console.print(remark(record, session.challenge.seeds), soft_wrap=True, markup=False)
        return
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
    names = baseline_names(challenge.track_type.task.kind, challenge.left_out())
    entries = [load_entry(challenge, find_entry(challenge, name)) for name in names]
    return sum(session.run_id(Entrant.of(entry)) not in recorded for entry in entries)


def _print_line(record: Record) -> None:
    """One line a run, for sweeps."""
    said = f"{record.metric} {_number(record.score)}"
    if record.ci95:
        said += f"  [{_number(record.ci95[0])}, {_number(record.ci95[1])}]  normalised {_number(record.normalised)}"
    if record.status is not Status.OK:
        said = f"{record.status}: {record.reason}"
    print(f"{record.challenge:<22} {_called(record):<22} {said}", flush=True)


def _called(record: Record) -> str:
    """The submission, and the parameters it ran with."""
    return record.submission + (f" ({shown(record.params)})" if record.params else "")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
