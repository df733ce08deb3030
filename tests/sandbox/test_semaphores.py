"""Semaphores of pipes against those of the operating system, and what multiprocessing builds on them inside a cell."""

from __future__ import annotations

import _multiprocessing  # type: ignore[import-not-found]  # typeshed does not know it
import multiprocessing as mp
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.errors import Status
from harness.sandbox import run
from harness.sandbox.inside.semaphores import SemLock, sem_unlink
from tests.sandbox.helpers import TIERS, job

KINDS = {"ours": SemLock, "the system's": _multiprocessing.SemLock}
UNLINK = {"ours": sem_unlink, "the system's": _multiprocessing.sem_unlink}


@pytest.fixture(params=KINDS)
def made(request: pytest.FixtureRequest) -> Callable[[int, int, int], Any]:
    """(kind, value, maxvalue) -> a semaphore; every test holds for both implementations."""
    count = iter(range(100))

    def make(kind: int, value: int, maxvalue: int) -> Any:
        return KINDS[request.param](kind, value, maxvalue, f"/harness-test-{time.time_ns()}-{next(count)}", True)

    return make


def test_a_semaphore_counts(made: Any) -> None:
    lock = made(1, 2, 2)
    assert [lock.acquire(False) for _ in range(3)] == [True, True, False]
    assert (lock._get_value(), lock._is_zero(), lock._count()) == (0, True, 2)
    lock.release()
    lock.release()
    assert lock._get_value() == 2
    with pytest.raises(ValueError, match="released too many times"):
        lock.release()


def test_waiting_ends_when_the_time_is_over(made: Any) -> None:
    lock = made(1, 0, 1)
    began = time.monotonic()
    assert lock.acquire(True, 0.2) is False
    assert 0.15 < time.monotonic() - began < 5
    assert lock.acquire(True, -1) is False


def test_a_mutex_is_its_owners(made: Any) -> None:
    lock = made(0, 1, 1)
    assert lock.acquire()
    assert lock.acquire()
    assert (lock._count(), lock._is_mine()) == (2, True)
    said: list[object] = []

    def other() -> None:
        said.append(lock.acquire(False))
        try:
            lock.release()
        except AssertionError as error:
            said.append(str(error))

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert said == [False, "attempt to release recursive lock not owned by thread"]
    lock.release()
    assert lock._count() == 1
    lock.release()
    assert lock._get_value() == 1


def test_names_are_taken_once_and_shared() -> None:
    for which, kind in KINDS.items():
        name = f"/harness-test-{time.time_ns()}"
        first = kind(1, 0, 5, name, False)
        with pytest.raises(FileExistsError):
            kind(1, 0, 5, name, False)
        again = kind._rebuild(first.handle, first.kind, first.maxvalue, first.name)
        again.release()
        assert first.acquire(False)
        UNLINK[which](name)
        with pytest.raises(FileNotFoundError):
            UNLINK[which](name)


def _take(lock: Any, counter: Any) -> None:
    for _ in range(200):
        with lock:
            counter.value += 1


def test_processes_exclude_each_other() -> None:
    """Four processes add 200 each under the lock; none is lost."""
    lock = SemLock(1, 1, 1, f"/harness-test-{time.time_ns()}", True)
    counter = mp.get_context("fork").Value("i", 0, lock=False)
    processes = [mp.get_context("fork").Process(target=_take, args=(lock, counter)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert counter.value == 800


SOURCE = """
import multiprocessing as mp
from concurrent.futures import ProcessPoolExecutor

def square(i):
    return i * i

def put(queue):
    queue.put(3)

def select(task):
    with mp.get_context("fork").Pool(3) as pool:
        assert pool.map(square, range(40), chunksize=1) == [i * i for i in range(40)]
    with ProcessPoolExecutor(3) as pool:
        assert list(pool.map(square, range(20))) == [i * i for i in range(20)]
    queue = mp.Queue()
    other = mp.Process(target=put, args=(queue,))
    other.start()
    assert queue.get(timeout=10) == 3
    other.join()
    lock, event = mp.Lock(), mp.Event()
    assert lock.acquire() and not lock.acquire(timeout=0.1) and not event.wait(0.1)
    return [3]
"""


@pytest.mark.parametrize("tier", TIERS)
def test_multiprocessing_works_inside(tier: str, tmp_path: Path) -> None:
    outcome = run(job(tmp_path / "submission", SOURCE), tier)
    assert outcome.status is Status.OK, outcome.log
    assert outcome.arrays is not None
    assert outcome.arrays["indices"].tolist() == [3]
