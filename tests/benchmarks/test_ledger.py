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
from harness.tracking.signature import Key, new_key

LINES, RUNS = 100_000, 1_000
Made = tuple[Ledger, Key]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    place = tmp_path_factory.mktemp("ledger")
    key, _ = new_key(place / "k.pem")
    runs = place / "runs"
    names = [f"challenge-submission-{i:012x}" for i in range(RUNS)]
    content = json.dumps({"text": "x" * 8000}).encode()  # about as long as a record
    for name in names:
        (runs / name).mkdir(parents=True)
        (runs / name / "record.json").write_bytes(content)
    digest, before = hashlib.sha256(content).hexdigest(), None
    with (runs / "ledger.jsonl").open("wb") as file:
        for i in range(LINES):
            kind = "key" if i == 0 else "release" if i % 100 == 0 else "run"
            named = {"key": key.public} if i == 0 else {"run_id": names[i % RUNS], "record_sha256": digest}
            if kind == "release":
                named["run_id"] = names[1]
            entry = chain.following(before, key, kind=kind, who="somebody", **named)
            before = chain.Line(entry, entry.line())
            file.write(before.content)
    for i in range(0, RUNS, 100):  # their lines became those of key and releases
        (runs / names[i] / "record.json").unlink()
    return Ledger(runs), key


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
