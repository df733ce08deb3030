"""Many runs, one pool: the cells of all submissions on all challenges of a command, computed as there is room for them.

A run is begun when there is room for its cells, those with the longest cells first; from then on until it is recorded
this process holds its lock. A run that another harness holds is set aside and looked at again: nobody waits for
another's lock without going on with what is its own. A session's floor and skyline are runs like all others, begun
after its first submission.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import get_args

from harness.errors import HarnessError, Status
from harness.evaluation.admission import Refusal, admit
from harness.evaluation.cell import failed
from harness.evaluation.entrants import Entrant
from harness.evaluation.launchers.base import Pool, not_begun
from harness.evaluation.session import OnCell, Session
from harness.evaluation.summary import record, summarise
from harness.evaluation.tally import References
from harness.evaluation.work import Work
from harness.protocol.params import Params
from harness.protocol.submission import Submission
from harness.tracking.record import Record
from harness.tracking.runs import Held, StoredCell
from harness.tracks.base import Reference

_WAIT = 3600.0  # seconds: what another harness is computing in the same runs directory is waited for


@dataclass(frozen=True, eq=False)
class Wanted:
    """A run that is asked for: a session's challenge by the submission in a folder, or by one of the harness's own rows."""

    session: Session
    whose: Path | Reference
    team: str = ""  # an id of the challenge's roster
    params: Params = field(default_factory=dict)  # of the submission, in the place of those in its manifest
    only: tuple[int, ...] | None = None  # a look at these seeds: their cells are kept, and no run is recorded

    @property
    def seeds(self) -> Sequence[int]:
        """The seeds whose cells are asked for."""
        return range(self.session.challenge.seeds) if self.only is None else self.only

    @cached_property
    def admitted(self) -> tuple[Entrant, Submission | Reference | Refusal]:
        """Whose row it is, and what its cells run; read once."""
        return (
            admit(self.session, self.whose, self.team, self.params)
            if isinstance(self.whose, Path)
            else (Entrant.reference(self.whose), self.whose)
        )

    @property
    def names(self) -> str:
        """How the id of its run begins."""
        return f"{self.session.challenge.name}-{self.whose.name if isinstance(self.whose, Path) else f'reference-{self.whose}'}"

    def expected_seconds(self, earlier: Iterable[str]) -> float:
        """Of one cell, by the first of earlier runs that measured any; infinite where there is none."""
        for run_id in earlier:
            with suppress(HarnessError):  # a record that cannot be read is nobody's trouble here
                if spent := [cell.seconds for cell in self.session.runs.load_record(run_id).measured]:
                    return sum(seconds.submission + seconds.scoring for seconds in spent) / len(spent)
        return float("inf")


def _longest_first(wanted: Sequence[Wanted]) -> list[Wanted]:
    """By the cells of an earlier run of the same names, those that have none first. Each runs directory is listed once."""
    earlier: dict[tuple[Path, str], list[str]] = {}
    for runs in {one.session.runs.path: one.session.runs for one in wanted}.values():
        for run_id in runs.run_ids():
            earlier.setdefault((runs.path, run_id.rpartition("-")[0]), []).append(run_id)
    return sorted(wanted, key=lambda one: -one.expected_seconds(earlier.get((one.session.runs.path, one.names), ())))


@dataclass(eq=False)
class _Run:
    """A run that was begun: its lock is held until it is recorded."""

    wanted: Wanted
    entrant: Entrant
    cells: dict[int, StoredCell]
    left: deque[Work]
    lock: ExitStack
    begun: bool = False  # whether any of its cells was given to the pool

    @property
    def session(self) -> Session:
        return self.wanted.session

    @property
    def is_reference(self) -> bool:
        return self.entrant.is_reference

    @property
    def whole(self) -> bool:
        """Whether all its cells are there, whatever came of them."""
        return len(self.cells) == len(self.wanted.seeds)

    @property
    def cancelled(self) -> bool:
        return any(stored.cell.status is Status.CANCELLED for stored in self.cells.values())


class Sweep:
    """The runs of one command; :meth:`records` runs them.

    Parameters
    ----------
    pool: where cells are computed.
    force: run finished cells again.
    on_cell: called for every cell, from disk or computed.
    """

    def __init__(
        self,
        wanted: Sequence[Wanted],
        pool: Pool,
        *,
        tracking_uri: str | None = None,
        force: bool = False,
        on_cell: OnCell | None = None,
    ) -> None:
        self.pool = pool
        self._asked = set(wanted)
        self._waiting = deque(_longest_first(wanted) if len(wanted) > 1 else wanted)
        self._uri, self._force, self._on_cell = tracking_uri, force, on_cell
        self._runs: list[_Run] = []
        self._of: dict[Work, _Run] = {}
        self._references: dict[int, dict[str, list[StoredCell]]] = {}  # of a session's id: cells by name
        self._since: dict[Wanted, float] = {}

    def records(self) -> Iterator[tuple[Wanted, Record]]:
        """Every run as it is recorded. After Ctrl-C only those that had begun are, as ``cancelled``.

        Raises ProtocolError where a submission does not fit or a challenge cannot be drawn, HarnessError where the disk
        refuses or another harness holds a run for too long.
        """
        try:
            while self._waiting or self._runs:
                yield from self._begin()
                self._submit()
                for work, stored in self.pool.ended():
                    self._take(self._of.pop(work), stored)
                if self.pool.stopped:
                    self._give_up()
                yield from self._recorded()
        finally:
            for run in self._runs:
                run.lock.close()

    def _begin(self) -> Iterator[tuple[Wanted, Record]]:
        """Begin runs while there is room for more cells than wait; those that need no cell are done at once."""
        for _ in range(len(self._waiting)):
            if sum(len(run.left) for run in self._runs) >= self.pool.room():
                return
            wanted = self._waiting.popleft()
            entrant, whose = wanted.admitted
            session, run_id = wanted.session, wanted.session.run_id(entrant)
            lock = ExitStack()
            try:
                lock.enter_context(session.runs.lock(run_id))
            except Held:
                if time.monotonic() - self._since.setdefault(wanted, time.monotonic()) > _WAIT:
                    raise
                self._waiting.append(wanted)
                continue
            with lock:
                if isinstance(whose, Refusal):
                    cells = [failed(seed, whose.status, whose.reason) for seed in wanted.seeds]
                    yield wanted, self._told(wanted, entrant, cells, None)
                elif (found := self._finished(wanted, entrant)) is not None:
                    if entrant.is_reference:  # whose seeds without anything to measure are not tried again
                        kept = session.kept(found)
                        self._learn(wanted, [stored for stored in kept if stored.cell.seed in wanted.seeds])
                    if wanted in self._asked:
                        yield wanted, found
                else:
                    self._open(wanted, entrant, whose, lock.pop_all())

    def _finished(self, wanted: Wanted, entrant: Entrant) -> Record | None:
        """The record of a run of which nothing is left to do; a look at some of its seeds reads their cells."""
        if self._forced(wanted) or (wanted.only is not None and not entrant.is_reference):
            return None
        return wanted.session.finished(entrant)

    def _told(self, wanted: Wanted, entrant: Entrant, cells: list[StoredCell], references: References | None) -> Record:
        """What the cells come to, recorded; of a look at some seeds it is told to whoever asked and to nobody else."""
        if wanted.only is not None:
            return summarise(wanted.session, entrant, cells, references)
        return record(wanted.session, entrant, cells, references, self._uri, stopped=self.pool.stopped)

    def _forced(self, wanted: Wanted) -> bool:
        return self._force and isinstance(wanted.whose, Path)

    def _open(self, wanted: Wanted, entrant: Entrant, whose: Submission | Reference, lock: ExitStack) -> None:
        session = wanted.session
        known = session.known(entrant, force=self._forced(wanted))
        if wanted.only is not None and (
            found := session.finished(entrant)
        ):  # a look changes nothing of what is recorded
            known |= {stored.cell.seed: stored for stored in session.kept(found)}
        left = deque(Work(session, whose, seed) for seed in wanted.seeds if seed not in known)
        run = _Run(wanted, entrant, {}, left, lock)
        self._runs.append(run)
        if left:
            session.runs.mark_unfinished(session.run_id(entrant))
        for stored in known.values():
            if stored.cell.seed in wanted.seeds:
                self._keep(run, stored)
        if isinstance(wanted.whose, Path) and id(session) not in self._references:
            self._references[id(session)] = {}
            if not session.references:
                beside = [Wanted(session, which, only=wanted.only) for which in get_args(Reference)]
                self._waiting.extendleft(beside[::-1])

    def _submit(self) -> None:
        for run in self._runs:
            while run.left and self.pool.room():
                work = run.left.popleft()
                run.begun, self._of[work] = True, run
                self.pool.submit(work)

    def _take(self, run: _Run, stored: StoredCell) -> None:
        """A cell that was computed is kept before anything else happens."""
        self._keep(run, run.session.keep(run.entrant, stored))

    def _keep(self, run: _Run, stored: StoredCell) -> None:
        run.cells[stored.cell.seed] = stored
        if self._on_cell:
            self._on_cell(run.entrant.name, stored)

    def _give_up(self) -> None:
        """After Ctrl-C what was not begun is left alone; cells of begun runs that were not are ``cancelled``."""
        self._waiting.clear()
        for run in self._runs:
            while run.begun and run.left:
                self._take(run, not_begun(run.left.popleft()))
        asked = [run for run in self._runs if not run.is_reference]
        going_on = {id(run.session) for run in self._runs if run.is_reference and run.begun}
        for run in [run for run in asked if run.whole and not run.cancelled and not self._reference_cells(run)]:
            run.begun = id(run.session) in going_on  # else nothing says what its cells, which are kept, come to
        for run in [run for run in self._runs if not run.begun]:
            self._close(run)

    def _recorded(self) -> Iterator[tuple[Wanted, Record]]:
        """Record the runs of which all cells are there; those of submissions once floor and skyline are known."""
        for run in sorted((run for run in self._runs if run.whole), key=lambda run: not run.is_reference):
            cells = [run.cells[seed] for seed in run.wanted.seeds]
            references = None
            if not run.is_reference and not run.cancelled and (references := self._reference_cells(run)) is None:
                continue
            told = self._told(run.wanted, run.entrant, cells, references)
            self._close(run)
            if run.is_reference:
                self._learn(run.wanted, cells)
            if not run.is_reference or run.wanted in self._asked:
                yield run.wanted, told

    def _close(self, run: _Run) -> None:
        self._runs.remove(run)
        run.lock.close()

    def _learn(self, wanted: Wanted, cells: list[StoredCell]) -> None:
        """Floor or skyline of a session are known; both, where they are whole, for all its later sweeps."""
        session = wanted.session
        known = self._references.setdefault(id(session), {})
        known[str(wanted.whose)] = cells
        if len(known) == len(get_args(Reference)) and wanted.only is None:
            references = References.of(known["random"], known["skyline"])
            if references.whole or not references.skyline:  # the second: no seed can be measured
                session.references.append(references)

    def _reference_cells(self, run: _Run) -> References | None:
        """Floor and skyline of a run's session, if both are known by now."""
        if run.session.references:
            return run.session.references[0]
        known = self._references.get(id(run.session), {})
        return References.of(known["random"], known["skyline"]) if len(known) == len(get_args(Reference)) else None
