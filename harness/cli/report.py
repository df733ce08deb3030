"""What ``harness run`` prints of a run: the seeds, the score, what failed, where it stands and what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.cli import place, terminal
from harness.errors import Status
from harness.evaluation.session import Session
from harness.protocol.params import called
from harness.sandbox.log import last_lines
from harness.tracking.record import CellRecord, Record

_SEEDS = 30  # rows of the table; of more seeds, the first ten and those that failed
_REASONS = 5
_NO_FAULT = (Status.OK, Status.SKIPPED)
_NO_LOG = (*_NO_FAULT, Status.CANCELLED, Status.HARNESS_ERROR)


@dataclass(frozen=True)
class Where:
    """What a further command has to be told beside names."""

    runs_dir: str
    config_dir: str | None = None

    def words(self, *, run: bool = False) -> str:
        """Options of a command; of ``harness run``, which takes the runs directory as an override."""
        option = "runs_dir=" if run else "--runs-dir "
        runs = f" {option}{shlex.quote(self.runs_dir)}" if self.runs_dir != "runs" else ""
        return runs + (f" --config-dir {shlex.quote(self.config_dir)}" if self.config_dir else "")


def report(record: Record, session: Session, where: Where, *, kept: int = 0, look: str = "") -> None:
    """Print all of one run; of one that was stopped, what is kept of it.

    Parameters
    ----------
    kept: cells that were there before this command.
    look: what to say of some seeds of a run, which make no run.
    """
    if stopped(record):
        terminal.say(_kept(record))
        return
    print(
        terminal.cut(
            f"{record.challenge}  {called(record.submission, record.params)}  ({record.isolation}, {record.device})"
        )
    )
    print()
    _table(record)
    print()
    failed = [cell for cell in record.cells if cell.status not in _NO_FAULT]
    if failed:
        _failures(record, failed)
    elif record.reason:
        terminal.say(record.reason, label=f"{record.status}: ")
    if record.score is not None:
        _score(record)
    elif failed and (scores := record.seed_scores):
        mean = sum(scores.values()) / len(scores)
        on = "the other seed" if len(scores) == 1 else f"the other {len(scores)} seeds"
        terminal.say(f"none; {record.metric} {mean:.4f} on {on}", label="score   ")
    _log(record, session, failed)
    if record.modified:
        terminal.say("pinned settings were overridden, so this run joins no official board", label="modified: ")
    if not session.challenge.dataset.pinned:
        terminal.say(session.track.dataset.notes[0])
    if kept:
        of = len(record.cells)
        terminal.say(f"{kept} of {of} cells were kept from before, {of - kept} computed")
    if look:
        terminal.say(look)
    else:
        _last(record, session, where)


def line(record: Record, names: Sequence[int]) -> None:
    """One line of a sweep, and below it why a run failed. ``names``: widths of the challenge's and the submission's."""
    begins = f"{record.challenge:<{names[0]}}  {called(record.submission, record.params):<{names[1]}}"
    parts = [f"{record.metric} {_number(record.score)}"]
    if record.ci95:
        parts += [f"[{_number(record.ci95[0])}, {_number(record.ci95[1])}]", f"normalised {_number(record.normalised)}"]
    if stopped(record):
        terminal.say(_kept(record), label=f"{begins}  ")
        return
    if record.status is not Status.OK:
        print(terminal.cut(f"{begins}  {record.status}"))
        terminal.say(record.reason, label="    ")
        return
    while len(parts) > 1 and len("  ".join([begins, *parts])) > terminal.width():
        parts.pop()
    print(terminal.cut("  ".join([begins, *parts])), flush=True)


def end(records: Sequence[Record], folder: Path, where: Where) -> None:
    """Print where the records of a sweep are, and what comes next."""
    terminal.say(folder, label="records  ")
    if official := sorted({record.challenge for record in records if not record.modified and not stopped(record)}):
        print("\nnext")
        terminal.command(f"harness leaderboard {' '.join(official)}{where.words()}")


def stopped(record: Record) -> bool:
    """Whether Ctrl-C came before all its cells had ended."""
    return any(cell.status is Status.CANCELLED for cell in record.cells)


def _kept(record: Record) -> str:
    done = sum(cell.status is not Status.CANCELLED for cell in record.cells)
    return f"cancelled: {done} of {len(record.cells)} seeds had ended and are kept; the same command goes on from there"


def _table(record: Record) -> None:
    cells = list(record.cells)
    if len(cells) > _SEEDS:
        cells = [*cells[:10], *[cell for cell in cells[10:] if cell.status not in _NO_FAULT][:10]]
    columns = [
        ("seed", "right"),
        ("status", "left"),
        (record.metric, "right"),
        ("run s", "right"),
        ("score s", "right"),
    ]
    rows = [
        (
            cell.seed, cell.status, _number(cell.score),
            *(("-", "-") if cell.status is Status.SKIPPED else _seconds(cell)),
            "-" if cell.fits is None else cell.fits,
            "-" if cell.peak_memory_mb is None else f"{cell.peak_memory_mb:.0f}",
        )
        for cell in cells
    ]  # fmt: skip
    terminal.table([*columns, ("fits", "right"), ("MB", "right")], rows)
    if len(cells) < len(record.cells):
        terminal.say(f"... and {len(record.cells) - len(cells)} more seeds, in the record")


def _seconds(cell: CellRecord) -> tuple[str, str]:
    return f"{cell.seconds.submission:.2f}", f"{cell.seconds.scoring:.2f}"


def _score(record: Record) -> None:
    interval = f", 95 % interval [{_number(record.ci95[0])}, {_number(record.ci95[1])}]" if record.ci95 else ""
    better = "higher" if record.direction == "max" else "lower"
    terminal.say(f"{record.metric} {_number(record.score)}{interval}", label="score   ")
    terminal.say(
        f"{better} is better; random {_number(record.floor)}, skyline {_number(record.skyline)}, normalised "
        f"{_number(record.normalised)}",
        label="        ",
    )


def _failures(record: Record, failed: Sequence[CellRecord]) -> None:
    """Which seeds failed, and why: seeds of one reason together."""
    seeds: dict[tuple[Status, str], list[int]] = {}
    for cell in failed:
        seeds.setdefault((cell.status, cell.reason), []).append(cell.seed)
    terminal.say(f"{record.status}: {len(failed)} of {len(record.cells)} seeds failed")
    for (status, reason), of in list(seeds.items())[:_REASONS]:
        which = ", ".join(map(str, of[:10])) + (f" and {len(of) - 10} more" if len(of) > 10 else "")
        what = reason if record.status is status else f"{status}: {reason}"
        terminal.say(what, label=f"  {'seed' if len(of) == 1 else 'seeds'} {which}: ")
    if len(seeds) > _REASONS:
        terminal.say(f"  ... and {len(seeds) - _REASONS} other reasons, in the record")


def _log(record: Record, session: Session, failed: Sequence[CellRecord]) -> None:
    """The end of the first failed cell's log, and where it is.

    Not its text where the challenge keeps its secret: it may hold that.
    """
    theirs = [cell.seed for cell in failed if cell.status not in _NO_LOG]
    path = session.runs.cell_dir(record.run_id, theirs[0]) / "log.txt" if theirs else None
    if path is None or not path.is_file():
        return
    text = last_lines(path.read_text(encoding="utf-8", errors="replace"))
    if text and session.challenge.practice:
        terminal.say(f"Its last lines on seed {theirs[0]}:")
        terminal.quote(text)
    if text:
        terminal.say(path, label="log     ")


def _last(record: Record, session: Session, where: Where) -> None:
    """Where the run stands, where its record is, and the commands that come next."""
    ranks = record.score is not None and record.status is Status.OK
    baselines = place.Baselines.of(session) if ranks and not record.reference else None
    if baselines:
        terminal.say(place.sentence(record, session, baselines), label="place   ")
    terminal.say(session.runs.run_dir(record.run_id) / "record.json", label="record  ")
    if baselines is None:
        return
    others = [run for run in baselines.runs.values() if run.run_id != record.run_id]
    print("\nnext")
    if baselines.missing and not record.modified:
        terminal.command(f"harness run challenge={record.challenge} submission=all{where.words(run=True)}")
    if others:
        terminal.command(
            f"harness compare {record.run_id} {place.best(others, record.direction).run_id}{where.words()}"
        )
    if not record.modified:
        terminal.command(f"harness leaderboard {record.challenge}{where.words()}")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
