"""Outside the sandbox: watch the clock, the log and the limits of one cell, end it, and say how it ended."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import select
import socket
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.errors import BenchmarkError, HarnessError, Status, SubmissionError
from harness.sandbox import gpu, names, tiers, turns, verdict, walls
from harness.sandbox.base import ForeignModel, Job, Outcome
from harness.sandbox.cell import Cell, failure
from harness.sandbox.inside import wire
from harness.sandbox.log import Log, clean
from harness.sandbox.process import Process, started
from harness.tracks.base import Arrays, View

_TICK = 0.05  # seconds between two looks of the watchdog
_MAX_FILES, _MAX_DEPTH = 20_000, 100
_STOPPED = "The run was stopped before this cell ended."
_cancelled = [False]  # no Event: it is set by signal handlers, too, which may not wait for its lock


def cancel() -> None:
    """End all cells of this process as ``cancelled``, and let none begin before :func:`resume`; from any thread."""
    _cancelled[0] = True


def resume() -> None:
    """Let cells begin again."""
    _cancelled[0] = False


def cancelled() -> bool:
    """Whether :func:`cancel` was called, and nobody has resumed since."""
    return _cancelled[0]


def run(job: Job, tier: str = "auto") -> Outcome:
    """Run one cell in a fresh process and say how it ended. Blocks; may be called from several threads.

    Parameters
    ----------
    job: the cell; ``job.reply`` is called in this thread, and its time is not charged to the submission.
    tier: ``"auto"`` (the strongest of bubblewrap and Landlock that works) or a tier by name.

    Raises
    ------
    ProtocolError: the tier, or a GPU that the limits grant, cannot be had here. All else, failures of the harness included, is an Outcome.
    """
    tier = tiers.resolve_tier(tier, "none")
    if job.limits.gpu:
        gpu.require(tier)
    if tier == "none":
        warnings.warn("sandbox tier none: the submission runs without isolation", stacklevel=2)
    began = time.monotonic()

    def stopped() -> None:
        if cancelled():
            raise SubmissionError(_STOPPED, status=Status.CANCELLED)

    try:
        with Cell() as cell, turns.turn(turns.must_be_alone(tier, job.alone, job.limits.gpu), stopped):
            return _run(job, tier, cell)
    except SubmissionError as error:
        status, reason = error.status, str(error)
    except BenchmarkError as error:
        status, reason = Status.HARNESS_ERROR, str(error)
    except OSError as error:
        why, hint = failure(error)
        status, reason = Status.HARNESS_ERROR, f"The sandbox could not be set up: {why} {hint}".strip()
    return Outcome(status, clean(reason, 2000), None, time.monotonic() - began, 0.0, "", False, tier)


def _run(job: Job, tier: str, cell: Cell) -> Outcome:
    if not job.folder.is_dir():
        raise SubmissionError("The submission's folder does not exist.", status=Status.INVALID_SUBMISSION)
    job = dataclasses.replace(job, folder=cell.admit(job.folder))
    for name, array in _given(job.view):
        try:
            (cell.path / "in" / f"{name}.npy").write_bytes(wire.encode(np.asarray(array)))
        except SubmissionError as error:  # of the track's making, not the participant's
            raise HarnessError(f"The view's {name} cannot be handed over: {error.reason}") from error
    if job.foreign:
        write_module(cell.path / "code", job.foreign)
    before = gpu.foreign() if job.limits.gpu else ""
    with contextlib.ExitStack() as stack:
        process = stack.enter_context(started(job, tier, cell))
        watch = _Watch(process, job, cell)
        stack.callback(watch.close)
        ending = watch.until_end()
        dead = process.end()
        seconds = process.stopped - process.started - watch.paused
        if not dead:
            raise HarnessError("Processes of the cell could not be killed; its output was not read.")
        watch.drain()
        found = verdict.Found(
            ending=ending,
            code=process.popen.returncode,
            outputs=watch.outputs,
            arrays=watch.arrays,
            out_of_memory=process.group.out_of_memory(),
            log=watch.log.text(),
        )
        status, reason, arrays = verdict.judge(found, job)
        peak = process.group.peak_mb()
        text, cut = watch.log.text(), watch.log.truncated
        if job.limits.gpu and (shared := " and ".join(sorted({before, gpu.foreign()} - {""}))):
            text += f"\n[The GPU was shared with: {clean(shared, 500)}]\n"
        reason, text = (names.neutral(said, cell.path, job.packages) for said in (clean(reason), text))
        fits = verdict.reported_fits(found.outputs) if arrays is not None else None
        return Outcome(status, clean(reason, 2000), arrays, seconds, peak, text, cut, tier, fits)


@dataclass
class _Over(Exception):
    """The cell is over: by itself, or (``status``) because a limit was passed."""

    status: Status | None = None
    reason: str = ""


def _given(view: View) -> Iterator[tuple[str, wire.Array]]:
    """File name and array of everything the worker is handed; a text is its bytes and their boundaries."""
    yield from view.arrays.items()
    for name, texts in view.texts.items():
        yield name, texts.data
        yield f"{name}.offsets", texts.offsets


def write_module(code: Path, foreign: ForeignModel) -> None:
    """A plug-in's module beside the harness's own; the packages around it are empty: it has to do without the rest."""
    target = code / foreign.path
    target.parent.mkdir(parents=True, exist_ok=True)
    for parent in target.relative_to(code).parents[:-1]:
        (code / parent / "__init__.py").touch()
    target.write_bytes(foreign.source)


class _Watch:
    """Looks after one process until it ends or passes a limit."""

    def __init__(self, process: Process, job: Job, cell: Cell) -> None:
        self.process, self.job, self.cell = process, job, cell
        self.log = Log(job.limits.log_kb * 1024)
        self.outputs = -1  # the output directory, handed over before any of the submission's code is loaded
        self.arrays: Arrays | None = None  # of the last round
        self.paused = 0.0  # seconds spent in job.reply
        self._rounds = 0
        self._over = False  # the last round has been answered
        self._looked = 0.0
        self._looks = 0
        # Podman lives on a little after its container.
        contained = process.tier == "container" and process.root >= 0
        self._end = os.dup(process.root) if contained else os.pidfd_open(process.popen.pid)
        self._poller = select.poll()
        for fd in (self._end, process.log, process.channel.fileno()):
            self._poller.register(fd, select.POLLIN)

    def until_end(self) -> tuple[Status, str] | None:
        """None when the process ended by itself, else the status and reason of the limit it passed."""
        try:
            while True:
                if self._turn():
                    self._hear()
        except _Over as over:
            return None if over.status is None else (over.status, over.reason)
        except SubmissionError as error:
            return error.status, str(error)

    def close(self) -> None:
        """Close what this object opened."""
        for fd in (self._end, self.outputs):
            if fd >= 0:
                os.close(fd)

    def drain(self) -> None:
        """Read what still lies in the log's pipe; every writer is dead."""
        os.set_blocking(self.process.log, False)
        with contextlib.suppress(BlockingIOError):
            while self._read_log():
                pass

    def _left(self) -> float:
        return self.job.limits.seconds - (time.monotonic() - self.process.started - self.paused)

    def _turn(self) -> bool:
        """Wait a tick or for news; True if the channel has some. Raises _Over."""
        left = self._left()
        if left <= 0:
            raise _Over(Status.TIMEOUT, f"The submission ran into its time limit of {self.job.limits.seconds:g} s.")
        if cancelled():
            raise _Over(Status.CANCELLED, _STOPPED)
        events = dict(self._poller.poll(max(1.0, min(_TICK, left) * 1000)))
        if self.process.log in events and not self._read_log():
            self._poller.unregister(self.process.log)
        if self.process.channel.fileno() in events:
            return True
        if self._end in events:
            raise _Over
        if time.monotonic() - self._looked >= _TICK:
            self._looked = time.monotonic()
            self._check_limits()
        return False

    def _read_log(self) -> bool:
        data = os.read(self.process.log, 1 << 18)
        self.log.feed(data)
        return bool(data)

    def _hear(self) -> None:
        """A message of the worker: the output directory first, then, in protocols with rounds, an output each."""
        channel = self.process.channel
        try:
            if self.outputs < 0:
                _, fds, _, _ = socket.recv_fds(channel, 1, 1)
                self.outputs = fds[0] if fds else -1
            elif self.job.reply is not None:
                return self._round()
            if self.job.reply is not None and self.outputs >= 0:
                return None
        except (EOFError, OSError):
            pass
        self._poller.unregister(channel)
        return None

    def _round(self) -> None:
        assert self.job.reply is not None
        channel = self.process.channel
        if self._over:
            if channel.recv(1):  # whatever it would have become, it is not read
                raise SubmissionError(f"The last of {self._rounds} rounds was over; nothing may be sent after it.")
            raise EOFError
        cap = self.job.limits.output_mb * 2**20
        arrays = wire.receive_arrays(self._receive, cap)
        self.arrays = verdict.named(arrays, self.job.task)
        before = time.monotonic()
        fields = self.job.reply(self._rounds, self.arrays)
        self.paused += time.monotonic() - before
        self._rounds += 1
        self._over = fields is None
        channel.settimeout(max(0.01, self._left()))
        if fields is None:
            wire.send_bytes(channel, b"")
        else:
            wire.send_arrays(channel, {name: np.asarray(array) for name, array in fields.items()})

    def _receive(self, length: int) -> bytes:
        while not self._turn():
            pass
        return self.process.channel.recv(length)

    def _check_limits(self) -> None:
        limits = self.job.limits
        passed = self.process.group.exceeded()
        if passed == "memory":
            raise _Over(Status.OUT_OF_MEMORY, verdict.memory_reason(self.job))
        if passed == "processes":
            raise _Over(
                Status.CRASHED, f"The submission started more than its {limits.processes} processes and threads."
            )
        self._looks += 1
        if self.process.tier not in walls.CONTAINED and self._looks % 4 == 0:
            allowed = limits.output_mb * 2**20 + walls.scratch_bytes(limits)
            if _exceeds(self.cell.path, allowed):
                raise _Over(
                    Status.CONTRACT_VIOLATION,
                    f"The submission left more than {allowed >> 20} MB, {_MAX_FILES} files or folders "
                    f"{_MAX_DEPTH} deep in its directories.",
                )


def _exceeds(cell: Path, allowed: int) -> bool:
    """Whether files on this machine's disk (elsewhere they lie in memory of bounded size) are too many or too large."""
    used = files = 0
    todo = [(str(cell / "out"), 0), (str(cell / "tmp"), 0)]
    while todo:
        path, depth = todo.pop()
        with contextlib.suppress(OSError), os.scandir(path) as entries:
            for entry in entries:
                info = entry.stat(follow_symlinks=False)
                files, used = files + 1, used + info.st_blocks * 512
                if used > allowed or files > _MAX_FILES or depth > _MAX_DEPTH:
                    return True
                if entry.is_dir(follow_symlinks=False):
                    todo.append((entry.path, depth + 1))
    return False
