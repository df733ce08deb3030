"""Temporary directories that are too small, and a kernel that gives no user namespaces."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .helpers import journey

# A cell whose view is larger than the directory for temporary files.
_TOO_LARGE = """
import sys
from pathlib import Path
import numpy as np
from harness.sandbox import run
from harness.tracks.base import View
from tests.sandbox.helpers import job
arrays = {"X": np.zeros((1000, 2000), dtype=np.float32), "y": np.zeros(1000, dtype=np.int64)}
folder = Path(sys.argv[1])
said = run(job(folder, "def select(task): return [0]", shown=View(arrays, {"budget": 1, "n_classes": 2})), "none")
print(said.status, said.reason)
"""


def _unshared(*options: str) -> list[str]:
    """What starts a command with mounts, or a user namespace, of its own; skips where that cannot be had."""
    line = ["unshare", "--mount", *([] if os.getuid() == 0 else ["--map-root-user"]), *options]
    if subprocess.run([*line, "true"], capture_output=True, check=False).returncode:
        pytest.skip("mounts of one's own cannot be had here")
    return line


def _small(folder: Path, size: str) -> list[str]:
    folder.mkdir()
    mount = 'mount -t tmpfs -o size="$1" none "$2" && shift 2 && exec "$@"'
    return [*_unshared(), "sh", "-c", mount, "sh", size, str(folder)]


def test_no_room_for_temporary_files_names_tmpdir(place: Path) -> None:
    small = place / "small"
    said = journey(
        ["doctor"],
        ["run", "challenge=debugging_wine", "submission=random", "seeds=1"],
        ["list", "challenges"],
        cwd=place,
        prefix=_small(small, "16k"),
        TMPDIR=str(small),
    )
    assert said.codes == [1, 1, 0], said.err
    assert said.err.count(f"Make room in {small}, or let TMPDIR name another directory.") == 2
    assert not (place / "runs").exists()


def test_a_view_that_does_not_fit_is_nobodys_fault_and_names_tmpdir(place: Path) -> None:
    small = place / "small"
    environment = os.environ | {"TMPDIR": str(small), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [*_small(small, "4m"), sys.executable, "-W", "ignore", "-c", _TOO_LARGE, str(place / "submission")],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.startswith("harness_error The sandbox could not be set up: No space left on device."), (
        done.stderr
    )
    assert f"Make room in {small}, or let TMPDIR name another directory." in done.stdout


def test_without_user_namespaces_landlock_takes_over(place: Path) -> None:
    """In a user namespace in which no further one may be made."""
    forbid = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'
    said = journey(
        ["doctor"],
        ["run", "challenge=debugging_wine", "submission=random", "seeds=1"],
        cwd=place,
        prefix=[*_unshared("--map-root-user"), "sh", "-c", forbid, "sh"],
    )
    assert "user.max_user_namespaces" in said.out
    assert "(landlock, cpu)" in said.out or "No isolation tier that this run may use works here" in said.err
    assert said.codes in ([0, 0], [0, 2]), said.err
