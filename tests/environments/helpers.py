"""The harness as other people have it: another user id, another umask, other directories, another home."""

from __future__ import annotations

import json
import os
import shlex
import stat
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# All commands of a journey in one process, for what it imports takes longer than what it does.
_JOURNEY = """
import json, os, sys
os.umask(int(sys.argv[1], 8))
from harness.cli import main
codes = []
for words in json.loads(sys.argv[2]):
    codes.append(main(words))
    print("\\0", end="")
print(json.dumps(codes))
"""


@dataclass(frozen=True)
class Said:
    """How each command of a journey ended and what it printed; the errors of all of them."""

    codes: list[int]
    outs: list[str]
    err: str

    @property
    def out(self) -> str:
        """What all of them printed."""
        return "".join(self.outs)


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
    *outs, codes = done.stdout.split("\0")
    assert "internal error" not in done.stderr
    assert "Traceback" not in done.stderr
    return Said(json.loads(codes), outs, done.stderr)


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
    """What lets others enter interpreter and checkout where, as in a home of root's, they may not.

    In a mount namespace of its own a directory that only root enters is empty but for what the tests need of it.
    """
    needed = {path: _closed(path) for path in dict.fromkeys((Path(sys.base_prefix).resolve(), ROOT, Path(sys.prefix)))}
    hidden = {path: closed for path, closed in needed.items() if closed}
    if shut := [path for path in needed if not path.stat().st_mode & stat.S_IXOTH]:
        pytest.skip(f"others may not enter {shut[0]}")
    if below := [path for path in map(Path, filter(None, sys.path)) if _closed(path) and not _is_below(path, needed)]:
        pytest.skip(f"others may not enter {below[0]}")
    if not hidden:
        return []
    steps = []
    for number, path in enumerate(hidden):
        (place / f"needed{number}").mkdir(exist_ok=True)
        steps.append(["mount", "--rbind", str(path), f"{place}/needed{number}"])
    steps += [
        ["mount", "-t", "tmpfs", "-o", "mode=755", "none", str(closed)] for closed in dict.fromkeys(hidden.values())
    ]
    for number, path in enumerate(hidden):
        steps += [["mkdir", "-p", str(path)], ["mount", "--move", f"{place}/needed{number}", str(path)]]
    return ["unshare", "--mount", "sh", "-c", " && ".join([*map(shlex.join, steps), 'exec "$@"']), "sh"]


def _closed(path: Path) -> Path | None:
    """The topmost directory on the way to a path that others may not enter."""
    above = reversed(path.resolve().parents)
    return next((folder for folder in above if not folder.stat().st_mode & stat.S_IXOTH), None)


def _is_below(path: Path, folders: Iterable[Path]) -> bool:
    return any(path.resolve().is_relative_to(folder) for folder in folders)
