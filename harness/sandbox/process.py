"""Start the process of one cell behind its walls, and end it so that nothing of it is left."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.sandbox import container, podman, trial, walls
from harness.sandbox.base import Job
from harness.sandbox.cell import Cell
from harness.sandbox.cgroup import Group
from harness.sandbox.inside import seccomp

_PATIENCE = 10.0  # seconds a killed process may take to disappear before that is our fault
_BIRTH = 60.0  # seconds a container may take to start, likewise


@dataclass
class Process:
    """A started cell. ``root`` is a pidfd of its first process: in a pid namespace, when that has ended, all have."""

    tier: str
    popen: subprocess.Popen[bytes]
    log: int
    channel: socket.socket
    group: Group
    started: float
    cell: Cell
    root: int = -1
    stopped: float = 0.0

    def end(self) -> bool:
        """Kill what is left and wait for it. True when nothing of the cell can be alive any more. May be repeated."""
        gone = True
        if self.tier in walls.CONTAINED:
            if self.root >= 0:
                with contextlib.suppress(OSError):
                    signal.pidfd_send_signal(self.root, signal.SIGKILL)
                gone = bool(select.select([self.root], [], [], _PATIENCE)[0])
            else:
                self.popen.kill()
        else:
            self.popen.terminate()  # the guard kills its descendants, then ends
        if self.tier == "container":
            self.stopped = self.stopped or time.monotonic()  # what follows is Podman's time
        try:
            self.popen.wait(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            gone = False
            self.popen.kill()
            self.popen.wait()
        if self.tier == "container":
            gone = podman.settle(self.cell.path) and gone
        self.stopped = self.stopped or time.monotonic()
        if self.tier not in walls.CONTAINED:
            gone = gone and self.popen.returncode in (*range(256), -signal.SIGTERM)
            if self.group.version:
                gone = self.group.kill()
        return gone


@contextlib.contextmanager
def started(job: Job, tier: str, cell: Cell) -> Iterator[Process]:
    """Start it, put it into its control group, let it go; afterwards end it and close everything. Raises OSError."""
    folder = job.folder.resolve()
    with contextlib.ExitStack() as stack:
        fds = _Descriptors(stack)
        ours, theirs = socket.socketpair()
        stack.enter_context(ours)
        stack.enter_context(theirs)
        contained = tier == "container"
        described = _job(job, "/cell/in/door" if contained else theirs.fileno())
        walls.prepare(tier, cell, folder, job.limits, described, job.packages)
        group = Group(cell, job.limits.memory_mb, job.limits.processes + 1)  # and the guard or reaper
        stack.callback(group.close)
        log, log_write = fds.pipe()
        with contextlib.suppress(OSError):
            fcntl.fcntl(log_write, fcntl.F_SETPIPE_SZ, 1 << 20)
        go, go_write = fds.pipe()
        info, info_write = fds.pipe()
        line, give = _command(tier, cell, folder, job, fds, info_write, go)
        door = stack.enter_context(contextlib.closing(container.Door(cell))) if contained else None
        begun = time.monotonic()
        popen = subprocess.Popen(
            line,
            stdin=go if tier in ("landlock", "none") else subprocess.DEVNULL,
            stdout=log_write,
            stderr=log_write,
            env=podman.environment(cell.path) if contained else walls.environment(tier, cell, folder),
            cwd=cell.path / "tmp",
            pass_fds=[] if contained else [theirs.fileno(), *give],
            start_new_session=True,
        )
        process = Process(tier, popen, log, ours, group, begun, cell)
        stack.callback(_end_surely, process)
        if door is not None:
            first = _met(process, door, fds)
            stack.enter_context(process.channel)
        else:
            first = _first_pid(info) if tier == "bubblewrap" else popen.pid
        if first:  # else bubblewrap or Podman failed, and its message is in the log
            with contextlib.suppress(ProcessLookupError):  # or fails now, having just made it
                process.root = fds.own(os.pidfd_open(first))
                group.add(first)
            if door is None:
                os.write(go_write, b"go\n")
            else:
                process.started = time.monotonic()  # what went before was Podman's time
                socket.send_fds(process.channel, [b"R"], [log_write, go])
        fds.close(log_write, go, info_write)
        theirs.close()
        yield process


def _met(process: Process, door: container.Door, fds: _Descriptors) -> int:
    """The first process of the container, as known out here; 0 where Podman failed."""
    ended = fds.own(os.pidfd_open(process.popen.pid))
    met = door.meet(ended, _BIRTH)
    door.close()
    if met is None:
        return 0
    first, process.channel = met
    return first


def _job(job: Job, channel: int | str) -> dict[str, object]:
    return {
        "door" if isinstance(channel, str) else "channel": channel,
        "task": {
            "kind": job.task.kind,
            "fields": [field.name for field in dataclasses.fields(job.task)],
            "outputs": list(job.task.outputs),
        },
        "module": job.module,
        "function": job.function,
        "params": dict(job.params),
        "model": dict(job.model),
        "model_class": job.foreign.settings if job.foreign else None,
        "entropy": list(job.entropy),
        "scalars": dict(job.view.scalars),
        "arrays": list(job.view.arrays),
        "texts": list(job.view.texts),
        "rounds": job.reply is not None,
    }


def _command(
    tier: str, cell: Cell, folder: Path, job: Job, fds: _Descriptors, info: int, go: int
) -> tuple[list[str], list[int]]:
    """The command and the descriptors it needs. It waits for ``go``, so that limits hold before anything runs."""
    program = walls.program(tier, cell, folder)
    if tier == "bubblewrap":
        filter_fd = fds.own(walls.memory_file(seccomp.program(namespaces=True, gpu=job.limits.gpu)))
        options = walls.bubblewrap(
            cell, folder, job.limits, seccomp_fd=filter_fd, sync=(info, go), packages=job.packages
        )
        options_fd = fds.own(walls.memory_file(options))
        return [walls.bwrap(), "--args", str(options_fd), *program], [info, go, filter_fd, options_fd]
    if tier == "container":
        return [*container.command(cell, folder, job.limits, trial.runtime(), job.packages), *program], []
    return ["/bin/sh", "-c", 'read -r go && exec "$@" </dev/null', "sh", *program], []


def _first_pid(info: int) -> int:
    """The process bubblewrap made first in the new pid namespace, as known out here; 0 where bubblewrap failed."""
    text = b""
    while b"}" not in text:
        ready, _, _ = select.select([info], [], [], _PATIENCE)
        part = os.read(info, 4096) if ready else b""
        if not part:
            return 0
        text += part
    return int(json.loads(text)["child-pid"])


def _end_surely(process: Process) -> None:
    try:
        process.end()
    except BaseException:  # a second Ctrl-C while the first is being obeyed
        process.end()
        raise


class _Descriptors:
    """Descriptors that are closed with the cell, or earlier."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._open: set[int] = set()
        stack.callback(lambda: self.close(*self._open))

    def pipe(self) -> tuple[int, int]:
        pair = os.pipe()
        self._open.update(pair)
        return pair

    def own(self, fd: int) -> int:
        self._open.add(fd)
        return fd

    def close(self, *fds: int) -> None:
        for fd in fds:
            if fd in self._open:
                self._open.discard(fd)
                os.close(fd)
