"""Outside the sandbox: start the process, watch its clock, its log and its limits, end it, read what it left."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from harness import api
from harness.errors import BenchmarkError, HarnessError, Status, SubmissionError
from harness.sandbox import seccomp, tiers, walls, wire
from harness.sandbox.base import Job, Outcome
from harness.sandbox.cell import Cell
from harness.sandbox.cgroup import Group
from harness.sandbox.log import Log, clean
from harness.tracks.base import Arrays

_TICK = 0.05  # seconds between two looks of the watchdog
_FORGEABLE = {
    Status.OK, Status.INVALID_SUBMISSION, Status.CONTRACT_VIOLATION, Status.NO_OUTPUT, Status.CRASHED,
    Status.OUT_OF_MEMORY,
}  # fmt: skip


@dataclass
class _Run:
    """A started process and what is known of it."""

    process: subprocess.Popen[bytes]
    log_fd: int
    channel: socket.socket
    group: Group
    log: Log
    root: int = 0  # pidfd of the cell's first process; when that ends in a pid namespace, all have ended
    outputs: int = -1  # the output directory, handed over before any of the submission's code is loaded
    arrays: Arrays | None = None  # of the last round
    status: Status | None = None  # decided out here
    reason: str = ""
    paused: float = 0.0  # seconds spent in job.reply, not charged
    rounds: int = 0
    started: float = field(default_factory=time.monotonic)

    def decided(self) -> bool:
        """Whether the supervisor itself has ended the cell."""
        return self.status is not None


def run(job: Job, tier: str = "auto") -> Outcome:
    """Run one cell in a fresh process and say how it ended. Blocks; may be called from several threads.

    Raises ProtocolError where the tier does not work here. All else, failures of the harness included, is an Outcome.
    """
    tier = tiers.resolve_tier(tier, "none")
    if tier == "none":
        warnings.warn("sandbox tier none: the submission runs without isolation", stacklevel=2)
    began = time.monotonic()
    try:
        with Cell() as cell:
            return _run(job, tier, cell)
    except BenchmarkError as error:
        status = error.status if isinstance(error, SubmissionError) else Status.HARNESS_ERROR
        return _outcome(status, str(error), began, tier)
    except OSError as error:
        return _outcome(Status.HARNESS_ERROR, f"The sandbox could not be set up: {error}.", began, tier)


def _outcome(status: Status, reason: str, began: float, tier: str) -> Outcome:
    return Outcome(status, clean(reason, 2000), None, time.monotonic() - began, 0.0, "", False, tier)


def _run(job: Job, tier: str, cell: Cell) -> Outcome:
    folder = job.folder.resolve()
    if not folder.is_dir():
        raise SubmissionError(f"The submission's folder {folder} does not exist.", status=Status.INVALID_SUBMISSION)
    for name, array in job.view.arrays.items():
        (cell.path / "in" / f"{name}.npy").write_bytes(wire.encode(np.asarray(array)))
    with _started(job, tier, cell, folder) as running:
        try:
            _watch(running, job, cell)
        finally:
            dead = _end(running, tier)
        seconds = time.monotonic() - running.started - running.paused
        _drain(running)
        peak, oom = running.group.peak_mb(), running.group.out_of_memory()
        if not dead:
            raise HarnessError("Processes of the cell could not be killed; its output was not read.")
        status, reason, arrays = _verdict(running, job, oom)
        return Outcome(
            status, clean(reason, 2000), arrays, seconds, peak, running.log.text(), running.log.truncated, tier
        )


@contextlib.contextmanager
def _started(job: Job, tier: str, cell: Cell, folder: Path) -> Iterator[_Run]:
    """Start the process, put it into its control group, let it go; close everything afterwards."""
    with contextlib.ExitStack() as stack:
        ours, theirs = socket.socketpair()
        stack.callback(ours.close)
        stack.callback(theirs.close)
        walls.prepare(tier, cell, folder, job.limits, {
            "channel": theirs.fileno(), "task": job.task, "module": job.module, "function": job.function,
            "model": dict(job.model), "entropy": list(job.entropy), "scalars": dict(job.view.scalars),
            "arrays": list(job.view.arrays), "rounds": job.reply is not None,
        })  # fmt: skip
        group = Group(cell, job.limits.memory_mb, job.limits.processes + 1)
        stack.callback(group.close)
        pipes = _Pipes(stack)
        log_read, log_write = pipes.new()
        go_read, go_write = pipes.new()
        give = [theirs.fileno()]
        line = walls.program(tier, cell, folder)
        info_read = -1
        if tier == "bubblewrap":
            info_read, info_write = pipes.new()
            filter_fd = os.memfd_create("seccomp")
            pipes.own(filter_fd)
            os.write(filter_fd, seccomp.program(namespaces=True))
            os.lseek(filter_fd, 0, os.SEEK_SET)
            give += [info_write, go_read, filter_fd]
            line = walls.bubblewrap(cell, folder, job.limits, seccomp_fd=filter_fd, sync=(info_write, go_read)) + line
        else:
            line = ["/bin/sh", "-c", 'read -r go && exec "$@" </dev/null', "sh", *line]
        started = time.monotonic()
        process = subprocess.Popen(
            line, stdin=subprocess.DEVNULL if tier == "bubblewrap" else go_read, stdout=log_write, stderr=log_write,
            env=walls.environment(tier, cell, folder), cwd=cell.path / "tmp", pass_fds=give, start_new_session=True,
        )  # fmt: skip
        running = _Run(process, log_read, ours, group, Log(job.limits.log_kb * 1024), started=started)
        stack.callback(_close, running)
        for fd in (log_write, go_read):
            pipes.close(fd)
        theirs.close()
        try:
            pid = process.pid
            if tier == "bubblewrap":
                pipes.close(info_write)
                pid = _first_pid(info_read)
            if pid:
                running.root = os.pidfd_open(pid)
                group.add(pid)
                os.write(go_write, b"go\n")
            yield running
        except BaseException:
            _end(running, tier)
            raise


class _Pipes:
    """Descriptors that are closed with the cell, or earlier."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._open: set[int] = set()
        stack.callback(self._close_all)

    def new(self) -> tuple[int, int]:
        pair = os.pipe()
        self._open.update(pair)
        return pair

    def own(self, fd: int) -> None:
        self._open.add(fd)

    def _close_all(self) -> None:
        for fd in list(self._open):
            self.close(fd)

    def close(self, fd: int) -> None:
        if fd in self._open:
            self._open.discard(fd)
            os.close(fd)


def _close(running: _Run) -> None:
    for fd in (running.root, running.outputs):
        if fd > 0:
            os.close(fd)


def _first_pid(info: int) -> int:
    """The process bubblewrap made first in the new pid namespace, as known out here; 0 where bubblewrap failed."""
    text = b""
    while b"}" not in text:
        ready, _, _ = select.select([info], [], [], 10.0)
        part = os.read(info, 4096) if ready else b""
        if not part:
            return 0
        text += part
    return int(json.loads(text)["child-pid"])


def _watch(running: _Run, job: Job, cell: Cell) -> None:
    """Until the process ends or a limit is passed."""
    process_fd = os.pidfd_open(running.process.pid)
    poller = select.poll()
    poller.register(process_fd, select.POLLIN)
    poller.register(running.log_fd, select.POLLIN)
    poller.register(running.channel, select.POLLIN)
    disk_checked = 0.0
    try:
        while True:
            left = job.limits.seconds - (time.monotonic() - running.started - running.paused)
            if left <= 0:
                running.status = Status.TIMEOUT
                running.reason = f"The submission ran into its time limit of {job.limits.seconds:g} s."
                return
            events = dict(poller.poll(max(1, min(_TICK, left) * 1000)))
            if running.log_fd in events and not _read_log(running):
                poller.unregister(running.log_fd)
            if running.channel.fileno() in events and not _hear(running, job):
                poller.unregister(running.channel)
            if process_fd in events or running.decided():
                return
            _check_limits(running, job)
            if time.monotonic() - disk_checked > 4 * _TICK:
                disk_checked = time.monotonic()
                _check_disk(running, job, cell)
            if running.decided():
                return
    finally:
        os.close(process_fd)


def _read_log(running: _Run) -> bool:
    data = os.read(running.log_fd, 1 << 18)
    running.log.feed(data)
    return bool(data)


def _hear(running: _Run, job: Job) -> bool:
    """One message of the worker: the output directory first, then, in protocols with rounds, an output each."""
    try:
        if running.outputs < 0:
            _, fds, _, _ = socket.recv_fds(running.channel, 1, 4)
            if len(fds) != 1:
                return False
            running.outputs = fds[0]
            os.set_inheritable(fds[0], False)
            return job.reply is not None
        if job.reply is None:
            return False
        left = job.limits.seconds - (time.monotonic() - running.started - running.paused)
        running.channel.settimeout(max(0.01, left))
        arrays = wire.receive_arrays(running.channel, job.limits.output_mb * 2**20)
        if arrays is None:
            raise SubmissionError("The submission sent an empty frame.")
        running.arrays = _named(arrays, job)
        before = time.monotonic()
        fields = job.reply(running.rounds, running.arrays)
        running.paused += time.monotonic() - before
        running.rounds += 1
        running.channel.settimeout(
            max(0.01, job.limits.seconds - (time.monotonic() - running.started - running.paused))
        )
        if fields is None:
            wire.send_bytes(running.channel, b"")
            return False
        wire.send_arrays(running.channel, {name: np.asarray(array) for name, array in fields.items()})
        return True
    except SubmissionError as error:
        running.status, running.reason = error.status, str(error)
    except TimeoutError:
        return True  # the clock in _watch says the rest
    except (EOFError, OSError):
        pass
    return False


def _named(arrays: dict[str, wire.Array], job: Job) -> dict[str, wire.Array]:
    names = api.OUTPUTS[job.task]
    if set(arrays) != set(names):
        raise SubmissionError(f"A round delivered {sorted(arrays)}; it must deliver {sorted(names)}.")
    return {name: arrays[name] for name in names}


def _check_limits(running: _Run, job: Job) -> None:
    passed = running.group.exceeded()
    if passed == "memory":
        running.status = Status.OUT_OF_MEMORY
        running.reason = f"The submission used more than its {job.limits.memory_mb} MB of memory."
    elif passed == "processes":
        running.status = Status.CRASHED
        running.reason = f"The submission started more than its {job.limits.processes} processes and threads."


def _check_disk(running: _Run, job: Job, cell: Cell) -> None:
    """Where files lie on this machine's disk rather than in memory of bounded size, count them."""
    allowed = job.limits.output_mb * 2**20 + walls.scratch_bytes(job.limits)
    used = files = 0
    todo = [cell.path / "out", cell.path / "tmp"]
    while todo:
        try:
            with os.scandir(todo.pop()) as entries:
                for entry in entries:
                    files += 1
                    info = entry.stat(follow_symlinks=False)
                    used += info.st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(Path(entry.path))
                    if used > allowed or files > 20_000:
                        running.status = Status.CONTRACT_VIOLATION
                        running.reason = f"The submission left more than {allowed >> 20} MB or 20000 files in its temporary directories."
                        return
        except OSError:
            continue


def _end(running: _Run, tier: str) -> bool:
    """Kill what is left of the cell and wait until it is dead. True when nothing can be alive any more."""
    if tier == "bubblewrap":
        if running.root:
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(running.root, signal.SIGKILL)
            gone = bool(select.select([running.root], [], [], 10.0)[0])
        else:
            running.process.kill()
            gone = True
    else:
        running.process.terminate()  # the guard kills its descendants, then ends
        gone = True
    try:
        running.process.wait(timeout=10.0)
    except subprocess.TimeoutExpired:
        gone = False
        running.process.kill()
        running.process.wait()
    if tier != "bubblewrap" and running.group.version:
        gone = running.group.kill()
    return gone


def _drain(running: _Run) -> None:
    """What still lies in the log's pipe; every writer is dead."""
    os.set_blocking(running.log_fd, False)
    try:
        while _read_log(running):
            pass
    except BlockingIOError:
        pass


def _verdict(running: _Run, job: Job, oom: bool) -> tuple[Status, str, Arrays | None]:
    """How the cell ended, and its arrays where it ended well."""
    code = running.process.returncode
    if running.status is not None:
        return running.status, running.reason, None
    if running.outputs < 0:
        tail = " ".join(clean(running.log.text())[-600:].split())
        memory = f" under the limit of {job.limits.memory_mb} MB" if oom else ""
        raise HarnessError(
            f"The sandboxed process ended (status {code}) before the submission was loaded{memory}: {tail}"
        )
    if code > 128:
        number = code - 128
        if oom and number == signal.SIGKILL:
            return _memory(job)
        if number in (signal.SIGXCPU,):
            return Status.TIMEOUT, "The submission used up its CPU time.", None
        name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
        return Status.CRASHED, f"The submission's process was killed by {name}.", None
    try:
        report = wire.read_json(wire.read_file(running.outputs, "report.json", wire.MAX_JSON), "report.json")
    except FileNotFoundError:
        if oom:
            return _memory(job)
        return Status.NO_OUTPUT, f"The submission's process exited with status {code} and left no output.", None
    except SubmissionError as error:
        return error.status, str(error), None
    return _read(running, job, report, oom)


def _memory(job: Job) -> tuple[Status, str, None]:
    return Status.OUT_OF_MEMORY, f"The submission used more than its {job.limits.memory_mb} MB of memory.", None


def _read(running: _Run, job: Job, report: dict[str, Any], oom: bool) -> tuple[Status, str, Arrays | None]:
    """The worker's report and files. A submission can forge both, to its own harm only: no status here is better
    than what honest files would get, and the files are checked whoever wrote them."""
    try:
        status = Status(str(report.get("status")))
    except ValueError:
        status = Status.HARNESS_ERROR
    if status not in _FORGEABLE or not isinstance(report.get("reason"), str):
        return Status.CONTRACT_VIOLATION, "report.json was not written by the harness's worker.", None
    if status is not Status.OK:
        if oom and status is not Status.CONTRACT_VIOLATION:
            return _memory(job)
        return status, report["reason"], None
    if running.arrays is not None:
        return Status.OK, "", running.arrays
    if job.reply is not None:
        return Status.NO_OUTPUT, "The submission ended before its first round.", None
    arrays, left = {}, job.limits.output_mb * 2**20
    try:
        for name in api.OUTPUTS[job.task]:
            data = wire.read_file(running.outputs, f"{name}.npy", left)
            left -= len(data)
            arrays[name] = wire.decode(data, f"{name}.npy")
    except FileNotFoundError:
        return Status.NO_OUTPUT, f"The submission left no {name}.npy.", None
    except SubmissionError as error:
        return error.status, str(error), None
    return Status.OK, "", arrays
