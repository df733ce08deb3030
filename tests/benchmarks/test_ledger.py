"""A ledger of 100,000 lines about 1,000 runs, a hundredth of them signed, beside a loop that checks digests alone.

``pytest tests/benchmarks/test_ledger.py --benchmark-only``: ``ratio`` is CPU time over that of the loop.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from harness.tracking import chain
from harness.tracking.ledger import Ledger
from harness.tracking.signature import Key
from tests.benchmarks.many_lines import make

LINES, RUNS = 100_000, 1_000
Made = tuple[Ledger, Key]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("ledger"), LINES, RUNS)


def the_loop(ledger: Ledger) -> None:
    previous = chain.START
    for line in ledger.path.read_bytes().splitlines(keepends=True):
        assert json.loads(line)["prev"] == previous
        previous = hashlib.sha256(line).hexdigest()


def verify(ledger: Ledger) -> None:
    assert ledger.verify() == []


def head(ledger: Ledger) -> None:
    assert ledger.head().lines == LINES


def cpu_seconds(act: Callable[[Ledger], Any], ledger: Ledger) -> float:
    started = time.process_time()
    act(ledger)
    return time.process_time() - started


READERS: dict[str, Callable[[Ledger], Any]] = {
    "the loop": the_loop,
    "read": Ledger.read,
    "verify": verify,
    "head": head,
}


@pytest.mark.benchmark(group="a ledger of 100,000 lines")
@pytest.mark.parametrize("name", READERS)
def test_reading(benchmark: Any, made: Made, name: str) -> None:
    benchmark.pedantic(READERS[name], args=(made[0],), rounds=3)
    loop, ours = (min(cpu_seconds(act, made[0]) for _ in range(3)) for act in (the_loop, READERS[name]))
    benchmark.extra_info |= {"cpu_seconds": ours, "ratio": ours / loop}


@pytest.mark.benchmark(group="a ledger of 100,000 lines")
def test_appending(benchmark: Any, made: Made) -> None:
    ledger, key = made
    benchmark.pedantic(lambda: ledger.append("publish", key=key), rounds=20)
