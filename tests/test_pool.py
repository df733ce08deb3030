"""Cells side by side: whose fault a failing cell is, and that the others go on."""

from __future__ import annotations

import pytest

from harness.errors import HarnessError, NothingToMeasure, ProtocolError, Status, SubmissionError
from harness.pool import compute, failed
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
    cells = {stored.cell.seed: stored for stored in compute(run_cell, range(6), workers)}
    assert sorted(cells) == list(range(6))
    for seed, stored in cells.items():
        error, status = FAULTS.get(seed, (None, Status.OK))
        assert stored.cell.status is status
        assert str(error or "") in stored.cell.reason
    assert "Fault of the harness" in cells[4].cell.reason
    assert "Traceback" in cells[4].log
    assert "Traceback" not in cells[4].cell.reason


def test_a_challenge_that_cannot_be_drawn_ends_the_run() -> None:
    def impossible(seed: int) -> StoredCell:
        raise ProtocolError("more rows wanted than there are")

    with pytest.raises(ProtocolError, match="more rows"):
        list(compute(impossible, range(3), 2))
