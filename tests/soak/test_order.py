"""One worker or four, submissions in one order or the other: same scores, same board, to the last byte.

What a run costs (seconds, memory), when it was made, and in which order the ledger names them differ between any two and
are shown on the board; they are held still here, so that everything else can be compared as bytes.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness import sandbox
from harness.evaluation.run import run_submission
from harness.evaluation.session import Session
from harness.leaderboard.board import build
from harness.leaderboard.published import write_board
from harness.protocol.compose import load_challenge
from harness.sandbox.base import Job, Outcome
from tests.soak.place import NAME, Place, placed

FAILS = "def rank(task):\n    raise ValueError('a reason')\n"
IN_ORDER = "import numpy\ndef rank(task):\n    return numpy.arange(len(task.y))\n"


def boards(place: Place, where: str, submissions: list[str], workers: int) -> dict[str, bytes]:
    """All files of the board after running these submissions in this order."""
    challenge = load_challenge(NAME, config_dir=place.path)
    session = Session.open(challenge, runs_dir=place.path / where, device="cpu")
    for submission in submissions:
        run_submission(session, submission, workers=workers)
    board = build(challenge, session.data_digest, place.path / where)
    assert len(board.ranked) == 3
    assert len(board.references) == 2
    assert len(board.unranked) == 1
    board = replace(board, ledger={**board.ledger, "sha256": "", "first": ""})  # its lines are in the order of the runs
    written = write_board(board, place.path / f"{where}-boards")
    return {path.name: path.read_bytes() for path in written}


def test_workers_and_order_change_no_byte_of_the_board(monkeypatch: pytest.MonkeyPatch) -> None:
    run = sandbox.run

    def free_of_charge(job: Job, tier: str) -> Outcome:
        return replace(run(job, tier), seconds=1.0, peak_memory_mb=10.0)

    clock = SimpleNamespace(perf_counter=lambda: 0.0)
    today = SimpleNamespace(now=lambda zone: datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    monkeypatch.setattr(sys.modules["harness.evaluation.cell"], "sandbox", SimpleNamespace(run=free_of_charge))
    monkeypatch.setattr(sys.modules["harness.evaluation.cell"], "time", clock)
    monkeypatch.setattr(sys.modules["harness.evaluation.summary"], "datetime", today)
    with placed() as place:
        mine = [str(place.submission("fails", FAILS)), str(place.submission("in_order", IN_ORDER))]
        names = ["random", "knn_shapley", *mine]
        one = boards(place, "one", names, workers=1)
        four = boards(place, "four", names[::-1], workers=4)
        left = place.leftovers(place.path / "four")
    assert {Path(name).suffix for name in one} >= {".md", ".csv", ".json", ".html"}
    assert one == four
    assert not any(left.values()), left
