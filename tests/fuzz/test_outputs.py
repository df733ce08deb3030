"""Readers of what comes out of a sandbox: SubmissionError or a plain array, whatever the bytes."""

from __future__ import annotations

import contextlib
import io
import json
import os
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import SubmissionError
from harness.sandbox.inside import wire
from tests.fuzz.budget import inputs

DESCR = st.one_of(
    st.sampled_from(["<f4", "<f8", "<i8", "|b1", "|O", "<U5", "<c16", "<M8[s]", "|V8", "<f2", "=i4", "<b1", "|f8", "<f1"]),
    st.text(max_size=12),
)  # fmt: skip
SHAPE = st.one_of(
    st.lists(st.integers(0, 5), max_size=10).map(tuple),
    st.lists(st.integers(-(2**70), 2**70), max_size=4).map(tuple),
    st.text(max_size=8),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def npy(draw: st.DrawFn) -> bytes:
    """From nearly right to rubbish: header fields, their order, lengths and contents may each be wrong."""
    fields = {"descr": draw(DESCR), "fortran_order": draw(st.sampled_from([True, False, 0, "x"])), "shape": draw(SHAPE)}
    header = draw(st.sampled_from([repr(fields), repr(fields).replace("}", ", }"), json.dumps(fields, default=str)]))
    raw = header.encode("latin-1", errors="replace") + draw(st.sampled_from([b"\n", b"   \n", b"", b"\0"]))
    length = draw(st.one_of(st.just(len(raw)), st.integers(0, 65535)))
    version = draw(st.sampled_from([b"\x01\x00", b"\x02\x00", b"\x03\x00", b"\x00\x00", b"\xff\xff"]))
    packed = struct.pack("<H", length) if version == b"\x01\x00" else struct.pack("<I", length)
    body = draw(st.one_of(st.binary(max_size=64), st.integers(0, 25).map(lambda n: bytes(8 * n))))
    return draw(st.sampled_from([b"\x93NUMPY", b"\x93NUMPX", b"PK\x03\x04"])) + version + packed + raw + body


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A right file with a few bytes changed, cut or added."""
    buffer = io.BytesIO()
    np.save(buffer, np.arange(draw(st.integers(0, 9))).astype(draw(st.sampled_from(["<f4", "<i8", "?", ">u2"]))))
    raw = bytearray(buffer.getvalue())
    for _ in range(draw(st.integers(1, 5))):
        raw[draw(st.integers(0, len(raw) - 1))] = draw(st.integers(0, 255))
    return bytes(raw[: draw(st.integers(0, len(raw)))]) + draw(st.binary(max_size=9))


@given(st.one_of(npy(), damaged(), st.binary(max_size=200)))
@inputs(0.30)
def test_arrays(data: bytes) -> None:
    with contextlib.suppress(SubmissionError):
        array = wire.decode(data, "a.npy")
        assert array.dtype.kind in wire.KINDS
        assert array.nbytes <= len(data)
        assert type(array) is np.ndarray


@given(
    st.one_of(
        JSON.map(lambda v: json.dumps(v).encode()),
        st.binary(max_size=100),
        st.integers(1, 30_000).map(lambda n: b"[" * n),
    )
)
@inputs(0.08)
def test_json(data: bytes) -> None:
    with contextlib.suppress(SubmissionError):
        assert isinstance(wire.read_json(data, "report.json"), dict)


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=60),
            JSON.map(lambda v: struct.pack("<Q", len(json.dumps(v))) + json.dumps(v).encode()),
            npy(),
        ),
        max_size=4,
    )
)
@inputs(0.10)
def test_frames(parts: list[bytes]) -> None:
    """A worker that sends anything on the channel of a protocol with rounds."""
    with contextlib.suppress(SubmissionError, EOFError):  # EOFError: the other side has closed; the supervisor knows
        arrays = wire.receive_arrays(io.BytesIO(b"".join(parts)).read, cap=4096)
        assert arrays is None or all(array.nbytes <= 4096 for array in arrays.values())


@given(
    st.sampled_from(["file", "link", "fifo", "folder", "hard link", "sparse", "none"]),
    st.binary(max_size=300),
    st.integers(0, 200),
)
@inputs(0.05)
def test_files(kind: str, content: bytes, cap: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.npy")

        def hard_link() -> None:
            path.write_bytes(content)
            os.link(path, Path(folder, "b"))

        def sparse() -> None:
            path.touch()
            os.truncate(path, 10**9)

        makers: dict[str, Callable[[], object]] = {
            "file": lambda: path.write_bytes(content),
            "link": lambda: path.symlink_to("/etc/passwd"),
            "fifo": lambda: os.mkfifo(path),
            "folder": path.mkdir,
            "hard link": hard_link,
            "sparse": sparse,
            "none": lambda: None,
        }
        makers[kind]()
        directory = os.open(folder, os.O_RDONLY)
        try:
            read = wire.read_file(directory, "a.npy", cap)
        except (SubmissionError, FileNotFoundError):
            assert kind != "file" or len(content) > cap
        else:
            assert kind == "file"
            assert read == content
        finally:
            os.close(directory)
