"""From a challenge and a submission to a record: the way the data go, on one page.

For every seed: the track draws a view and its key; the sandbox runs the submission on the view; the track reads what
came back, or refuses it; the fixed model is trained and scored against the key. Cells run side by side, are kept as
soon as they finish and are used again by the next run. No step reaches back: the scorer never imports a submission,
the sandbox never sees a key.
"""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from harness import randomness, sandbox, submission
from harness.challenge import Challenge
from harness.errors import BenchmarkError, HarnessError, ProtocolError, Status, SubmissionError
from harness.models.backend import resolve_device
from harness.sandbox.base import Job
from harness.summary import Entrant, References, summarise
from harness.tracking import ledger, store
from harness.tracking.record import CellRecord, Record, Seconds
from harness.tracking.runs import RunsDir, StoredCell, arrays_digest
from harness.tracks.base import Reference, Score, Track

OnCell = Callable[[str, StoredCell], None]
"""Called in the main thread after every finished cell with the submission's name."""

_WAIT_FOR_OTHER_HARNESS = 3600.0  # seconds: references and runs being computed by another process are waited for


def evaluate(
    challenge: Challenge,
    submission: str | Path,
    *,
    runs_dir: Path | str = "runs",
    device: str = "auto",
    tier: str = "auto",
    workers: int | None = None,
    tracking_uri: str | None = None,
    force: bool = False,
    on_cell: OnCell | None = None,
) -> Record:
    """Run a submission on all seeds of a challenge and record it; what ``harness run`` calls.

    Parameters
    ----------
    challenge: from :func:`harness.load_challenge`.
    submission: name of a baseline or path of a folder; ``"default"`` is the challenge's own baseline.
    runs_dir: where cells, records and (unless ``tracking_uri`` is given) the MLflow store are.
    device: ``auto``, ``cpu`` or ``cuda``: where the harness trains the fixed model.
    tier: isolation, ``auto`` or the name of a tier.
    workers: cells side by side; None: one per core.
    force: run finished cells again.

    Raises
    ------
    ProtocolError: no such submission, data or tier, or a submission for another track.
    HarnessError: the disk refuses, another harness holds the run.
    """
    bench = Bench.open(challenge, runs_dir=runs_dir, device=device, tier=tier)
    return bench.run(submission, workers=workers, tracking_uri=tracking_uri, force=force, on_cell=on_cell)


@dataclass(frozen=True)
class Bench:
    """A challenge made ready: data loaded, protocol bound to the fixed model, isolation proved to work."""

    challenge: Challenge
    track: Track[Any, Any]
    fingerprint: str
    data_digest: str
    tier: str
    device: str
    runs: RunsDir
    engine: threading.Lock = field(default_factory=threading.Lock)  # one user of the fixed model at a time

    @classmethod
    def open(cls, challenge: Challenge, *, runs_dir: Path | str, device: str = "auto", tier: str = "auto") -> Bench:
        """Load data and model of a challenge and resolve device and tier."""
        try:
            device = resolve_device(device)
        except HarnessError as error:  # asking for what this machine lacks is a matter of usage
            raise ProtocolError(error.reason, error.hint) from error
        resolved_tier = sandbox.resolve_tier(tier, challenge.minimum_isolation)
        dataset = challenge.load_dataset()
        return cls(
            challenge=challenge,
            track=challenge.load_track(dataset, device),
            fingerprint=challenge.fingerprint(dataset),
            data_digest=dataset.digest(),
            tier=resolved_tier,
            device=device,
            runs=RunsDir(runs_dir),
        )

    def run(
        self,
        name: str | Path,
        *,
        workers: int | None = None,
        tracking_uri: str | None = None,
        force: bool = False,
        on_cell: OnCell | None = None,
    ) -> Record:
        """All seeds of one submission; see :func:`evaluate`."""
        folder = submission.find(self.challenge.baseline if name == "default" else str(name), self.track.task)
        seeds = range(self.challenge.seeds)
        try:
            entry = submission.load(folder)
        except SubmissionError as error:
            entrant = Entrant.broken(folder)
            refused = [failed(seed, error.status, str(error)) for seed in seeds]
            return self._record(entrant, refused, None, tracking_uri)
        if entry.track != self.track.task:
            raise ProtocolError(
                f"{folder} is a submission for {entry.track}, but {self.challenge.name} is a {self.track.task} challenge.",
                "`harness list challenges` shows the challenges of each track.",
            )
        entrant = Entrant.of(entry)
        self.runs.keep_submission(entry)

        def run_cell(seed: int) -> StoredCell:
            return evaluate_cell(self, entry, seed)

        with self.runs.lock(self.run_id(entrant), wait_seconds=_WAIT_FOR_OTHER_HARNESS):
            if not force and (finished := self._finished(entrant)):
                return finished
            cells = self._cells(entrant, run_cell, seeds, workers=workers, force=force, on_cell=on_cell)
            stopped = any(stored.cell.status is Status.CANCELLED for stored in cells)
            references = None if stopped else self.references(tracking_uri, on_cell)
            return self._record(entrant, cells, references, tracking_uri)

    def references(self, tracking_uri: str | None = None, on_cell: OnCell | None = None) -> References:
        """The harness's own rows, floor and skyline: scored like submissions, computed once per fingerprint."""
        return References(
            self._reference("random", tracking_uri, on_cell), self._reference("skyline", tracking_uri, on_cell)
        )

    def _reference(self, which: Reference, tracking_uri: str | None, on_cell: OnCell | None) -> list[StoredCell]:
        entrant = Entrant.reference(which)

        def run_cell(seed: int) -> StoredCell:
            return reference_cell(self, which, seed)

        with self.runs.lock(self.run_id(entrant), wait_seconds=_WAIT_FOR_OTHER_HARNESS):
            finished = self._finished(entrant)
            seeds = range(self.challenge.seeds)
            cells = self._cells(entrant, run_cell, seeds, workers=1, force=False, on_cell=on_cell)
            if finished is None:
                self._record(entrant, cells, None, tracking_uri)
        return cells

    def _finished(self, entrant: Entrant) -> Record | None:
        """The record of a run that is complete, recorded in ledger and MLflow: nothing is left to do."""
        run_id = self.run_id(entrant)
        if run_id not in self.runs.run_ids() or (self.runs.run_dir(run_id) / store.UNDELIVERED).exists():
            return None
        record = self.runs.load_record(run_id)
        whole = all(self.runs.load_cell(run_id, seed) for seed in range(self.challenge.seeds))
        return record if whole and record.status in (Status.OK, Status.SUSPICIOUS) else None

    def _cells(
        self,
        entrant: Entrant,
        run_cell: Callable[[int], StoredCell],
        seeds: Sequence[int],
        *,
        workers: int | None,
        force: bool,
        on_cell: OnCell | None,
    ) -> list[StoredCell]:
        """Finished cells from disk, the others run now; each is kept the moment it ends."""
        run_id = self.run_id(entrant)
        if force:
            self.runs.clear_cells(run_id)
        cells = {seed: stored for seed in seeds if (stored := self.runs.load_cell(run_id, seed))}
        for stored in cells.values():
            if on_cell:
                on_cell(entrant.name, stored)
        for stored in compute(run_cell, [seed for seed in seeds if seed not in cells], workers):
            cells[stored.cell.seed] = stored
            self._keep(run_id, stored)
            if on_cell:
                on_cell(entrant.name, stored)
        return [cells[seed] for seed in seeds]

    def _keep(self, run_id: str, stored: StoredCell) -> None:
        self.runs.save_cell(
            run_id, stored.cell, output=stored.output, items=stored.items, curve=stored.curve, log=stored.log
        )

    def _record(
        self, entrant: Entrant, cells: list[StoredCell], references: References | None, tracking_uri: str | None
    ) -> Record:
        """Summarise, write the record, tell the ledger and MLflow."""
        record, replicates, plots = summarise(self, entrant, cells, references)
        record = self.runs.save_record(record, replicates, plots)
        ledger.append(self.runs.path, "run", record.run_id)
        store.deliver(self.runs.run_dir(record.run_id), tracking_uri)
        return record

    def run_id(self, entrant: Entrant) -> str:
        """Identity of a run: the same work always has the same id, whenever and wherever it is done."""
        identity = f"{self.fingerprint}|{entrant.digest}|{self.tier}|{self.device}"
        return f"{self.challenge.name}-{entrant.name}-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"


def compute(run_cell: Callable[[int], StoredCell], seeds: Sequence[int], workers: int | None) -> Iterator[StoredCell]:
    """Cells side by side, yielded as they end; after Ctrl-C those that have not ended come out as ``cancelled``."""
    pool = ThreadPoolExecutor(workers or len(os.sched_getaffinity(0)))
    with _ctrl_c_stops() as stopped:

        def unless_stopped(seed: int) -> StoredCell:
            if stopped.is_set():
                return failed(seed, Status.CANCELLED, "The run was stopped before this cell began.")
            return run_cell(seed)

        try:
            futures = {pool.submit(unless_stopped, seed): seed for seed in seeds}
            for future in as_completed(list(futures)):
                yield _guarded(future.result, futures.pop(future))
        finally:
            stopped.set()
            pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _ctrl_c_stops() -> Iterator[threading.Event]:
    """While cells run, Ctrl-C ends them as ``cancelled`` instead of breaking into whatever is being written."""
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return

    def stop(*_: object) -> None:
        stopped.set()
        sandbox.cancel()

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGINT, before)


def evaluate_cell(bench: Bench, entry: submission.Submission, seed: int) -> StoredCell:
    """One cell: view and key, sandbox, output or rejection, score."""
    started = time.perf_counter()
    track, challenge = bench.track, bench.challenge
    with bench.engine:
        view, key = track.prepare(seed)
        preparing = time.perf_counter() - started
    session = track.session(view, key, seed) if track.rounds else None
    job = Job(
        view=view,
        task=track.task,
        model={**challenge.model.model_dump(), "n_classes": track.dataset.n_classes},
        entropy=tuple(randomness.seed_sequence(challenge.secret, seed, "algorithm").generate_state(8).tolist()),
        folder=entry.folder,
        module=entry.module,
        function=entry.function,
        limits=challenge.limits,
        reply=session.reply if session else None,
    )
    outcome = sandbox.run(job, bench.tier)
    if outcome.arrays is None:
        return failed(seed, outcome.status, outcome.reason, outcome.seconds, outcome.peak_memory_mb, outcome.log)
    try:
        output = track.read_output(session.output() if session else outcome.arrays, view)
    except SubmissionError as error:
        return failed(seed, error.status, str(error), outcome.seconds, outcome.peak_memory_mb, outcome.log)
    started = time.perf_counter()
    with bench.engine:
        score = track.score(output, view, key, seed)
    seconds = Seconds(submission=outcome.seconds, scoring=preparing + time.perf_counter() - started)
    return scored(seed, score, seconds, output, outcome.peak_memory_mb, outcome.log)


def reference_cell(bench: Bench, which: Reference, seed: int) -> StoredCell:
    """One cell of the harness's own floor or skyline: no sandbox, since no stranger's code runs."""
    started = time.perf_counter()
    with bench.engine:
        view, key = bench.track.prepare(seed)
        score = bench.track.reference(which, view, key, seed)
    return scored(seed, score, Seconds(scoring=time.perf_counter() - started))


def scored(
    seed: int, score: Score, seconds: Seconds, output: Any = None, peak_memory_mb: float | None = None, log: str = ""
) -> StoredCell:
    """A cell that ended ``ok``."""
    cell = CellRecord(
        seed=seed,
        status=Status.OK,
        score=score.value,
        metrics=dict(score.metrics),
        output_digest=arrays_digest(output) if output else None,
        seconds=seconds,
        peak_memory_mb=peak_memory_mb,
    )
    return StoredCell(cell=cell, output=output or {}, items=score.items, curve=score.curve, log=log)


def failed(
    seed: int, status: Status, reason: str, seconds: float = 0.0, peak_memory_mb: float | None = None, log: str = ""
) -> StoredCell:
    """A cell that did not end ``ok``: kept to be shown, never used again."""
    cell = CellRecord(
        seed=seed, status=status, reason=reason, seconds=Seconds(submission=seconds), peak_memory_mb=peak_memory_mb
    )
    return StoredCell(cell=cell, output={}, items={}, curve=None, log=log)


def _guarded(result: Callable[[], StoredCell], seed: int) -> StoredCell:
    """A fault of ours in one cell is that cell's ``harness_error``; the other cells go on."""
    try:
        return result()
    except ProtocolError:
        raise
    except SubmissionError as error:
        return failed(seed, error.status, str(error))
    except BenchmarkError as error:
        return failed(seed, Status.HARNESS_ERROR, str(error), log=traceback.format_exc())
    except Exception as error:
        reason = f"Fault of the harness, not of the submission: {type(error).__name__}: {error}"
        return failed(seed, Status.HARNESS_ERROR, reason, log=traceback.format_exc())


class _CallableModule(ModuleType):
    """``from harness import evaluate`` may meet this module, once imported, in place of its function: both can be called."""

    def __call__(self, *args: Any, **kwargs: Any) -> Record:
        return evaluate(*args, **kwargs)


sys.modules[__name__].__class__ = _CallableModule
