"""Cells side by side in this process's threads; each thread waits for its own sandbox, all take turns at the engine."""

from __future__ import annotations

import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from types import FrameType, TracebackType

from harness import sandbox
from harness.errors import BenchmarkError, NothingToMeasure, ProtocolError, Status, SubmissionError
from harness.tracking.record import CellRecord, Seconds
from harness.tracking.runs import StoredCell

RunCell = Callable[[int], StoredCell]

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # the command line makes all of them a Ctrl-C
_TICK = 0.2  # seconds between two looks at whether the run was stopped
_TWICE = 1.0  # seconds after which a second Ctrl-C is meant as one
_STOPPED = "The run was stopped before this cell ended."


class Engine:
    """The fixed model, used by one cell at a time; once the run was stopped, by none any more.

    ``with engine:`` raises SubmissionError (``cancelled``) from then on.
    """

    def __init__(self) -> None:
        self.stopped = threading.Event()
        self._turn = threading.Lock()

    def __enter__(self) -> None:
        self._turn.acquire()
        if self.stopped.is_set():
            self._turn.release()
            raise SubmissionError(_STOPPED, status=Status.CANCELLED)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._turn.release()


def compute(
    run_cell: RunCell, seeds: Sequence[int], workers: int | None, engine: Engine
) -> Generator[StoredCell, None, None]:
    """One cell a seed, yielded as they end; ``workers`` at a time (None: one per core).

    A fault of ours in one cell is that cell's ``harness_error`` and the others go on. Ctrl-C stops the engine: what is
    being trained is finished, and all other cells come out as ``cancelled``. A second one does not wait for that, only
    a moment for the sandboxes to end.
    Raises ProtocolError where the challenge itself cannot be drawn; then, and when the caller closes the iterator
    early, the cells in flight are ended.
    """
    pool = ThreadPoolExecutor(workers or len(os.sched_getaffinity(0)))
    with _signals_stop(engine) as hurry:
        waiting = {pool.submit(_guarded, run_cell, seed, engine) for seed in seeds}
        try:
            while waiting:
                ended, waiting = _next(waiting, engine)
                for future in ended:
                    yield future.result()
        finally:
            if waiting:
                engine.stopped.set()
            began = time.monotonic()
            while waiting and not (hurry.is_set() and time.monotonic() > began + _TWICE):
                _, waiting = _next(waiting, engine)
            pool.shutdown(wait=not waiting, cancel_futures=True)


def failed(
    seed: int, status: Status, reason: str, seconds: float = 0.0, peak_memory_mb: float | None = None, log: str = ""
) -> StoredCell:
    """A cell that did not end ``ok``: kept to be shown; a run that resumes takes over only those that did."""
    cell = CellRecord(
        seed=seed, status=status, reason=reason, seconds=Seconds(submission=seconds), peak_memory_mb=peak_memory_mb
    )
    return StoredCell(cell=cell, output={}, items={}, curve=None, log=log)


def _next(waiting: set[Future[StoredCell]], engine: Engine) -> tuple[set[Future[StoredCell]], set[Future[StoredCell]]]:
    """Wait a tick for cells to end: those that have, those that have not."""
    if engine.stopped.is_set():
        sandbox.cancel()  # again and again: one may just be entering its sandbox
    return wait(waiting, _TICK, FIRST_COMPLETED)


@contextmanager
def _signals_stop(engine: Engine) -> Iterator[threading.Event]:
    """While cells run, Ctrl-C ends them as ``cancelled`` instead of breaking into whatever is being written.

    A second one is a KeyboardInterrupt, and sets the event yielded. Only signals that would be a KeyboardInterrupt are
    caught: one that is ignored (nohup, a job in the background) or that somebody else handles stays as it is.
    """
    hurry = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield hurry
        return
    first = float("inf")

    def stop(_signal: int, _frame: FrameType | None) -> None:
        nonlocal first
        if not engine.stopped.is_set():
            first = time.monotonic()
            engine.stopped.set()
            os.write(2, b"Stopping. Ctrl-C once more leaves without waiting for what is being scored.\n")
        elif time.monotonic() > first + _TWICE:
            hurry.set()
            raise KeyboardInterrupt

    caught = [number for number in _SIGNALS if signal.getsignal(number) is signal.default_int_handler]
    for number in caught:
        signal.signal(number, stop)
    try:
        yield hurry
    finally:
        for number in caught:
            signal.signal(number, signal.default_int_handler)


def _guarded(run_cell: RunCell, seed: int, engine: Engine) -> StoredCell:
    if engine.stopped.is_set():
        return failed(seed, Status.CANCELLED, "The run was stopped before this cell began.")
    try:
        return run_cell(seed)
    except NothingToMeasure as error:
        return failed(seed, Status.SKIPPED, str(error))
    except ProtocolError:
        raise
    except SubmissionError as error:
        return failed(seed, error.status, str(error))
    except BenchmarkError as error:
        return failed(seed, Status.HARNESS_ERROR, str(error), log=traceback.format_exc())
    except Exception as error:  # noqa: BLE001 - a fault of ours becomes the cell's status
        reason = f"Fault of the harness, not of the submission: {type(error).__name__}: {error}"
        return failed(seed, Status.HARNESS_ERROR, reason, log=traceback.format_exc())
