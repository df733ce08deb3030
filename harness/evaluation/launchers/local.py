"""Cells side by side in processes of this machine, forked from this one.

A forked worker has the data and the fixed models of all benches already: nothing is loaded twice, and large data lie in
memory once. What makes forking safe here is that a worker runs everything in a single thread of BLAS and OpenMP
(harness/evaluation/work.py), as PyTorch's own data loaders do: no pool of threads that only its parent had is waited for.
"""

from __future__ import annotations

import io
import multiprocessing
import os
import pickle
import signal
import threading
import time
import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from queue import SimpleQueue
from types import TracebackType
from typing import Any

from harness import sandbox
from harness.errors import Status
from harness.evaluation.bench import Bench
from harness.evaluation.cell import failed
from harness.evaluation.launchers.base import Launcher
from harness.evaluation.work import Answer, Work, perform
from harness.models.backend import cores

_TRIES = 3  # workers that one cell may take with it
_GRACE = 10.0  # seconds in which a worker whose head has gone ends its sandbox
_IMPATIENCE = 2.0  # seconds in which a worker that is not wanted any more may end by itself
_FORK = multiprocessing.get_context("fork")


@dataclass(eq=False)
class _Worker:
    """A forked process, the channel to it, and the cell it is at."""

    process: BaseProcess
    channel: Connection
    work: Work


class Local(Launcher):
    """``workers`` processes (None: one per core), started as they are needed.

    Parameters
    ----------
    benches: of all cells that will come; workers have them because they are forked from a process that has.
    """

    def __init__(self, benches: Sequence[Bench], workers: int | None = None) -> None:
        self.workers = workers or cores()
        self._benches = list(benches)
        self._idle: list[_Worker] = []
        self._busy: list[_Worker] = []
        self._deaths: dict[Work, int] = {}

    def __enter__(self) -> Local:
        return self

    def room(self) -> int:
        return self.workers - len(self._busy)

    def submit(self, work: Work) -> None:
        worker = self._idle.pop() if self._idle else self._started(work)
        worker.work = work
        self._busy.append(worker)
        share = max(1, cores() // len(self._busy))
        with suppress(BrokenPipeError):  # it has died while idle, which its channel will say
            worker.channel.send_bytes(_packed((work, share), self._benches))

    def ended(self, seconds: float) -> list[tuple[Work, Answer]]:
        if not self._busy:
            time.sleep(seconds)
        ready = wait([worker.channel for worker in self._busy], seconds)
        answers = []
        for worker in [worker for worker in self._busy if worker.channel in ready]:
            self._busy.remove(worker)
            try:
                answers.append((worker.work, worker.channel.recv()))
                self._idle.append(worker)
            except (EOFError, ConnectionResetError):
                answers += self._died(worker)
        return answers

    def stop(self) -> None:
        for worker in self._busy:
            with suppress(BrokenPipeError):
                worker.channel.send_bytes(b"stop")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        everybody = [*self._idle, *self._busy]
        for worker in everybody:
            worker.channel.close()  # it ends its sandbox and itself
        deadline = time.monotonic() + (_IMPATIENCE if kind else _GRACE)
        for worker in everybody:
            worker.process.join(max(0.0, deadline - time.monotonic()))
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
        self._idle, self._busy = [], []

    def _started(self, work: Work) -> _Worker:
        ours, theirs = _FORK.Pipe()
        ends = [ours, *(worker.channel for worker in (*self._idle, *self._busy))]
        process = _FORK.Process(target=_serve, args=(theirs, ends, self._benches), daemon=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of other threads: see the head of this module
            process.start()
        theirs.close()
        return _Worker(process, ours, work)

    def _died(self, worker: _Worker) -> list[tuple[Work, Answer]]:
        """A worker was killed, for its memory perhaps: its cell is tried by another one, a few times."""
        worker.process.join()
        worker.channel.close()
        work = worker.work
        if sandbox.cancelled():
            return [(work, failed(work.seed, Status.CANCELLED, "The run was stopped before this cell ended."))]
        self._deaths[work] = self._deaths.get(work, 0) + 1
        if self._deaths[work] < _TRIES:
            self.submit(work)
            return []
        reason = f"The process that computed this cell died {_TRIES} times, the last time with {_told(worker.process)}."
        return [(work, failed(work.seed, Status.HARNESS_ERROR, reason))]


def _told(process: BaseProcess) -> str:
    code = process.exitcode or 0
    name = signal.Signals(-code).name if code < 0 else f"status {code}"
    return f"{name} (is memory short?)" if name == "SIGKILL" else name


@dataclass
class _Inbox:
    """What the head says to a worker, heard by a thread of its own: also while a cell runs."""

    channel: Connection
    benches: Sequence[Bench]
    works: SimpleQueue[tuple[Work, int] | None] = field(default_factory=SimpleQueue)

    def listen(self) -> None:
        try:
            while True:
                message = self.channel.recv_bytes()
                if message == b"stop":
                    sandbox.cancel()
                else:
                    self.works.put(_unpacked(message, self.benches))
        except (EOFError, OSError):  # the head has gone
            sandbox.cancel()
            self.works.put(None)
            time.sleep(_GRACE)
            os._exit(1)


def _serve(channel: Connection, others: Sequence[Connection], benches: Sequence[Bench]) -> None:
    """A worker's life: one cell after the other, until the head closes the channel or is gone."""
    for other in others:
        other.close()  # else the head's end would stay open as long as any worker lives
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)  # the head hears them, too, and says what to do
    warnings.simplefilter("ignore")  # the head has given them
    inbox = _Inbox(channel, benches)
    threading.Thread(target=inbox.listen, daemon=True).start()
    while (order := inbox.works.get()) is not None:
        with suppress(BrokenPipeError):
            channel.send(perform(*order))


def _packed(order: tuple[Work, int], benches: Sequence[Bench]) -> bytes:
    """Pickled, with benches by their numbers."""
    numbers = {id(bench): number for number, bench in enumerate(benches)}

    class Pickler(pickle.Pickler):
        def persistent_id(self, what: Any) -> int | None:
            return numbers[id(what)] if isinstance(what, Bench) else None

    buffer = io.BytesIO()
    Pickler(buffer, pickle.HIGHEST_PROTOCOL).dump(order)
    return buffer.getvalue()


def _unpacked(message: bytes, benches: Sequence[Bench]) -> tuple[Work, int]:
    class Unpickler(pickle.Unpickler):
        def persistent_load(self, number: int) -> Bench:
            return benches[number]

    order: tuple[Work, int] = Unpickler(io.BytesIO(message)).load()
    return order
