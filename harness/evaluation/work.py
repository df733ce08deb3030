"""One cell to be computed: what launchers hand to their workers, and what every worker does with it."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from harness.errors import BenchmarkError, NothingToMeasure, ProtocolError, Status, SubmissionError
from harness.evaluation.bench import Bench
from harness.evaluation.cell import evaluate_cell, failed, reference_cell
from harness.models.backend import granted
from harness.protocol.submission import Submission
from harness.tracking.runs import StoredCell
from harness.tracks.base import Reference

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")  # read by libraries when they are loaded

Answer = StoredCell | ProtocolError
"""What comes of a cell; the error, where the challenge itself cannot be drawn."""


@dataclass(frozen=True, eq=False)
class Work:
    """One cell: a submission's, or one of the harness's own rows'. Each is itself alone, whatever it holds."""

    bench: Bench
    whose: Submission | Reference
    seed: int

    def compute(self) -> StoredCell:
        """The cell; raises what :func:`perform` turns into statuses."""
        if isinstance(self.whose, Submission):
            return evaluate_cell(self.bench, self.whose, self.seed)
        return reference_cell(self.bench, self.whose, self.seed)


def perform(work: Work, cores: int) -> Answer:
    """Compute one cell; the engine may spread over ``cores``, and whatever else it calls has a single thread.

    Sums over several threads differ in their last bits with the number of threads: this way no launcher, number of
    workers or machine changes a score. A fault of ours in one cell is that cell's ``harness_error``.
    """
    try:
        with single_threaded(), granted(cores):
            return work.compute()
    except NothingToMeasure as error:
        return failed(work.seed, Status.SKIPPED, str(error))
    except ProtocolError as error:
        return error
    except SubmissionError as error:
        return failed(work.seed, error.status, str(error))
    except BenchmarkError as error:
        return failed(work.seed, Status.HARNESS_ERROR, str(error), log=traceback.format_exc())
    except Exception as error:  # noqa: BLE001 - a fault of ours becomes the cell's status
        reason = f"Fault of the harness, not of the submission: {type(error).__name__}: {error}"
        return failed(work.seed, Status.HARNESS_ERROR, reason, log=traceback.format_exc())


@contextmanager
def single_threaded() -> Iterator[None]:
    """One thread for BLAS and OpenMP, in libraries that are loaded and in those that a cell loads."""
    from threadpoolctl import threadpool_limits

    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        with threadpool_limits(limits=1):
            yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
