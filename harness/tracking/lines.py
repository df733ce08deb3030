"""A file of lines that only grows: extended by whole lines, read from its end.

What stands behind the last newline is what a kill left in the middle of a write; it is no line.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_BLOCK = 65_536  # bytes read first; twice as many each time, so that one long line costs no more than its length


def lines_backwards(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Whole lines from the last to the first, each with the offset of its end; no more is read than is asked for."""
    start, block, tail, torn = file.seek(0, os.SEEK_END), _BLOCK, b"", True
    while start:
        size = min(start, block)
        start, block = start - size, 2 * block
        file.seek(start)
        tail = file.read(size) + tail
        if torn:  # what stands behind the last newline is no line
            tail = tail[: tail.rfind(b"\n") + 1]
            torn = not tail
        first, *others = tail.split(b"\n")[:-1] or [b""]
        end = start + len(tail)
        for line in [*others[::-1], *([first] if not start and tail else [])]:
            yield line + b"\n", end
            end -= len(line) + 1
        tail = first + b"\n" if tail else b""


def extend(path: Path, length: int, content: bytes) -> None:
    """Cut the file to ``length`` and add lines, or leave it at ``length`` where the disk refuses."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        os.ftruncate(descriptor, length)
        try:
            written = 0
            while written < len(content):
                written += os.pwrite(descriptor, content[written:], length + written)
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, length)
            raise
    finally:
        os.close(descriptor)
