"""The order in which the runs of a sweep are begun."""

from __future__ import annotations

from pathlib import Path

from harness import load_challenge
from harness.evaluation.run import sweep
from harness.evaluation.session import Session
from harness.evaluation.sweep import Wanted
from harness.protocol.launch import SerialLaunch
from tests.conftest import Write

SLOW = "import time\ndef rank(task):\n    time.sleep(0.3)\n    return task.rng.permutation(len(task.y))\n"


def test_runs_with_the_longest_cells_begin_first(write_submission: Write, tmp_path: Path) -> None:
    """The first time nobody knows, so they begin as they were asked for; then by their records, whatever else is there."""
    folders = [
        write_submission(name, SLOW.replace("0.3", seconds)) for name, seconds in (("quick", "0"), ("slow", "0.3"))
    ]
    session = Session.open(load_challenge("debugging_wine", ["seeds=1"]), runs_dir=tmp_path / "runs", device="cpu")
    begun: list[str] = []
    for _ in range(2):
        wanted = [Wanted(session, folder) for folder in folders]
        list(sweep(wanted, SerialLaunch(), force=True, on_cell=lambda name, stored: begun.append(name)))
    assert [name for name in begun if not name.startswith("reference-")] == ["quick", "slow", "slow", "quick"]
