"""The only form in which arrays cross the boundary: ``.npy`` bytes and short JSON, never pickle.

Both sides use this module. What comes *out* of a sandbox is hostile until proven otherwise, so the readers here parse
the ``.npy`` header themselves with one strict pattern, check every claim against the bytes that are there, and open
files so that links, pipes and devices cannot be followed or waited for. Every problem is a SubmissionError
(``contract_violation``) naming the file and the rule.
"""

from __future__ import annotations

import json
import math
import os
import re
import socket
import stat
import struct
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.errors import SubmissionError

Array = npt.NDArray[Any]
Arrays = Mapping[str, Array]

KINDS = "biuf"
MAX_HEADER = 4096
MAX_NDIM = 8
MAX_JSON = 65_536
_MAGIC = b"\x93NUMPY"
_HEADER = re.compile(
    r"\{'descr': '([<>|=][biuf][1248])', 'fortran_order': (True|False), 'shape': \(((?:\d{1,15}(?:, ?\d{1,15})*,? ?)?)\), \}\s*"
)
_LENGTH = struct.Struct("<Q")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


def encode(array: Array) -> bytes:
    """``.npy`` bytes of a bool, int or float array (native item sizes up to 8 bytes), C order.

    Raises SubmissionError for any other dtype (object arrays above all: they would need pickle).
    """
    if array.dtype.kind not in KINDS or array.dtype.itemsize > 8 or array.dtype.fields:
        raise SubmissionError(
            f"dtype {array.dtype} cannot be exchanged.", "Use bool, int or float arrays of up to 64 bits."
        )
    array = np.ascontiguousarray(array).reshape(array.shape)
    shape = "(" + ", ".join(map(str, array.shape)) + ("," if array.ndim == 1 else "") + ")"
    header = f"{{'descr': '{array.dtype.str}', 'fortran_order': False, 'shape': {shape}, }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    return _MAGIC + b"\x01\x00" + struct.pack("<H", len(header)) + header.encode() + array.tobytes()


def decode(data: bytes, name: str) -> Array:
    """The array in untrusted ``.npy`` bytes, native byte order, owning its memory.

    Raises SubmissionError naming ``name`` and the rule that is broken; never unpickles, never allocates by what the
    header merely claims.
    """
    if len(data) < 12 or not data.startswith(_MAGIC):
        raise SubmissionError(f"{name} is not a .npy file: it does not start with its magic bytes.")
    major = data[6]
    if major not in (1, 2, 3) or data[7] != 0:
        raise SubmissionError(f"{name} claims .npy version {major}.{data[7]}; 1.0, 2.0 and 3.0 exist.")
    start = 10 if major == 1 else 12
    length = int.from_bytes(data[8:start], "little")
    if length > MAX_HEADER or start + length > len(data):
        raise SubmissionError(
            f"{name} claims a header of {length} bytes; at most {MAX_HEADER}, inside the file, are allowed."
        )
    match = _HEADER.fullmatch(data[start : start + length].decode("latin-1"))
    if match is None:
        raise SubmissionError(
            f"{name} has a header that is not that of a plain array: dtype must be bool, int or float of at most 8 bytes."
        )
    descr, fortran, dims = match.groups()
    shape = tuple(int(d) for d in dims.replace(" ", "").split(",") if d)
    if len(shape) > MAX_NDIM:
        raise SubmissionError(f"{name} has {len(shape)} dimensions; at most {MAX_NDIM} are allowed.")
    try:
        dtype = np.dtype(descr)
    except TypeError as error:
        raise SubmissionError(f"{name} has the unknown dtype {descr!r}.") from error
    claimed, present = math.prod(shape) * dtype.itemsize, len(data) - start - length
    if claimed != present:
        raise SubmissionError(
            f"{name} claims {claimed} bytes of data (shape {list(shape)}, {dtype}) but holds {present}."
        )
    if dtype.kind == "b" and present and max(data[start + length :]) > 1:
        raise SubmissionError(f"{name} claims booleans but holds other bytes than 0 and 1.")
    flat = np.frombuffer(data, dtype=dtype, offset=start + length)
    return flat.astype(dtype.newbyteorder("=")).reshape(shape, order="F" if fortran == "True" else "C")


def read_file(directory: int, name: str, cap: int) -> bytes:
    """Content of the regular file ``name`` in the open directory ``directory``, which strangers could write to.

    Never follows a link, never waits on a pipe, reads at most ``cap`` bytes. Call it only when all processes that
    could still write are dead. Raises SubmissionError naming the rule, FileNotFoundError where there is no such file.
    """
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY, dir_fd=directory)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise SubmissionError(f"Output file {name} cannot be opened as a regular file ({error.strerror}).") from error
    try:
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode):
            raise SubmissionError(f"Output file {name} is not a regular file; links, pipes and devices are refused.")
        if info.st_nlink != 1:
            raise SubmissionError(f"Output file {name} has {info.st_nlink} hard links; exactly one is allowed.")
        if info.st_size > cap:
            raise SubmissionError(f"Output file {name} has {info.st_size} bytes; the limit is {cap}.")
        if info.st_size and _is_sparse(fd, info.st_size):
            raise SubmissionError(f"Output file {name} is sparse (it has holes); write its bytes.")
        with os.fdopen(fd, "rb", closefd=False) as file:
            data = file.read(cap + 1)
    finally:
        os.close(fd)
    if len(data) != info.st_size:
        raise SubmissionError(f"Output file {name} changed its size while it was read.")
    return data


def _is_sparse(fd: int, size: int) -> bool:
    try:
        hole = os.lseek(fd, 0, os.SEEK_HOLE)
        os.lseek(fd, 0, os.SEEK_SET)
    except OSError:
        return False
    return hole < size


def read_json(data: bytes, name: str) -> dict[str, Any]:
    """A small JSON object from untrusted bytes. Raises SubmissionError for anything else, deep nesting included."""
    if len(data) > MAX_JSON:
        raise SubmissionError(f"{name} has {len(data)} bytes; the limit is {MAX_JSON}.")
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise SubmissionError(f"{name} is not valid JSON ({type(error).__name__}).") from error
    if not isinstance(value, dict):
        raise SubmissionError(f"{name} must hold a JSON object, got {type(value).__name__}.")
    return value


def send_arrays(channel: socket.socket, arrays: Arrays) -> None:
    """One frame: length, JSON list of [name, bytes], then the ``.npy`` bytes of each array."""
    blobs = {name: encode(array) for name, array in arrays.items()}
    send_bytes(channel, json.dumps([[name, len(blob)] for name, blob in blobs.items()]).encode())
    for blob in blobs.values():
        channel.sendall(blob)


def send_bytes(channel: socket.socket, data: bytes) -> None:
    """A length and that many bytes; no bytes means "the end"."""
    channel.sendall(_LENGTH.pack(len(data)) + data)


Receive = Callable[[int], bytes]  # like socket.recv: 1 to n bytes, none when the other side has closed


def receive_bytes(receive: Receive, cap: int = MAX_JSON) -> bytes:
    """What :func:`send_bytes` sent. Raises SubmissionError over ``cap`` bytes, EOFError where the sender closed."""
    (length,) = _LENGTH.unpack(_exactly(receive, _LENGTH.size))
    if length > cap:
        raise SubmissionError(f"A frame announces {length} bytes; the limit is {cap}.")
    return _exactly(receive, length)


def receive_arrays(receive: Receive, cap: int) -> dict[str, Array] | None:
    """What :func:`send_arrays` sent, at most ``cap`` bytes in all; None for "the end". Raises as receive_bytes."""
    head = receive_bytes(receive)
    if not head:
        return None
    try:
        named = [(str(name), int(size)) for name, size in json.loads(head)]
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise SubmissionError("A frame's header must be a list of [name, bytes].") from error
    if any(not _NAME.fullmatch(name) or size < 0 for name, size in named) or len({n for n, _ in named}) != len(named):
        raise SubmissionError("A frame's header has a bad or repeated name, or a negative size.")
    if sum(size for _, size in named) > cap:
        raise SubmissionError(
            f"A frame announces {sum(size for _, size in named)} bytes of arrays; the limit is {cap}."
        )
    return {name: decode(_exactly(receive, size), name) for name, size in named}


def _exactly(receive: Receive, length: int) -> bytes:
    parts = bytearray()  # grows with what arrives, not with what was announced
    while len(parts) < length:
        part = receive(min(length - len(parts), 1 << 20))
        if not part:
            raise EOFError("the other side closed the channel")
        parts += part
    return bytes(parts)
