"""The harness as other people have it: another user id, another umask, other directories, another home."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

# All commands of a journey in one process, for what it imports takes longer than what it does.
_JOURNEY = """
import json, os, sys
os.umask(int(sys.argv[1], 8))
from harness.cli import main
codes = [main(words) for words in json.loads(sys.argv[2])]
print("\\n" + json.dumps(codes))
"""
# Makes a directory that only root enters one of this mount namespace alone, empty but for what the tests need of it.
_OPEN = """
closed=$1 needed=$2 kept=$3; shift 3
mount --bind "$needed" "$kept" && mount -t tmpfs -o mode=755 none "$closed" &&
mkdir -p "$needed" && mount --move "$kept" "$needed" && exec "$@"
"""


@dataclass(frozen=True)
class Said:
    """How each command of a journey ended, and what all of them printed."""

    codes: list[int]
    out: str
    err: str


def journey(
    *commands: Sequence[str],
    cwd: Path,
    prefix: Sequence[str] = (),
    umask: int = 0o022,
    **variables: str | None,
) -> Said:
    """Run harness commands one after another in a fresh process; a variable that is None is not set."""
    line = [*prefix, sys.executable, "-c", _JOURNEY, f"{umask:o}", json.dumps(commands)]
    done = subprocess.run(
        line, env=_environment(variables), cwd=cwd, capture_output=True, encoding="utf-8", errors="replace", check=False
    )
    assert done.returncode == 0, done.stderr
    out, _, codes = done.stdout.rstrip().rpartition("\n")
    assert "internal error" not in done.stderr
    assert "Traceback" not in done.stderr
    return Said(json.loads(codes), out, done.stderr)


def _environment(variables: Mapping[str, str | None]) -> dict[str, str]:
    changed = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1", **variables}
    left = {name: value for name, value in os.environ.items() if name not in changed}
    return left | {name: value for name, value in changed.items() if value is not None}


def stranger(uid: int, place: Path, *groups: int) -> list[str]:
    """What starts a command as a user id without an entry in the table of users; skips where this is not root."""
    if os.getuid() != 0:
        pytest.skip("only root can run as another user")
    found = ["--groups", ",".join(map(str, groups))] if groups else ["--clear-groups"]
    return [*_opened(place), "setpriv", "--reuid", str(uid), "--regid", str(uid), *found]


def _opened(place: Path) -> list[str]:
    """What lets others enter the interpreter's directory where, as in a home of root's, they may not."""
    needed = Path(sys.base_prefix).resolve()
    closed = [folder for folder in reversed(needed.parents) if not folder.stat().st_mode & stat.S_IXOTH]
    if not closed:
        return []
    if below := [path for path in filter(None, sys.path) if _is_below(path, closed[0], needed)]:
        pytest.skip(f"others may not enter {below[0]}")
    kept = place / "interpreter"
    kept.mkdir(exist_ok=True)
    return ["unshare", "--mount", "sh", "-c", _OPEN, "sh", str(closed[0]), str(needed), str(kept)]


def _is_below(path: str, closed: Path, needed: Path) -> bool:
    return Path(path).resolve().is_relative_to(closed) and not Path(path).resolve().is_relative_to(needed)
