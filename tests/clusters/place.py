"""A head's command line, as a user starts it, and what became of its cells."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

SMALL = ["track.train=60", "track.validation=20", "track.test=200"]
SLOW = "import time\ndef rank(task):\n    time.sleep({seconds})\n    return task.rng.permutation(len(task.y))\n"
Head = subprocess.Popen[str]


def start(runs: Path, *words: str, environment: Mapping[str, str] | None = None) -> Head:
    """``harness run`` with its cells recorded in ``runs``."""
    line = [sys.executable, "-m", "harness", "run", f"runs_dir={runs}", *words]
    variables = {**(environment or os.environ), "OMP_NUM_THREADS": "1"}
    root = str(Path(__file__).parents[2])
    variables["PYTHONPATH"] = root
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=variables)


def ended(head: Head, code: int = 0, seconds: float = 240) -> str:
    """What it printed on stderr; it has to end with this status."""
    out, error = head.communicate(timeout=seconds)
    assert head.returncode == code, f"{head.returncode}\n{out}\n{error}"
    assert "Traceback" not in error, error
    return error


def results(runs: Path) -> list[dict[str, Any]]:
    """Rows of ``harness results``: what must be the same wherever cells were computed."""
    line = [sys.executable, "-m", "harness", "results", "--format", "json", "--runs-dir", str(runs)]
    rows: list[dict[str, Any]] = json.loads(subprocess.run(line, capture_output=True, text=True, check=True).stdout)
    return rows


def board(runs: Path, config: Path | None = None) -> str:
    """The boards of all its challenges, without what clocks and meters say."""
    out = runs / "boards"
    line = [sys.executable, "-m", "harness", "leaderboard", "--runs-dir", str(runs), "--out", str(out)]
    line += ["--config-dir", str(config)] if config else []
    subprocess.run(line, capture_output=True, text=True, check=True)
    return timeless(out)


def timeless(out: Path) -> str:
    """Boards that were written to a directory, without what clocks and meters say."""
    return json.dumps([_timeless(json.loads(path.read_text())) for path in sorted(out.glob("*.json"))], indent=1)


_CLOCKS = {
    "seconds", "scoring_seconds", "peak_memory_mb", "date", "record_sha256", "ledger", "signature", "files",
}  # fmt: skip


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _timeless(item) for key, item in value.items() if key not in _CLOCKS}
    return [_timeless(item) for item in value] if isinstance(value, list) else value


def kept(runs: Path, name: str = "slow") -> dict[str, int]:
    """When each finished cell of a submission was written, by its path."""
    return {str(path): path.stat().st_mtime_ns for path in runs.glob(f"*-{name}-*/cells/[0-9]*/cell.json")}


def until(true: Callable[[], Any], what: str, seconds: float = 120) -> None:
    """Wait for it."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)


def _waits_for_the_dead(process: Path, words: str) -> bool:
    """Whether it is a bubblewrap whose first half was killed before it had told the second to begin.

    The second waits for that word for ever, and nothing of a submission has run; bubblewrap's own, once in many kills.
    """
    try:
        status = (process / "status").read_text()
        children = (process / "task" / process.name / "children").read_text().split()
    except OSError:
        return False
    return words.startswith("/usr/bin/bwrap") and "\nPPid:\t1\n" in status and not children


def nothing_left(*marks: str) -> None:
    """No process has any of these words in its command line or directory any more."""

    def alive() -> list[str]:
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            if int(process.name) == os.getpid():
                continue
            try:
                words = process.joinpath("cmdline").read_bytes().decode(errors="replace")
                words += str((process / "cwd").readlink())
            except OSError:
                continue
            if _waits_for_the_dead(process, words):
                continue
            found += [f"{process.name} {words}" for mark in marks if mark in words]
        return found

    until(lambda: not alive(), f"an end of {alive()}", 30)


def interrupt(head: Head) -> None:
    """Ctrl-C."""
    head.send_signal(signal.SIGINT)
