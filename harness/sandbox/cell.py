"""The temporary directory of one cell, gone when the cell is over; what a killed harness left is swept by the next."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import os
import shutil
import stat
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

from harness.sandbox import podman

PREFIX = "harness-cell-"
FOLDER = "submission"  # of a cell: its copy of what the participant handed in


class Cell:
    """A context manager: ``path`` with the folders ``in``, ``code``, ``out``, ``tmp`` and the empty folder ``empty``.

    As long as the harness lives it holds a lock on the file ``lock`` in it; a directory whose lock is free is litter.
    """

    def __init__(self) -> None:
        sweep()
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
        self._lock = os.open(self.path / "taking", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        (self.path / "taking").rename(self.path / "lock")
        for name in ("in", "code", "out", "tmp", "empty"):
            (self.path / name).mkdir()

    def __enter__(self) -> Cell:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if _remove_groups(self.path / "cgroups"):  # else what names them stays for the next harness's sweep
            remove(self.path)
        os.close(self._lock)

    def admit(self, folder: Path) -> Path:
        """A copy of a submission for this cell alone: its path tells nothing, and no other cell has its files open."""
        return Path(shutil.copytree(folder, self.path / FOLDER, symlinks=True, copy_function=shutil.copyfile))

    def note_cgroup(self, directory: Path) -> None:
        """Remember a cgroup, so that a sweep can remove it with the directory."""
        with (self.path / "cgroups").open("a") as file:
            file.write(f"{directory}\n")


def failure(error: OSError) -> tuple[str, str]:
    """Why a cell's directory cannot be made or filled, and what to set where there is no room for it."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    hint = f"Make room in {tempfile.gettempdir()}, or let TMPDIR name another directory." if full else ""
    return f"{error.strerror or error}.", hint


def remove(path: Path) -> None:
    """Delete a tree that a stranger may have filled: any depth, any number, any mode. The lock goes last."""
    try:
        for entry in list(path.iterdir()):
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
        shutil.rmtree(path)
    except (OSError, RecursionError):
        subprocess.run(["chmod", "-R", "u+rwX", "--", str(path)], check=False, capture_output=True)
        subprocess.run(["rm", "-rf", "--", str(path)], check=False, capture_output=True)


@functools.cache
def sweep() -> int:
    """Remove the directories and cgroups of harnesses that were killed; once per process. Returns how many."""
    removed = 0
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            info = path.lstat()
            if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.getuid():
                continue
            lock = os.open(path / "lock", os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:  # just being made or removed, or killed while being made
            if path.is_dir() and time.time() - info.st_mtime > 3600:
                remove(path)
            continue
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if (path / "podman").is_dir():
                podman.settle(path)
            if _remove_groups(path / "cgroups"):
                remove(path)
                removed += 1
        except OSError:
            pass  # its harness is alive
        finally:
            os.close(lock)
    return removed


def _remove_groups(noted: Path) -> bool:
    """Whether none of the control groups noted there is left."""
    groups = [Path(line) for line in (noted.read_text().splitlines() if noted.is_file() else [])]
    ours = [group for group in groups if group.name.startswith(PREFIX)]
    for group in ours:
        with contextlib.suppress(OSError):
            group.rmdir()
    return not any(map(Path.exists, ours))
