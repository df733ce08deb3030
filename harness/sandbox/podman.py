"""Podman as a program: where it is, what it gets, and what is to be tidied up after it. See container.py."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
from pathlib import Path

CONF, MONITOR, _PAUSE = "podman/containers.conf", "podman/conmon.pid", "podman/state/pause.pid"
_PATIENCE = 10.0  # seconds Podman may take to tidy up after a container


def installed() -> str:
    """Path of the program, as this harness's own PATH finds it; empty where there is none."""
    return shutil.which("podman") or ""


def environment(cell: Path) -> dict[str, str]:
    """What Podman itself, outside, gets."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "XDG_RUNTIME_DIR") if name in os.environ}
    return kept | {"CONTAINERS_CONF": str(cell / CONF)}


def program(cell: Path) -> list[str]:
    """Podman with all that it keeps inside the cell."""
    line = [installed(), "--log-level", "error", "--storage-driver", "vfs"]
    for option, name in (("--root", "store"), ("--runroot", "run"), ("--tmpdir", "state")):
        line += [option, str(cell / "podman" / name)]
    return line


def settle(cell: Path) -> bool:
    """Wait until the monitor of a cell's container has ended, then end and remove what else Podman leaves.

    False if the monitor does not end. Without root, Podman leaves a process that keeps its user namespace, and files
    of users that exist only there.
    """
    ended = True
    with contextlib.suppress(OSError, ValueError):
        pid = int((cell / MONITOR).read_text())
        if os.fsencode(cell) in Path(f"/proc/{pid}/cmdline").read_bytes():  # else that was long ago
            monitor = os.pidfd_open(pid)
            ended = bool(select.select([monitor], [], [], _PATIENCE)[0])
            os.close(monitor)
    if os.getuid() != 0 and installed():
        rubbish = [str(cell / name) for name in ("podman/store", "podman/run", "root")]
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(
                [*program(cell), "unshare", "rm", "-rf", "--", *rubbish],
                env=environment(cell),
                timeout=_PATIENCE,
                capture_output=True,
                start_new_session=True,
                check=False,
            )
        with contextlib.suppress(OSError, ValueError):
            pid = int((cell / _PAUSE).read_text())
            if Path(f"/proc/{pid}/exe").readlink().name in ("podman", "catatonit"):
                os.kill(pid, signal.SIGKILL)
    return ended
