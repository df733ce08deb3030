"""Terminals to print on: one made of a buffer, in this process, and a real one that a command has for itself."""

from __future__ import annotations

import fcntl
import io
import os
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from unittest.mock import patch

from harness.cli import main

_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


class _Screen(io.BytesIO):
    def isatty(self) -> bool:
        return True


@dataclass(frozen=True)
class Terminal:
    """What a command sees: columns, the encoding of its locale, and the environment that says what it can show."""

    columns: int = 80
    encoding: str = "utf-8"
    term: str = "xterm-256color"
    no_color: bool = False

    @contextmanager
    def shown(self) -> Iterator[list[str]]:
        """What is printed in the context, stdout and stderr together, is in the list afterwards: lines without escapes."""
        screen = _Screen()
        stream = io.TextIOWrapper(screen, encoding=self.encoding, write_through=True)
        environment = {"COLUMNS": str(self.columns), "TERM": self.term, "NO_COLOR": "1" if self.no_color else ""}
        lines: list[str] = []
        with (
            patch.dict(os.environ, environment),
            patch.object(sys, "stdout", stream),
            patch.object(sys, "stderr", stream),
        ):
            yield lines
            stream.flush()
        text = screen.getvalue().decode(self.encoding)
        if self.term == "dumb" or self.no_color:
            assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", text), "no colour"
        lines += _ESCAPES.sub("", text).splitlines()

    def call(self, *words: object) -> tuple[int, list[str]]:
        """Exit status and lines of a command."""
        with self.shown() as lines:
            try:
                status = main([str(word) for word in words])
            except SystemExit as leaving:  # argparse
                status = int(leaving.code or 0)
        return status, lines


@contextmanager
def real_terminal(words: list[str], columns: int, **environment: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A process that has a pseudo-terminal for its controlling one, and the descriptor at the other end."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    env = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
    process = subprocess.Popen(
        [sys.executable, "-c", _OWN, *words], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        env={**env, "TERM": "xterm", **environment},
    )  # fmt: skip
    os.close(theirs)
    try:
        yield process, ours
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(ours)


_OWN = """import fcntl, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # so that Ctrl-C typed there is a signal here
from harness.cli import main
sys.exit(main(sys.argv[1:]))
"""


def read_until(descriptor: int, what: bytes = b"\0never") -> bytes:
    """What comes from the other end until it holds ``what``, or until that is closed."""
    said = b""
    while what not in said:
        try:
            more = os.read(descriptor, 65536)
        except OSError:  # Linux says so when the last process has closed it
            break
        if not more:
            break
        said += more
    return said
