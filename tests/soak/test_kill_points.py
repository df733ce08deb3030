"""A kill between any two steps of recording a run: the next run, or the next board, puts it right."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from harness import evaluate, load_challenge
from harness.errors import Status
from harness.leaderboard.board import build
from harness.tracking import delivery, ledger
from tests.soak.place import NAME, placed

DIE_AT = """
import os, signal, sys
from importlib import import_module
module, _, name = sys.argv.pop(1).rpartition(".")
place = import_module(module)
before = getattr(place, name)
def dying(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)
setattr(place, name, dying)
from harness import load_challenge
from harness import evaluate
evaluate(load_challenge("soak", config_dir=sys.argv[1]), sys.argv[2], runs_dir=sys.argv[3])
"""
POINTS = [
    "harness.tracking.runs.sync_directory",  # the first copy, cell or record is in place, but not yet on the disk
    "harness.tracking.runs.write_json_atomic",  # plots are there, the record is not
    "harness.tracking.ledger.append",  # the record is there, the ledger has no line
    "harness.tracking.delivery.deliver",  # the ledger has a line, MLflow no run
    "harness.tracking.description.metrics",  # MLflow has a run without its metrics
]


@pytest.mark.parametrize(
    ("point", "sync_first"), [*((p, False) for p in POINTS), ("harness.tracking.ledger.append", True)]
)
def test_a_kill_while_a_run_is_recorded(point: str, sync_first: bool) -> None:
    with placed() as place:
        folder = place.submission("quick", "def rank(task):\n    return [0]\n")
        runs = place.path / "runs"
        arguments = [point, str(place.path), str(folder), str(runs)]
        environment = {**os.environ, "TMPDIR": str(place.tmp)}
        dead = subprocess.run([sys.executable, "-c", DIE_AT, *arguments], env=environment, capture_output=True)
        assert dead.returncode == -signal.SIGKILL, dead.stderr.decode()
        if sync_first:
            delivery.sync(runs)
        challenge = load_challenge(NAME, config_dir=place.path)
        record = evaluate(challenge, folder, runs_dir=runs)
        assert record.status is Status.OK
        assert ledger.verify(runs) == []
        assert delivery.undelivered(runs) == []
        board = build(challenge, next(iter(record.data_digests.values())), runs)
        assert [row.submission for row in board.ranked] == ["quick"]
        assert len(board.references) == 2
        assert [entry.run_id for entry in ledger.read(runs)].count(record.run_id) == 1
        left = place.leftovers(runs)
        assert not any(left.values()), left
