"""Cells side by side in this process's threads; each thread waits for its own sandbox."""

from __future__ import annotations

import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager

from harness import sandbox
from harness.errors import BenchmarkError, NothingToMeasure, ProtocolError, Status, SubmissionError
from harness.tracking.record import CellRecord, Seconds
from harness.tracking.runs import StoredCell

RunCell = Callable[[int], StoredCell]


def compute(run_cell: RunCell, seeds: Sequence[int], workers: int | None) -> Iterator[StoredCell]:
    """One cell a seed, yielded as they end; ``workers`` at a time (None: one per core).

    A fault of ours in one cell is that cell's ``harness_error`` and the others go on; after Ctrl-C the cells that have
    not ended come out as ``cancelled``. Raises ProtocolError where the challenge itself cannot be drawn.
    """
    pool = ThreadPoolExecutor(workers or len(os.sched_getaffinity(0)))
    with _ctrl_c_stops() as stopped:

        def unless_stopped(seed: int) -> StoredCell:
            if stopped.is_set():
                return failed(seed, Status.CANCELLED, "The run was stopped before this cell began.")
            return _guarded(run_cell, seed)

        try:
            for future in as_completed([pool.submit(unless_stopped, seed) for seed in seeds]):
                yield future.result()
        finally:
            stopped.set()
            pool.shutdown(wait=True, cancel_futures=True)


def failed(
    seed: int, status: Status, reason: str, seconds: float = 0.0, peak_memory_mb: float | None = None, log: str = ""
) -> StoredCell:
    """A cell that did not end ``ok``: kept to be shown, never used again."""
    cell = CellRecord(
        seed=seed, status=status, reason=reason, seconds=Seconds(submission=seconds), peak_memory_mb=peak_memory_mb
    )
    return StoredCell(cell=cell, output={}, items={}, curve=None, log=log)


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


def _guarded(run_cell: RunCell, seed: int) -> StoredCell:
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
    except Exception as error:
        reason = f"Fault of the harness, not of the submission: {type(error).__name__}: {error}"
        return failed(seed, Status.HARNESS_ERROR, reason, log=traceback.format_exc())
