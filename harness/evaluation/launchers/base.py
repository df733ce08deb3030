"""What a launcher does: take cells, have them computed, give them back as they end. And how Ctrl-C stops all of them."""

from __future__ import annotations

import os
import signal
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType

from harness import sandbox
from harness.errors import ProtocolError, Status
from harness.evaluation.cell import failed
from harness.evaluation.work import Answer, Work
from harness.tracking.runs import StoredCell

TICK = 0.2  # seconds between two looks at whether the run was stopped
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # the command line makes all of them a Ctrl-C
_TWICE = 1.0  # seconds after which a second Ctrl-C is meant as one


class Launcher(ABC):
    """Computes cells somewhere: the head gives and takes, and nobody else records anything.

    A context manager: afterwards nothing of it is left, whatever was still going on.
    """

    @abstractmethod
    def __enter__(self) -> Launcher: ...

    @abstractmethod
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    @abstractmethod
    def room(self) -> int:
        """How many more cells it wants now."""

    @abstractmethod
    def submit(self, work: Work) -> None:
        """Have a cell computed."""

    @abstractmethod
    def ended(self, seconds: float) -> list[tuple[Work, Answer]]:
        """Cells that have ended, waiting up to ``seconds`` for one."""

    @abstractmethod
    def stop(self) -> None:
        """End what runs: it still comes out of :meth:`ended`, most of it as ``cancelled``. May be called again."""


class Pool:
    """The cells of one command in a launcher; once it was stopped, it takes no more.

    ``with Pool(launcher) as pool`` while cells run: Ctrl-C then stops the pool instead of breaking into whatever is being
    written. A second one is a KeyboardInterrupt.
    """

    def __init__(self, launcher: Launcher) -> None:
        self.launcher = launcher
        self.running: set[Work] = set()
        self.stopped = False
        self._told = False

    @contextmanager
    def opened(self) -> Iterator[Pool]:
        """The pool, with its launcher started and signals caught."""
        sandbox.resume()
        try:
            with _caught(self._stop), self.launcher:
                yield self
        finally:
            sandbox.resume()

    def _stop(self) -> None:
        """From a signal handler: no more than to note it. A cell in this very process learns it from the sandbox."""
        self.stopped = True
        sandbox.cancel()

    def room(self) -> int:
        """How many more cells it wants now."""
        return 0 if self.stopped else self.launcher.room()

    def submit(self, work: Work) -> None:
        """Have a cell computed."""
        self.running.add(work)
        self.launcher.submit(work)

    def ended(self) -> list[tuple[Work, StoredCell]]:
        """Cells that have ended since; waits a tick for one. Raises ProtocolError where a challenge cannot be drawn."""
        if self.stopped and not self._told:
            self._told = True
            self.launcher.stop()
        answers = self.launcher.ended(TICK)
        self.running.difference_update(work for work, _ in answers)
        for _, answer in answers:
            if isinstance(answer, ProtocolError):
                raise answer
        return [(work, answer) for work, answer in answers if isinstance(answer, StoredCell)]


def compute(works: Iterable[Work], launcher: Launcher) -> Generator[tuple[Work, StoredCell], None, None]:
    """All cells, yielded as they end. Once stopped, those that had not begun come out as ``cancelled``, too.

    Raises ProtocolError where the challenge itself cannot be drawn; then, and when the caller closes the iterator
    early, the cells in flight are ended.
    """
    with Pool(launcher).opened() as pool:
        left = list(works)[::-1]
        while left or pool.running:
            while left and pool.room():
                pool.submit(left.pop())
            if pool.stopped:
                yield from ((work, not_begun(work)) for work in left[::-1])
                left = []
            yield from pool.ended()


def not_begun(work: Work) -> StoredCell:
    """The cell of a run that was stopped before it came to it."""
    return failed(work.seed, Status.CANCELLED, "The run was stopped before this cell began.")


@contextmanager
def _caught(stop: Callable[[], None]) -> Iterator[None]:
    """While cells run, Ctrl-C calls ``stop``; a second one, a moment later, is a KeyboardInterrupt.

    Only signals that would be a KeyboardInterrupt are caught: one that is ignored (nohup, a job in the background) or
    that somebody else handles stays as it is.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    first = float("inf")

    def handle(_signal: int, _frame: FrameType | None) -> None:
        nonlocal first
        if first == float("inf"):
            first = time.monotonic()
            stop()
            os.write(2, b"Stopping. Ctrl-C once more leaves without waiting for what is being scored.\n")
        elif time.monotonic() > first + _TWICE:
            raise KeyboardInterrupt

    caught = [number for number in _SIGNALS if signal.getsignal(number) is signal.default_int_handler]
    for number in caught:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number in caught:
            signal.signal(number, signal.default_int_handler)
