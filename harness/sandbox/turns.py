"""Which cells may run beside others on this machine, and which wait until they are alone.

Cells of a challenge with a kept secret never overlap in time: its seeds share rows, so that what one cell is shown
another's is asked for, and two programs that run at once can always tell each other a little, by the load they make if
by nothing else. Neither do cells under Landlock, which share a file system. What is hidden in a challenge whose secret is
open anybody can draw again, so its cells may run side by side.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

_LOOK = 0.01  # seconds between two looks at whether it is one's turn


def _place() -> Path:
    """One directory for all harnesses of this machine, whatever their TMPDIR."""
    shared = Path("/dev/shm")
    return shared if os.access(shared, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())


def must_be_alone(tier: str, kept_secret: bool, gpu: bool) -> bool:
    """Whether a cell may not overlap with any other in time; a GPU's driver needs calls that others must not see."""
    return tier == "landlock" or kept_secret or gpu


@contextlib.contextmanager
def turn(alone: bool, stopped: Callable[[], None]) -> Iterator[None]:
    """Wait for one's turn among all cells that this user runs on this machine, in whatever process, and hold it.

    Parameters
    ----------
    alone: no other cell runs meanwhile; else only those that have to be alone are kept out.
    stopped: called while waiting; raises to give up.

    The two empty files it takes turns on stay: whoever took one away could let two in at once. Raises OSError where they
    cannot be made.
    """
    with _locked("gate", alone, stopped) as gate, _locked("cells", alone, stopped):
        os.close(gate.pop())  # the gate keeps those who come later from overtaking one who waits to be alone
        yield


@contextlib.contextmanager
def device(stopped: Callable[[], None]) -> Iterator[None]:
    """Wait for one's turn at the GPU, among all processes of this user on this machine; ``stopped`` as for :func:`turn`."""
    with _locked("device", True, stopped):
        yield


@contextlib.contextmanager
def _locked(name: str, alone: bool, stopped: Callable[[], None]) -> Iterator[list[int]]:
    path = _place() / f"harness-{name}-{os.getuid()}.lock"
    held = [os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)]
    try:
        while True:
            try:
                fcntl.flock(held[0], (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                stopped()
                time.sleep(_LOOK)
        yield held
    finally:
        for fd in held:
            os.close(fd)
