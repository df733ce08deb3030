"""kill -9 at random moments of a run, start it again, compare record and board with those of an undisturbed run."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.leaderboard.board import build
from harness.protocol.compose import load_challenge
from tests.soak.place import NAME, Place, placed, watched

_SOURCE = "def rank(task):\n    return task.rng.permutation(len(task.y))\n"
_COST = {"seconds", "scoring_seconds", "peak_memory_mb", "date", "created"}  # what two runs need not have in common


@dataclass
class Kills:
    """What came of killing: all counts over all kills."""

    kills: int = 0
    seed: int = 0
    undisturbed_seconds: float = 0.0
    moments: list[float] = field(default_factory=list)  # seconds after the start
    ended_before: int = 0  # of the moments: the run had ended (the machine is less busy now); drawn again
    cells_finished: int = 0  # when the kill came
    cells_in_flight: int = 0
    most_in_flight: int = 0  # at one kill
    finished_cells_lost: int = 0  # run again although they had finished
    orphans: int = 0  # processes alive 5 seconds after the kill
    restarts_failed: int = 0
    records_differ: int = 0
    boards_differ: int = 0
    leftovers: dict[str, int] = field(default_factory=dict)  # after the restart
    problems: list[str] = field(default_factory=list)

    @property
    def fine(self) -> bool:
        bad = (self.finished_cells_lost, self.orphans, self.restarts_failed, self.records_differ, self.boards_differ)
        return not any((*bad, *self.leftovers.values()))

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"fine": self.fine}


def kill_often(kills: int, *, seed: int = 0, said: Callable[[str], None] = lambda text: None) -> Kills:
    """Kill ``kills`` runs before they end, each in a runs directory of its own, at moments drawn from ``seed``."""
    found = Kills(kills=kills, seed=seed)
    rng = random.Random(seed)
    with placed() as place:
        folder = place.submission("quick", _SOURCE)
        _start(place, folder, place.path / "warm").wait()  # caches that the first run of all makes
        began = time.monotonic()
        calm = _start(place, folder, place.path / "calm")
        assert calm.wait() == 0, calm.stderr.read() if calm.stderr else ""
        found.undisturbed_seconds = time.monotonic() - began
        expected = _record(place.path / "calm"), _board(place, place.path / "calm")
        while (number := len(found.moments) - found.ended_before) < kills and found.ended_before <= kills:
            moment = rng.uniform(0, found.undisturbed_seconds)
            runs = place.path / f"runs{len(found.moments)}"
            with watched(place):
                _kill_one(place, folder, runs, moment, expected, found)
            said(f"kill {number + 1} of {kills} after {moment:.2f} s: {len(found.problems)} problems so far")
            shutil.rmtree(runs, ignore_errors=True)
    return found


def _kill_one(
    place: Place, folder: Path, runs: Path, moment: float, expected: tuple[object, object], found: Kills
) -> None:
    def problem(what: str) -> None:
        found.problems.append(f"kill after {moment:.3f} s: {what}")

    process = _start(place, folder, runs)
    time.sleep(moment)
    found.moments.append(round(moment, 3))
    found.ended_before += process.poll() is not None
    in_flight = len(place.look()) if process.poll() is None else 0
    process.send_signal(signal.SIGKILL)
    process.communicate()
    finished = _finished(runs)
    found.cells_finished += len(finished)
    found.cells_in_flight += in_flight
    found.most_in_flight = max(found.most_in_flight, in_flight)
    left = place.leftovers()
    if left["processes"] or left["mounts"]:
        found.orphans += 1
        problem(f"alive after the kill: {left['processes'] + left['mounts']}")

    again = _start(place, folder, runs)
    _, error = again.communicate()
    if again.returncode != 0 or "Traceback" in error:
        found.restarts_failed += 1
        problem(f"the restart ended with {again.returncode}: {error}")
        return
    now = _finished(runs)
    lost = [path for path, when in finished.items() if now.get(path) != when]
    found.finished_cells_lost += len(lost)
    if lost:
        problem(f"finished cells were run again: {lost}")
    try:
        record, board = _record(runs), _board(place, runs)
    except Exception as error:  # noqa: BLE001 - reported, whatever it is
        found.boards_differ += 1
        problem(f"no board: {error}")
        return
    if record != expected[0]:
        found.records_differ += 1
        problem("the record differs from that of an undisturbed run")
    if board != expected[1]:
        found.boards_differ += 1
        problem("the board differs from that of an undisturbed run")
    for kind, names in place.leftovers(runs).items():
        found.leftovers[kind] = found.leftovers.get(kind, 0) + len(names)
        if names:
            problem(f"{kind} left: {names[:5]}")


def _start(place: Place, folder: Path, runs: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "harness", "run", f"challenge={NAME}", f"submission={folder}", f"runs_dir={runs}"]
    return subprocess.Popen(
        [*command, "--config-dir", str(place.path)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(place.tmp), "OMP_NUM_THREADS": "1"},
    )


def _finished(runs: Path) -> dict[str, tuple[int, int]]:
    """Finished cells -> which file it is and when it was written."""
    stats = {path: path.stat() for path in runs.glob("*/cells/[0-9]*/cell.json")}
    return {str(path.relative_to(runs)): (info.st_ino, info.st_mtime_ns) for path, info in stats.items()}


def _record(runs: Path) -> object:
    """All records of a runs directory without what two runs need not have in common."""
    return [_comparable(json.loads(path.read_text())) for path in sorted(runs.glob("*/record.json"))]


def _board(place: Place, runs: Path) -> object:
    challenge = load_challenge(NAME, config_dir=place.path)
    board = build(challenge, challenge.load_dataset().digest(), runs)
    assert [row.submission for row in board.ranked] == ["quick"]
    return _comparable(board.as_dict())


def _comparable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _comparable(item) for key, item in value.items() if key not in _COST}
    return [_comparable(item) for item in value] if isinstance(value, list | tuple) else value
