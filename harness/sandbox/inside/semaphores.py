"""multiprocessing's semaphores as bytes in a pipe with a name, in the cell's own temporary directory.

Those of the operating system do not work in a cell: they wait on futexes that two cells could share, which the filter
does not let sleep (seccomp.py), and their files lie in /dev/shm, which under Landlock is the whole machine's. With these
in their place, locks, queues, pools and managers of multiprocessing, concurrent.futures and loky work on every tier.
Standard library only: interpreters that a submission starts import it, too, by the ``sitecustomize`` in the cell's code.
"""

from __future__ import annotations

import fcntl
import os
import select
import struct
import tempfile
import termios
import threading
import time
from importlib import import_module

_RECURSIVE = 0  # kinds, as in multiprocessing.synchronize; the other is 1


class SemLock:
    """``_multiprocessing.SemLock``: each byte in the pipe may be taken once.

    Parameters
    ----------
    kind: 0 for a mutex that its owner may take again, 1 for a semaphore.
    value, maxvalue: bytes at the beginning and at most.
    name: of its file; taken away again at once if ``unlink``, so that only forks share it.

    Raises FileExistsError where the name is taken.
    """

    SEM_VALUE_MAX = 32767  # as on macOS: a pipe holds twice as many bytes

    def __init__(self, kind: int, value: int, maxvalue: int, name: str, unlink: bool) -> None:
        os.mkfifo(_path(name), 0o600)
        try:
            self._open(kind, maxvalue, None if unlink else name, _path(name))
            os.write(self.handle, bytes(value))
        finally:
            if unlink:
                sem_unlink(name)

    @classmethod
    def _rebuild(cls, handle: int, kind: int, maxvalue: int, name: str) -> SemLock:
        made = cls.__new__(cls)
        made._open(kind, maxvalue, name, _path(name))
        return made

    def _open(self, kind: int, maxvalue: int, name: str | None, path: str) -> None:
        self.handle = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self.kind, self.maxvalue, self.name = kind, maxvalue, name
        self._held, self._owner = 0, 0
        self._news = select.poll()
        self._news.register(self.handle, select.POLLIN)

    def __del__(self) -> None:
        if hasattr(self, "handle"):
            os.close(self.handle)

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool:
        """Take a byte; wait for one if ``block``, at most ``timeout`` seconds. Whether there was one."""
        if self.kind == _RECURSIVE and self._is_mine():
            self._held += 1
            return True
        end = None if timeout is None else time.monotonic() + max(0.0, timeout)
        while True:
            try:
                os.read(self.handle, 1)
                break
            except BlockingIOError:
                left = None if end is None else end - time.monotonic()
                if not block or (left is not None and left <= 0):
                    return False
                self._news.poll(None if left is None else 1000 * left)
        self._held += 1
        self._owner = threading.get_ident()
        return True

    def release(self) -> None:
        """Put a byte back. Raises AssertionError of a mutex that is not one's own, ValueError over ``maxvalue``."""
        if self.kind == _RECURSIVE:
            if not self._is_mine():
                raise AssertionError("attempt to release recursive lock not owned by thread")
            if self._held > 1:
                self._held -= 1
                return
        elif self._get_value() >= self.maxvalue:
            raise ValueError("semaphore or lock released too many times")
        self._held -= 1
        os.write(self.handle, b"\0")

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def _count(self) -> int:
        return self._held

    def _is_mine(self) -> bool:
        return self._held > 0 and self._owner == threading.get_ident()

    def _get_value(self) -> int:
        return int(struct.unpack("i", fcntl.ioctl(self.handle, termios.FIONREAD, bytes(4)))[0])

    def _is_zero(self) -> bool:
        return self._get_value() == 0

    def _after_fork(self) -> None:
        self._held = 0


def sem_unlink(name: str) -> None:
    """Take the file of a semaphore away. Raises FileNotFoundError."""
    os.unlink(_path(name))  # noqa: PTH108


def install() -> None:
    """Put them in the place of the operating system's, before anything imports multiprocessing's."""
    system = import_module("_multiprocessing")
    setattr(system, "SemLock", SemLock)  # noqa: B010 - the module has no stub
    setattr(system, "sem_unlink", sem_unlink)  # noqa: B010


def _path(name: str) -> str:
    return os.path.join(tempfile.gettempdir(), "sem." + name.replace("/", "_"))  # noqa: PTH118
