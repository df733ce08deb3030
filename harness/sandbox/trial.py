"""Trying a tier: a process is started behind its walls and tells what it can still reach."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess

from harness.sandbox import container, podman, walls
from harness.sandbox.base import Limits
from harness.sandbox.cell import Cell

RUNTIMES = ("crun", "runc")  # Podman's own first choice first; old ones of either fail on some control groups


@functools.cache
def trials() -> dict[str, str]:
    """OCI runtime -> what a probe with it said, up to the first that is "confined"; once per process. Raises OSError."""
    said: dict[str, str] = {}
    for name in filter(shutil.which, RUNTIMES):
        said[name] = run_probe("container", name)
        if said[name] == "confined":
            break
    return said


def runtime() -> str:
    """The OCI runtime that works here; empty where none does."""
    return next((name for name, said in trials().items() if said == "confined"), "")


def run_probe(tier: str, oci: str = "") -> str:
    """``"confined"``, or what went wrong. ``oci``: the runtime for the container. Raises OSError: no temporary folder."""
    limits = Limits()
    with Cell() as cell:
        hidden = cell.path / "hidden"
        hidden.write_text("hidden")
        folder = cell.path / "empty"
        walls.prepare(tier, cell, folder, limits, {"probe": {"hidden": str(hidden), "pid": os.getpid()}})
        line, give = walls.program(tier, cell, folder), []
        environment = walls.environment(tier, cell, folder)
        if tier == "bubblewrap":
            options = walls.bubblewrap(cell, folder, limits, seccomp_fd=None, sync=None)
            give = [walls.memory_file(options)]
            line = [walls.bwrap(), "--args", str(give[0]), *line]
        elif tier == "container":
            line = [*container.command(cell, folder, limits, oci), *line]
            environment = podman.environment(cell.path)
        try:
            done = subprocess.run(
                line,
                env=environment,
                cwd=cell.path / "tmp",
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=60 if tier == "container" else 20,
                start_new_session=True,
                check=False,
                pass_fds=give,
            )
        except subprocess.TimeoutExpired:
            return "a probe of it did not end in time"
        except OSError as error:
            return f"it cannot be started: {error.strerror}"
        finally:
            for fd in give:
                os.close(fd)
            if tier == "container":
                podman.settle(cell.path)
        said = done.stdout.strip() or " ".join(done.stderr.split())[-300:]
        return said or f"a probe of it ended with status {done.returncode} and said nothing"
