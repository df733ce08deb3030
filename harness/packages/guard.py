"""Run pip so that it can start no other process: nothing that somebody packed is built, whatever a wheel points at.

``--only-binary`` speaks of what an index offers; a wheel may also name a dependency by its address, which pip would
build. Every build runs in a process of its own, so here none starts. Standard library only; run as
``python -P guard.py install ...``.
"""

from __future__ import annotations

import ctypes
import runpy
import signal
import sys
from typing import Any

REFUSED = "packages are installed from wheels alone, so no other program is started"
_PR_SET_PDEATHSIG = 1
_STARTS = ("subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn")


def refuse(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook: PermissionError before a process starts. The user's own keyring may be asked for a password."""
    if event in _STARTS and str(arguments[0] if arguments else "").rpartition("/")[2] != "keyring":
        raise PermissionError(REFUSED)


if __name__ == "__main__":
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # nobody watches it once the harness has died
    sys.addaudithook(refuse)
    runpy.run_module("pip", run_name="__main__", alter_sys=True)
