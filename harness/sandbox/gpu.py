"""A GPU inside a cell, where the challenge grants it (``limits.gpu``): which nodes, whose turn, who else is there.

One device, the first; only bubblewrap hands it in. The worker asserts that the driver sees it, since libraries fall
back to the CPU in silence.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from pathlib import Path

from harness.errors import ProtocolError
from harness.sandbox.inside.launcher import descendants

DEV = Path("/dev")
_SHARED = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-caps")


def nodes() -> list[str]:
    """Device nodes of the first NVIDIA GPU and those that all share; none where a needed one is missing."""
    cards = sorted(int(path.name[6:]) for path in DEV.glob("nvidia*") if re.fullmatch(r"nvidia\d+", path.name))
    if not cards or not all((DEV / name).exists() for name in ("nvidiactl", "nvidia-uvm")):
        return []
    return [str(DEV / name) for name in (f"nvidia{cards[0]}", *_SHARED) if (DEV / name).exists()]


def options() -> list[str]:
    """What bubblewrap needs besides: the nodes, the devices' description in /sys (without control groups), one device."""
    line = [word for node in nodes() for word in ("--dev-bind", node, node)]
    line += ["--ro-bind", "/sys", "/sys", "--tmpfs", "/sys/fs/cgroup", "--remount-ro", "/sys/fs/cgroup"]
    return [*line, "--setenv", "CUDA_VISIBLE_DEVICES", "0"]


def require(tier: str) -> None:
    """Raises ProtocolError where a challenge that grants a GPU cannot be run on this machine or this tier."""
    if not nodes():
        raise ProtocolError(
            "This challenge grants submissions a GPU (limits.gpu), and this machine has no NVIDIA device with its "
            f"driver loaded (no {DEV}/nvidia0, nvidiactl and nvidia-uvm).",
            "Run it on a machine that has one; with limits.gpu=false it is another challenge, whose runs never join "
            "its board.",
        )
    if tier not in ("bubblewrap", "none"):
        raise ProtocolError(
            f"This challenge grants submissions a GPU (limits.gpu), which the isolation tier {tier!r} cannot hand in.",
            "Run with sandbox.tier=bubblewrap.",
        )


def foreign() -> str:
    """Who else computes on a GPU, e.g. ``"4711 python, 4712 Xorg"``: neither this process nor those below it.

    Where nvidia-smi is missing or fails, that is what is returned.
    """
    program = shutil.which("nvidia-smi")
    if program is None:
        return "unknown (nvidia-smi is not installed)"
    query = [program, "--query-compute-apps=pid,process_name", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True, start_new_session=True)
    except (OSError, subprocess.SubprocessError) as error:
        return f"unknown (nvidia-smi: {error})"
    found = {}
    for line in done.stdout.splitlines():
        pid, _, name = line.partition(",")
        with contextlib.suppress(ValueError):
            found[int(pid)] = name.strip()
    own = {os.getpid(), *descendants(os.getpid())}
    return ", ".join(f"{pid} {name}" for pid, name in sorted(found.items()) if pid not in own)
