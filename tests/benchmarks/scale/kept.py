"""What is kept, and what reading it costs: a ledger of a million lines, a board of 10,000 runs, 100 challenges' boards.

Each is measured in a process of its own, ``python -m tests.benchmarks.scale.kept NAME PLACE``, with a cache of its own, so
that nothing is known of the runs before.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

from harness.leaderboard import published
from harness.leaderboard.board import build
from harness.leaderboard.index import write_index
from harness.tracking.ledger import Ledger
from harness.tracking.runs import RunsDir
from tests.benchmarks import many_lines, many_runs
from tests.benchmarks.scale.places import ROOT, Result, cpu_with_children, disk, rounded, say
from tests.tracking.made import DATA, challenge, made_run

_SETTLED = 2.5  # seconds: only then is a file's outcome remembered


def ledger(place: Path, lines: int, runs: int) -> Result:
    """A ledger of so many lines about so many runs, verified."""
    folder = place / f"ledger-{lines}"
    if not folder.exists():
        folder.mkdir()
        many_lines.make(folder, lines, runs)
        say("ledger: made")
    found = {**_measured("ledger", folder), "lines": lines, "records": runs}
    found["bytes"] = Ledger(folder / "runs").path.stat().st_size
    say("ledger:", rounded(found))
    return dict(rounded(found))


def boards(place: Path, runs: int, challenges: int, rows: int) -> Result:
    """A board of so many runs, and boards of so many challenges with ``rows`` runs each; each from cells and unchanged."""
    one, many = place / f"made{runs}", place / f"made{challenges}x{rows}"
    if not one.exists():
        many_runs.make(one, runs)
    if not many.exists():
        make_challenges(many, challenges, rows)
    time.sleep(_SETTLED)
    found = {"one": {**_measured("board", one), "runs": runs, "bytes": disk(one, "*-run-1*")}}
    say("boards:", rounded(found["one"]))
    found["many"] = {**_measured("site", many), "challenges": challenges, "rows": rows}
    say("boards:", rounded(found["many"]))
    return dict(rounded(found))


def make_challenges(place: Path, challenges: int, rows: int) -> None:
    """Floor, skyline and ``rows`` submissions of each challenge, delivered."""
    with patch("os.fsync", lambda descriptor: None):  # nothing here is to survive a power cut
        for name in _names(challenges):
            made_run(place, "reference-random", 0.2, of=challenge(name))
            made_run(place, "reference-skyline", 0.99, of=challenge(name))
            for i in range(rows):
                made_run(place, f"run-{i}", 0.5 + 0.4 * i / rows, of=challenge(name))


def _names(challenges: int) -> list[str]:
    return [f"made{i:03}" for i in range(challenges)]


def _measured(name: str, folder: Path) -> Result:
    """What a process of its own says of it."""
    line = [sys.executable, "-m", "tests.benchmarks.scale.kept", name, str(folder)]
    cache = folder.with_name(f"{folder.name}-cache")
    subprocess.run(["rm", "-rf", str(cache)], check=True)
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(line, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"scale: {' '.join(line)} failed:\n{done.stderr[-3000:]}")
    found: Result = json.loads(done.stdout.splitlines()[-1])
    return found


def _clocked(act: Callable[[], Any]) -> Result:
    """Wall, and CPU with that of processes which it started and ended."""
    wall, cpu = time.perf_counter(), cpu_with_children()
    act()
    return {"wall": time.perf_counter() - wall, "cpu": cpu_with_children() - cpu}


def _verify(folder: Path) -> Result:
    def act() -> None:
        assert Ledger(folder / "runs").verify() == []

    return {"verify": _clocked(act)}


def _board(folder: Path) -> Result:
    runs = len(RunsDir(folder).run_ids())

    def act() -> None:
        assert len(build(challenge(), DATA, folder).ranked) == runs - 2

    list_runs = _clocked(lambda: RunsDir(folder).run_ids())
    return {"first": _clocked(act), "again": _clocked(act), "list_runs": list_runs}


def _site(folder: Path) -> Result:
    names = sorted({RunsDir(folder).load_record(run_id).challenge for run_id in RunsDir(folder).run_ids()})
    out, told = folder / "boards", Ledger(folder)

    def act() -> None:
        for name in names:
            board = build(challenge(name), DATA, folder)
            published.protect(board, out, told, None)
            published.announce(board, published.write_board(board, out)[-1], told, None)
        write_index(out)

    return {"first": _clocked(act), "again": _clocked(act)}


if __name__ == "__main__":
    measure = {"ledger": _verify, "board": _board, "site": _site}[sys.argv[1]]
    result = measure(Path(sys.argv[2]))
    print(json.dumps({**result, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3}))
