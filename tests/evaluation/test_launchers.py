"""Cells side by side: whose fault a failing cell is, and that the others go on."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import closing

import pytest

from harness.errors import HarnessError, NothingToMeasure, ProtocolError, Status, SubmissionError
from harness.evaluation.launchers.local import Engine, compute, failed
from harness.tracking.runs import StoredCell

FAULTS = {
    1: (NothingToMeasure("On seed 1 all outputs are equally good."), Status.SKIPPED),
    2: (SubmissionError("too late", status=Status.TIMEOUT), Status.TIMEOUT),
    3: (HarnessError("the disk is full"), Status.HARNESS_ERROR),
    4: (RuntimeError("a bug"), Status.HARNESS_ERROR),
}


def run_cell(seed: int) -> StoredCell:
    if seed in FAULTS:
        raise FAULTS[seed][0]
    return failed(seed, Status.OK, "")


@pytest.mark.parametrize("workers", [1, 3])
def test_every_fault_is_its_own_cell(workers: int) -> None:
    cells = {stored.cell.seed: stored for stored in compute(run_cell, range(6), workers, Engine())}
    assert sorted(cells) == list(range(6))
    for seed, stored in cells.items():
        error, status = FAULTS.get(seed, (None, Status.OK))
        assert stored.cell.status is status
        assert str(error or "") in stored.cell.reason
    assert "Fault of the harness" in cells[4].cell.reason
    assert "Traceback" in cells[4].log
    assert "Traceback" not in cells[4].cell.reason


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_lets_the_scoring_end_and_cancels_the_rest() -> None:
    engine, begun = Engine(), threading.Barrier(3)

    def run_cell(seed: int) -> StoredCell:
        begun.wait()  # three are in flight
        if seed == 0:
            with engine:
                interrupt()
                assert engine.stopped.wait(10)
                return failed(seed, Status.OK, "")
        assert engine.stopped.wait(10)
        with engine:
            raise AssertionError("nobody's turn comes any more")

    cells = {stored.cell.seed: stored.cell for stored in compute(run_cell, range(5), 3, engine)}
    assert [cells[seed].status for seed in range(5)] == [Status.OK, *[Status.CANCELLED] * 4]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    (late,) = compute(run_cell, [7], 1, engine)
    assert late.cell.status is Status.CANCELLED


def test_a_second_ctrl_c_does_not_wait_for_the_scoring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.evaluation.launchers.local._TWICE", 0.1)
    engine, end = Engine(), threading.Event()

    def run_cell(seed: int) -> StoredCell:
        with engine:
            interrupt()
            interrupt()  # too soon after the first to be meant
            time.sleep(0.3)
            interrupt()
            end.wait(20)
            return failed(seed, Status.OK, "")

    before = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        list(compute(run_cell, [0], 1, engine))
    assert time.monotonic() - before < 10
    end.set()


def test_an_ignored_signal_stays_ignored() -> None:
    def run_cell(seed: int) -> StoredCell:
        interrupt()
        return failed(seed, Status.OK, "")

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell does for a job in the background
    try:
        assert [stored.cell.status for stored in compute(run_cell, [0, 1], 1, Engine())] == [Status.OK] * 2
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def test_who_stops_listening_ends_the_cells() -> None:
    """A disk that is full, for example, ends the run; nobody waits for what is in flight."""
    engine = Engine()

    def run_cell(seed: int) -> StoredCell:
        if seed and not engine.stopped.wait(20):
            raise AssertionError("not stopped")
        return failed(seed, Status.OK, "")

    with closing(compute(run_cell, range(9), 2, engine)) as ended:
        assert next(ended).cell.seed == 0
    assert engine.stopped.is_set()


def test_a_challenge_that_cannot_be_drawn_ends_the_run() -> None:
    def impossible(seed: int) -> StoredCell:
        raise ProtocolError("more rows wanted than there are")

    with pytest.raises(ProtocolError, match="more rows"):
        list(compute(impossible, range(3), 2, Engine()))
