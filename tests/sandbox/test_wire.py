"""The wire format against numpy's own reader and writer, and against a hundred kinds of rubbish."""

from __future__ import annotations

import contextlib
import io
import json
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from harness.errors import SubmissionError
from harness.sandbox.inside import wire

DTYPES = st.sampled_from(["?", "i1", "u1", "<i2", ">i2", "<u4", "<i8", ">i8", "<u8", "<f2", "<f4", ">f4", "<f8"])
ARRAYS = DTYPES.flatmap(
    lambda d: hnp.arrays(np.dtype(d), hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=4))
)


def numpy_bytes(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


@given(ARRAYS)
def test_numpy_reads_what_we_write(array: np.ndarray) -> None:
    back = np.load(io.BytesIO(wire.encode(array)), allow_pickle=False)
    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back, array)


@given(ARRAYS, st.booleans())
def test_we_read_what_numpy_writes(array: np.ndarray, fortran: bool) -> None:
    back = wire.decode(numpy_bytes(np.array(array, order="F" if fortran else "C")), "a.npy")
    assert back.dtype == array.dtype.newbyteorder("=")
    assert back.shape == array.shape
    assert back.flags.owndata or back.base is not None
    np.testing.assert_array_equal(back, array)


@given(ARRAYS, st.data())
@settings(max_examples=100)
def test_a_damaged_file_is_refused_or_still_an_array(array: np.ndarray, data: st.DataObject) -> None:
    raw = bytearray(numpy_bytes(array))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    raw = raw[: data.draw(st.integers(0, len(raw)))] + data.draw(st.binary(max_size=8))
    with contextlib.suppress(SubmissionError):  # anything else would be ours
        assert wire.decode(bytes(raw), "a.npy").dtype.kind in wire.KINDS


@given(st.binary(max_size=300))
@example(b"")
@example(b"\x93NUMPY")
@example(b"\x93NUMPY\x01\x00\xff\xff")
@example(b"\x93NUMPY\x02\x00\xff\xff\xff\xff")
@settings(max_examples=200)
def test_rubbish_is_refused(raw: bytes) -> None:
    for prefix in (b"", b"\x93NUMPY\x01\x00"):
        with pytest.raises(SubmissionError, match=r"a\.npy"):
            wire.decode(prefix + raw, "a.npy")


HEADERS = [
    # backtracks for ever in a careless pattern
    "{'descr': '<i8', 'fortran_order': False, 'shape': (" + "1" * 3900 + "x), }\n",
    "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
    "{'descr': '<c16', 'fortran_order': False, 'shape': (1,), }",
    "{'descr': '<M8', 'fortran_order': False, 'shape': (1,), }",
    "{'descr': '<U2', 'fortran_order': False, 'shape': (1,), }",
    "{'descr': [('a', '<i8')], 'fortran_order': False, 'shape': (1,), }",
    "{'descr': '<i8', 'fortran_order': False, 'shape': (-1,), }",
    "{'descr': '<i8', 'fortran_order': False, 'shape': (1, 1, 1, 1, 1, 1, 1, 1, 1), }",
    "{'descr': '<i8', 'fortran_order': False, 'shape': (999999999999999, 999999999999999), }",
    "{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }",
    "{'descr': '<f1', 'fortran_order': False, 'shape': (8,), }",
    "{'descr': '<i8', 'fortran_order': False, 'shape': (__import__('os').getpid(),), }",
    "{'descr': '<i8', 'fortran_order': 1, 'shape': (1,), }",
    "{'descr': '<i8', 'fortran_order': False, 'shape': 1, }",
    "{'descr': '<i8', 'shape': (1,), }",
    "[" * 1000,
]


@pytest.mark.parametrize("header", HEADERS)
def test_headers_that_lie(header: str) -> None:
    raw = header.encode()
    for major, width in ((1, 2), (2, 4), (3, 4)):
        data = b"\x93NUMPY" + bytes([major, 0]) + len(raw).to_bytes(width, "little") + raw + bytes(8)
        with pytest.raises(SubmissionError, match=r"a\.npy"):
            wire.decode(data, "a.npy")


def test_booleans_must_be_booleans() -> None:
    good = wire.encode(np.array([True, False]))
    assert wire.decode(good, "a.npy").tolist() == [True, False]
    with pytest.raises(SubmissionError, match="booleans"):
        wire.decode(good[:-1] + b"\x07", "a.npy")


@pytest.mark.parametrize(
    "array", [np.array([None]), np.array(["a"]), np.array([1j]), np.zeros(1, "M8[s]"), np.zeros(1, np.longdouble)]
)
def test_only_plain_numbers_are_written(array: np.ndarray) -> None:
    with pytest.raises(SubmissionError, match="dtype"):
        wire.encode(array)


@pytest.fixture
def directory(tmp_path: Path):
    fd = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield fd
    os.close(fd)


def test_a_plain_file_is_read(tmp_path: Path, directory: int) -> None:
    (tmp_path / "x").write_bytes(b"12345")
    assert wire.read_file(directory, "x", 5) == b"12345"
    (tmp_path / "empty").touch()
    assert wire.read_file(directory, "empty", 5) == b""
    with pytest.raises(FileNotFoundError):
        wire.read_file(directory, "y", 5)


def make_link(path: Path) -> None:
    path.symlink_to("/etc/hostname")


def make_hard_link(path: Path) -> None:
    path.with_name("other").write_bytes(b"1")
    os.link(path.with_name("other"), path)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))


def make_hole(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 20)


MAKERS: dict[str, Callable[[Path], object]] = {
    "cannot be opened": make_link,
    "hard links": make_hard_link,
    "regular file": lambda p: p.mkdir(),
    "not a regular file": lambda p: os.mkfifo(p),
    "regular file ": make_socket,
    "sparse": make_hole,
    "the limit is": lambda p: p.write_bytes(bytes(5 << 20)),
}


@pytest.mark.parametrize("rule", MAKERS)
def test_odd_files_are_refused(rule: str, tmp_path: Path, directory: int) -> None:
    MAKERS[rule](tmp_path / "x")
    with pytest.raises(SubmissionError, match=rule.strip()) as caught:
        wire.read_file(directory, "x", 4 << 20)
    assert " x " in caught.value.reason


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make device nodes")
def test_devices_are_refused(tmp_path: Path, directory: int) -> None:
    os.mknod(tmp_path / "x", stat.S_IFCHR | 0o600, os.makedev(1, 5))
    with pytest.raises(SubmissionError, match="regular file"):
        wire.read_file(directory, "x", 10)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode) | st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(), lambda c: st.lists(c) | st.dictionaries(st.text(), c)
).map(lambda v: json.dumps(v).encode()))  # fmt: skip
@example(b"[" * 60_000)
@example(b'{"a":' * 60_000)
@example(b"9" * 60_000)
@example(b"\xff\xfe{}")
@settings(max_examples=100)
def test_json_is_an_object_or_refused(raw: bytes) -> None:
    with contextlib.suppress(SubmissionError):
        assert isinstance(wire.read_json(raw, "report.json"), dict)


def receiver(raw: bytes):
    stream = io.BytesIO(raw)
    return stream.read


def test_frames_go_through_a_socket() -> None:
    ours, theirs = socket.socketpair()
    sent = {"a": np.arange(6.0).reshape(2, 3), "b": np.array(3)}
    with ours, theirs:
        wire.send_arrays(ours, sent)
        wire.send_bytes(ours, b"")
        back = wire.receive_arrays(theirs.recv, 10_000)
        assert back is not None
        assert list(back) == ["a", "b"]
        for name, array in sent.items():
            np.testing.assert_array_equal(back[name], array)
        assert wire.receive_arrays(theirs.recv, 10_000) is None


def frame(head: object) -> bytes:
    raw = json.dumps(head).encode()
    return len(raw).to_bytes(8, "little") + raw


@pytest.mark.parametrize(
    "head",
    [
        [["a", 1 << 60]], [["a", -1]], [["../a", 1]], [["a", 1], ["a", 1]], {"a": 1}, [["a"]], [1], "a", 5, [["a", "x"]],
        [["a", 1e999]], [[["a"], 3]],
    ],
)  # fmt: skip
def test_frames_that_lie(head: object) -> None:
    with pytest.raises(SubmissionError):
        wire.receive_arrays(receiver(frame(head) + bytes(64)), 1000)
    with pytest.raises(SubmissionError):
        wire.receive_arrays(receiver((1 << 62).to_bytes(8, "little")), 1000)


@given(st.binary(max_size=100), st.booleans())
@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
def test_frames_of_rubbish(raw: bytes, measured: bool) -> None:
    data = len(raw).to_bytes(8, "little") + raw if measured else raw
    try:
        found = wire.receive_arrays(receiver(data), 1000)
        assert found is None or isinstance(found, dict)
    except (SubmissionError, EOFError):
        pass
