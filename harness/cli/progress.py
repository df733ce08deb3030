"""How far a run is and how long it will take, on stderr: a line that changes on a terminal, a few lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import get_args

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from harness.cli import terminal
from harness.evaluation.entrants import Entrant
from harness.evaluation.sweep import Wanted
from harness.models.backend import cores
from harness.protocol.launch import Launch
from harness.tracking.record import Record
from harness.tracking.runs import StoredCell
from harness.tracks.base import Reference

REFERENCE = "reference-"  # how rows of floor and skyline are called
_QUIET = 10.0  # seconds between two lines where there is no terminal


class Count:
    """Cells that have ended, and an estimate of how long the others will take.

    Cells of floor and skyline cost less than a submission's, since nothing runs in a sandbox; cells from earlier runs
    cost nothing, and say nothing about the time.

    Parameters
    ----------
    runs, references: cells of submissions, and of floor and skyline.
    workers: cells that are computed side by side.
    now: seconds on a clock that never goes back, when the first cell began.
    """

    def __init__(self, runs: int, references: int, workers: int, now: float) -> None:
        self._wanted = {False: runs, True: references}
        self._done = {False: 0, True: 0}
        self._seconds: dict[bool, list[float]] = {False: [], True: []}  # of computed cells
        self._scoring: list[float] = []  # of computed cells of submissions
        self._workers, self._begun = workers, now
        self._ends: float | None = None
        self._seen: set[str] = set()

    @property
    def done(self) -> int:
        """Cells that have ended."""
        return sum(self._done.values())

    @property
    def total(self) -> int:
        """Cells in all."""
        return max(self.done, sum(self._wanted.values()))

    def cell(self, name: str, stored: StoredCell, now: float) -> None:
        """A cell of a row has ended, now or in an earlier run."""
        reference = name.startswith(REFERENCE)
        self._done[reference] += 1
        if stored.cell.sha256:
            self._seen.add(stored.cell.sha256)
        if stored.kept:
            return
        spent = stored.cell.seconds
        self._seconds[reference].append(stored.cell.draws * spent.submission + spent.scoring)
        if not reference:
            self._scoring.append(spent.scoring)
        computed = [seconds for kind in self._seconds.values() for seconds in kind]
        if len(computed) >= self._workers:  # until then as many are nearly done as have ended, and nobody knows
            left = self._left()
            halfway = min(
                left, (self._workers - 1) * _mean(computed[-self._workers :]) / 2
            )  # what the others are at now
            self._ends = now + (now - self._begun) * (left - halfway) / max(sum(computed) + halfway, 1e-9)

    def _left(self) -> float:
        """Seconds of work in the cells that are left."""
        runs, references = self._seconds[False], self._seconds[True]
        run = _mean(runs) if runs else _mean(references)
        reference = _mean(references) if references else _mean(self._scoring)
        return sum(
            seconds * max(0, self._wanted[kind] - self._done[kind])
            for kind, seconds in ((False, run), (True, reference))
        )

    def run(self, record: Record) -> None:
        """A run is recorded: those of its cells that nobody was told of are from earlier runs, or could not be begun."""
        self._done[False] += sum(cell.sha256 is None or cell.sha256 not in self._seen for cell in record.cells)

    def left(self, now: float) -> str:
        """In words, for people; where it is not known yet, how long it has been going on."""
        if self.done >= self.total:
            return "recording"
        return f"{_span(now - self._begun)} so far" if self._ends is None else f"about {_span(self._ends - now)} left"


class _Left(ProgressColumn):
    """The time left, which goes down while no cell ends."""

    def render(self, task: Task) -> Text:
        return Text(task.fields["count"].left(time.monotonic()), style="dim")


class Shown:
    """What a command tells as its cells end (``on_cell``) and its runs are recorded (``recorded``)."""

    def __init__(self, count: Count, bar: Progress | None) -> None:
        self._count, self._bar = count, bar
        self._task = bar.add_task("", total=count.total, name="", count=count) if bar else None
        self._said, self._tenths = time.monotonic(), 0

    def on_cell(self, name: str, stored: StoredCell) -> None:
        """Called for every cell, with the name of its row."""
        self._count.cell(name, stored, time.monotonic())
        self._show(name)

    def recorded(self, record: Record) -> None:
        """Called for every run."""
        self._count.run(record)
        self._show(record.submission)

    def stop(self) -> None:
        """Take the line away: what is printed next has the terminal for itself."""
        if self._bar:
            self._bar.stop()

    def _show(self, name: str) -> None:
        now, count = time.monotonic(), self._count
        if self._bar and self._task is not None:
            self._bar.update(self._task, completed=count.done, total=count.total, name=name)
            return
        tenths = 10 * count.done // max(1, count.total)
        if tenths > self._tenths and count.done < count.total and now - self._said >= _QUIET:
            self._said, self._tenths = now, tenths
            terminal.say(f"{count.done} of {count.total} cells, {count.left(now)}", stderr=True)


@contextmanager
def progress(wanted: Sequence[Wanted], launch: Launch) -> Iterator[Shown]:
    """Show the progress of runs as long as the context lasts.

    Where stderr is no terminal, or one that cannot move its cursor, at most a line for every tenth of the cells is
    written, and none within ten seconds of another.
    """
    console = terminal.console(stderr=True)
    count = Count(*_cells(wanted), _workers(wanted, launch), time.monotonic())
    if not console.is_terminal or console.is_dumb_terminal:
        yield Shown(count, None)
        return
    columns = (
        TextColumn("{task.completed} of {task.total} cells"), BarColumn(None if console.width < 100 else 40),
        _Left(), TextColumn("{task.fields[name]}", style="dim"),
    )  # fmt: skip
    there = sys.stdout.isatty()  # else what is printed meanwhile belongs into the file or pipe
    with Progress(
        *columns,
        console=console,
        transient=True,
        refresh_per_second=4,
        redirect_stdout=there,
        expand=console.width < 100,
    ) as bar:
        yield Shown(count, bar)


def _cells(wanted: Sequence[Wanted]) -> tuple[int, int]:
    """Cells of the runs and, of challenges that have not got them yet, of floor and skyline."""
    new = (
        len(one.seeds)
        for one in {id(one.session): one for one in wanted}.values()
        for which in get_args(Reference)
        if not one.session.runs.recorded(run_id := one.session.run_id(Entrant.reference(which)))
        or one.session.runs.unfinished(run_id)
    )
    return sum(len(one.seeds) for one in wanted), sum(new)


def _workers(wanted: Sequence[Wanted], launch: Launch) -> int:
    """How many cells are computed side by side, as far as it is known before; one where they must be alone."""
    if wanted and all(one.session.alone for one in wanted):
        return 1
    return launch.workers or cores()


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _span(seconds: float) -> str:
    seconds = max(1.0, seconds)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"
