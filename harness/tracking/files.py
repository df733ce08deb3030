"""Files that are either whole or absent: written beside their place, fsynced, renamed.

A kill at any moment leaves the old file or the new one, never half of one. What the disk refuses (full, read-only)
becomes one HarnessError.
"""

from __future__ import annotations

import fcntl
import io
import json
import math
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

import numpy as np

from harness.errors import HarnessError
from harness.paths import permit
from harness.tracks.base import Array

TEMPORARY = ".tmp-"
"""Prefix of names still being written; whoever meets one without holding the lock leaves it alone."""


@contextmanager
def one_writer(folder: Path) -> Iterator[None]:
    """Wait to be the only one who writes into ``folder``, which is made, and remove what a killed writer left there."""
    with disk_errors(f"write {folder}"):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with disk_errors(f"write {folder}"):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            for stale in folder.glob(f"{TEMPORARY}*"):
                stale.unlink(missing_ok=True)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def disk_errors(doing: str) -> Iterator[None]:
    """Turn an OSError inside the block into a HarnessError that says what was being done and why it failed."""
    try:
        yield
    except OSError as error:
        path = error.filename2 or error.filename  # of a copy, where it was to go
        where = f" ({path})" if path else ""
        raise HarnessError(
            f"Cannot {doing}: {error.strerror or error}{where}.",
            "Make room, make the directory writable or choose another one; finished cells are kept.",
        ) from error


def plain(value: Any) -> Any:
    """The same value in JSON's own types: numpy scalars and arrays unwrapped, NaN and infinities as None."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def json_bytes(value: Any) -> bytes:
    """JSON with two spaces and a final newline, keys in the order given; NaN never appears."""
    return (json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def write_json_atomic(path: Path, value: Any) -> None:
    """Write ``value`` as JSON. Raises HarnessError where the disk refuses."""
    content = json_bytes(value)
    _write(path, lambda file: file.write(content))


def write_bytes_atomic(path: Path, content: bytes) -> None:
    """Write bytes. Raises HarnessError where the disk refuses."""
    _write(path, lambda file: file.write(content))


def write_text_atomic(path: Path, text: str) -> None:
    """Write UTF-8 text; lone surrogates (a log's undecodable bytes) become question marks."""
    _write(path, lambda file: file.write(text.encode("utf-8", errors="replace")))


def array_bytes(array: Array) -> bytes:
    """The content of a .npy file. Raises HarnessError for arrays of Python objects."""
    if array.dtype.hasobject:
        raise HarnessError(f"Arrays of Python objects are never written, got dtype {array.dtype}.")
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asarray(array, order="C"), version=(1, 0), allow_pickle=False)
    return buffer.getvalue()


def read_bytes(path: str) -> bytes:
    """The content of a regular file, whatever else lies there. Raises HarnessError where there is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a FIFO would hang
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise HarnessError(f"{path} is not a regular file.")
            content = os.read(descriptor, found.st_size + 1)
            while rest := os.read(descriptor, 2**20):  # more than it had when it was opened, or a read cut short
                content += rest
            return content
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        raise HarnessError(f"{path} cannot be read: {getattr(error, 'strerror', error)}.") from error


def parse_array(content: bytes, where: str) -> Array:
    """The array in the bytes of a .npy file, read without pickle. HarnessError where it is cut short or lies about its size."""
    try:
        length = 10 + int.from_bytes(content[8:10], "little")  # of magic and header, in the one version written here
        shape, dtype = _header(content[:length])
        if len(content) - length != math.prod(shape) * dtype.itemsize:
            raise ValueError("its header does not fit its length")
        return np.frombuffer(content, dtype, offset=length).reshape(shape)
    except Exception as error:  # numpy's header reader raises what its parser happens to raise
        raise HarnessError(
            f"{where} is not a readable array: {' '.join(str(error).split())[:200]}.",
            "Run the submission again with --force to write it anew.",
        ) from error


@lru_cache(maxsize=1024)
def _header(content: bytes) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and dtype; thousands of files share a header, which takes longer to parse than an array to read."""
    file = io.BytesIO(content)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("another version of the format")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype.hasobject or fortran or file.read():
        raise ValueError("its header is not one that is written here")
    return shape, dtype


def write_new(path: Path, content: bytes) -> None:
    """Write and fsync a file in a directory that nobody sees yet; OSError as it comes."""
    path.parent.mkdir(exist_ok=True)
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_directory(path: Path) -> None:
    """Make renames inside ``path`` survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write(path: Path, fill: Callable[[IO[bytes]], Any]) -> None:
    with disk_errors(f"write {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=f"{TEMPORARY}{path.name}-", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                fill(file)
                file.flush()
                os.fsync(file.fileno())
            permit(Path(temporary))
            Path(temporary).replace(path)
            sync_directory(path.parent)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
