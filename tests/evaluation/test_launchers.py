"""Cells side by side: whose fault a failing cell is, that the others go on, and how everything is stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness import load_challenge, sandbox
from harness.errors import HarnessError, NothingToMeasure, ProtocolError, Status, SubmissionError
from harness.evaluation.bench import Bench
from harness.evaluation.cell import failed
from harness.evaluation.launchers.base import Launcher, compute
from harness.evaluation.launchers.local import Local
from harness.evaluation.launchers.serial import Serial
from harness.evaluation.work import Work
from harness.tracking.record import CellRecord
from harness.tracking.runs import StoredCell

FAULTS = {
    1: (NothingToMeasure("On seed 1 all outputs are equally good."), Status.SKIPPED),
    2: (SubmissionError("too late", status=Status.TIMEOUT), Status.TIMEOUT),
    3: (HarnessError("the disk is full"), Status.HARNESS_ERROR),
    4: (RuntimeError("a bug"), Status.HARNESS_ERROR),
}


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench.ready(load_challenge("debugging_wine"), device="cpu")


@pytest.fixture(params=["serial", "local 1", "local 3"])
def launcher(request: pytest.FixtureRequest, bench: Bench) -> Launcher:
    name, _, workers = request.param.partition(" ")
    return Local([bench], int(workers)) if name == "local" else Serial()


@dataclass(frozen=True, eq=False)
class Faulty(Work):
    def compute(self) -> StoredCell:
        if self.seed in FAULTS:
            raise FAULTS[self.seed][0]
        return failed(self.seed, Status.OK, "")


def works(kind: type[Work], bench: Bench, count: int) -> list[Work]:
    return [kind(bench, "random", seed) for seed in range(count)]


def by_seed(ended: Iterator[tuple[Work, StoredCell]]) -> dict[int, CellRecord]:
    return {work.seed: stored.cell for work, stored in ended}


def test_every_fault_is_its_own_cell(launcher: Launcher, bench: Bench) -> None:
    stored = {work.seed: cell for work, cell in compute(works(Faulty, bench, 6), launcher)}
    assert sorted(stored) == list(range(6))
    for seed, of in stored.items():
        error, status = FAULTS.get(seed, (None, Status.OK))
        assert of.cell.seed == seed
        assert of.cell.status is status
        assert str(error or "") in of.cell.reason
    assert "Fault of the harness" in stored[4].cell.reason
    assert "Traceback" in stored[4].log
    assert "Traceback" not in stored[4].cell.reason


@dataclass(frozen=True, eq=False)
class Impossible(Work):
    def compute(self) -> StoredCell:
        raise ProtocolError("more rows wanted than there are", "Ask for fewer.")


def test_a_challenge_that_cannot_be_drawn_ends_the_run(launcher: Launcher, bench: Bench) -> None:
    with pytest.raises(ProtocolError, match=r"more rows wanted than there are Ask for fewer\."):
        list(compute(works(Impossible, bench, 3), launcher))


@dataclass(frozen=True, eq=False)
class Scored(Work):
    """A cell that is being scored when the whole process group, as by a terminal, gets Ctrl-C; later ones never begin."""

    def compute(self) -> StoredCell:
        if self.seed < 3:
            os.kill(os.getppid(), signal.SIGINT)
            deadline = time.monotonic() + 20
            while not sandbox.cancelled():
                assert time.monotonic() < deadline
                time.sleep(0.01)
            if self.seed == 0:
                return failed(self.seed, Status.OK, "")
        with self.bench.turn():
            raise AssertionError("nobody's turn comes any more")


def test_ctrl_c_lets_the_scoring_end_and_cancels_the_rest(bench: Bench) -> None:
    cells = by_seed(compute(works(Scored, bench, 5), Local([bench], 3)))
    assert [cells[seed].status for seed in range(5)] == [Status.OK, *[Status.CANCELLED] * 4]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert not sandbox.cancelled()


@dataclass(frozen=True, eq=False)
class Interrupting(Work):
    def compute(self) -> StoredCell:
        os.kill(os.getpid(), signal.SIGINT)
        with self.bench.turn():
            return failed(self.seed, Status.OK, "")


def test_ctrl_c_in_this_process(bench: Bench) -> None:
    cells = by_seed(compute(works(Interrupting, bench, 3), Serial()))
    assert [cells[seed].status for seed in range(3)] == [Status.CANCELLED] * 3
    assert not sandbox.cancelled()


def test_an_ignored_signal_stays_ignored(bench: Bench) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell does for a job in the background
    try:
        cells = by_seed(compute(works(Interrupting, bench, 2), Serial()))
        assert [cells[seed].status for seed in range(2)] == [Status.OK] * 2
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass(frozen=True, eq=False)
class Endless(Work):
    """A scoring that does not end."""

    def compute(self) -> StoredCell:
        if self.seed == 0:
            return failed(self.seed, Status.OK, "")
        time.sleep(600)
        raise AssertionError


def test_a_second_ctrl_c_does_not_wait_for_the_scoring(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.evaluation.launchers.base._TWICE", 0.5)
    monkeypatch.setattr("harness.evaluation.launchers.local._IMPATIENCE", 0.2)
    before, there = time.monotonic(), children()

    def twice() -> None:
        for seconds in (1.0, 0.1, 1.0):  # the second comes too soon after the first to be meant
            time.sleep(seconds)
            os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=twice).start()
    local = Local([bench], 2)
    with pytest.raises(KeyboardInterrupt):
        list(compute(works(Endless, bench, 3)[1:], local))
    assert time.monotonic() - before < 60
    assert children() == there


def test_who_stops_listening_ends_the_cells(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full, for example, ends the run; nobody waits for what is in flight."""
    monkeypatch.setattr("harness.evaluation.launchers.local._GRACE", 0.2)
    there = children()  # pytest's own helpers
    ended = compute(works(Endless, bench, 9), Local([bench], 2))
    with closing(ended):
        assert next(ended)[1].cell.seed == 0
        assert len(children()) == len(there) + 2
    assert children() == there


@dataclass(frozen=True, eq=False)
class Deadly(Work):
    """Cell 1 kills whoever computes it, cell 2 only the first who does."""

    folder: Path = Path()

    def compute(self) -> StoredCell:
        if self.seed == 1 or (self.seed == 2 and not (self.folder / "killed").exists()):
            (self.folder / "killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return failed(self.seed, Status.OK, "")


def test_a_worker_that_dies_takes_no_other_cell_with_it(bench: Bench, tmp_path: Path) -> None:
    cells = by_seed(compute([Deadly(bench, "random", seed, tmp_path) for seed in (0, 2, 1, 3, 4)], Local([bench], 2)))
    assert [cells[seed].status for seed in (0, 2, 3, 4)] == [Status.OK] * 4
    assert cells[1].status is Status.HARNESS_ERROR
    assert "died 3 times, the last time with SIGKILL (is memory short?)" in cells[1].reason


HEAD = """
import sys, time
from pathlib import Path
from tests.evaluation.test_launchers import Endless, Bench, Local, compute, load_challenge
bench = Bench.ready(load_challenge("debugging_wine"), device="cpu")
for work, stored in compute([Endless(bench, "random", seed) for seed in (0, 1, 2)], Local([bench], 2)):
    print("one", flush=True)
"""


def test_a_head_that_is_killed_leaves_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parents[2]
    head = subprocess.Popen(
        [sys.executable, "-c", f"import harness.evaluation.launchers.local as l; l._GRACE = .5\n{HEAD}"],
        stdout=subprocess.PIPE, text=True, cwd=root,
    )  # fmt: skip
    assert head.stdout
    assert head.stdout.readline() == "one\n"
    workers = children(head.pid)
    assert workers
    head.kill()
    head.wait()
    deadline = time.monotonic() + 30
    while alive := [pid for pid in workers if Path(f"/proc/{pid}").exists()]:
        assert time.monotonic() < deadline, alive
        time.sleep(0.05)


def children(parent: int | None = None) -> list[int]:
    """Processes that were started by this one, or by another."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == (parent or os.getpid()) and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return sorted(found)


@dataclass(frozen=True, eq=False)
class Threads(Work):
    """How many threads the cell's libraries have, those too that it loads, and how many cores the engine."""

    def compute(self) -> StoredCell:
        import sklearn.cluster  # noqa: F401 - brings an OpenMP of its own
        from threadpoolctl import threadpool_info

        from harness.models.backend import cores

        threads = {pool["num_threads"] for pool in threadpool_info()}
        return failed(self.seed, Status.OK, f"{threads} {cores()}")


def test_libraries_have_one_thread_and_the_engine_the_cores_that_are_left(bench: Bench) -> None:
    from harness.models.backend import cores

    for launcher, spread in ((Serial(), cores()), (Local([bench], 1), cores())):
        (cell,) = by_seed(compute(works(Threads, bench, 1), launcher)).values()
        assert cell.reason == f"{{1}} {spread}"
