"""The container tier: Docker or Podman without network, read-only, without capabilities. Optional."""

from __future__ import annotations

import shutil
import subprocess


def engine() -> str | None:
    """``podman`` or ``docker``, whichever is installed."""
    return next((name for name in ("podman", "docker") if shutil.which(name)), None)


def probe() -> tuple[bool, str]:
    """Whether the tier works, and why not."""
    name = engine()
    if name is None:
        return False, "neither podman nor docker is installed (optional)"
    try:
        done = subprocess.run([name, "info"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False, f"{name} does not answer"
    if done.returncode:
        return False, f"{name} is installed, but its engine does not run: {' '.join(done.stderr.split())[:200]}"
    return False, f"{name} runs, but this version of the harness does not use it yet"
