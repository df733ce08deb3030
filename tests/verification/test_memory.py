"""What is remembered of verified runs saves reading them again, and hides no edit."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from harness.tracking import delivery
from harness.tracking.addresses import tracking_uri
from harness.tracking.mlflow_store import open_store
from harness.verification.directory import verify
from tests.tracking.made import FINGERPRINT
from tests.verification.lies import record_path


def quietly(path: Path, change: Callable[[bytes], bytes]) -> None:
    """Another content of the same size in the same file, with the times it had."""
    before = path.stat()
    content = change(path.read_bytes())
    assert content != path.read_bytes()
    assert len(content) == before.st_size
    with path.open("r+b") as file:
        file.write(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_ino, after.st_mtime_ns) == (before.st_size, before.st_ino, before.st_mtime_ns)


def zeros_at_the_end(content: bytes) -> bytes:
    return content[:-80] + bytes(80)


def no(*_: object) -> NoReturn:
    raise AssertionError("it was read again")


@pytest.fixture
def remembered(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that was verified and is known to be in order, in a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    outside = tmp_path / "outside.npy"  # a file of a cell, reached through a link
    items = record_path(runs, "rival").parent / "cells/0/items/y_pred.npy"
    items.rename(outside)
    items.symlink_to(outside)
    time.sleep(2.1)  # what changed a moment ago is not remembered yet
    assert verify(runs).ok
    with monkeypatch.context() as patched:
        patched.setattr("harness.verification.memory.check", no)
        assert verify(runs).ok
    assert list((tmp_path / "cache").rglob("verified/*.json"))
    return runs


EDITS: dict[str, tuple[str, Callable[[Path], Path], Callable[[bytes], bytes], str]] = {
    "items": (
        "good", lambda p: p / "cells/1/items/y_pred.npy", zeros_at_the_end, "y_pred.npy was changed after it was kept",
    ),
    "items behind a link": (
        "rival", lambda p: (p / "cells/0/items/y_pred.npy").resolve(), zeros_at_the_end, "y_pred.npy was changed after",
    ),
    "output": (
        "good", lambda p: p / "cells/1/output/indices.npy", lambda c: c[:-8] + bytes(8),
        "indices.npy was changed after it was kept",
    ),
    "cell.json": (
        "good", lambda p: p / "cells/2/cell.json", lambda c: c.replace(b'"seed": 2', b'"seed": 1'), "holds the cell of another seed",
    ),
    "archive": (
        "good", lambda p: next((p.parent / "submissions").glob("*/algorithm.py")), lambda c: c.replace(b"range", b"RANGE"),
        "the submission kept with it was changed",
    ),
    "record": (
        "good", lambda p: p / "record.json", lambda c: c.replace(b'"status": "ok"', b'"status": "oh"'), "is not a valid record",
    ),
    "skyline": (
        "reference-skyline", lambda p: p / "cells/0/items/y_pred.npy", zeros_at_the_end, "y_pred.npy was changed after",
    ),
}  # fmt: skip


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_that_keeps_size_and_times_is_seen(edit: str, remembered: Path) -> None:
    name, where, change, words = EDITS[edit]
    quietly(where(record_path(remembered, name).parent), change)
    assert words in " ".join(problem.what for problem in verify(remembered).problems)


def test_an_edit_of_an_artifact_that_keeps_size_and_times_is_seen(remembered: Path) -> None:
    (run, *_) = delivery.runs_of(open_store(tracking_uri(remembered)), "made", FINGERPRINT)
    time.sleep(2.1)
    assert verify(remembered).ok
    path = Path(run.info.artifact_uri.removeprefix("file://")) / "record.json"
    quietly(path, lambda content: content.replace(b'"device": "cpu"', b'"device": "gpu"'))
    assert "its artifact record.json was edited" in " ".join(p.what for p in verify(remembered).problems)


def test_a_file_in_place_of_another_is_seen(remembered: Path) -> None:
    """Renamed over it: same size, same time, another inode."""
    path = record_path(remembered, "good").parent / "cells/0/items/y_pred.npy"
    before = path.stat()
    other = path.with_name("other.npy")
    np.save(other, np.load(path.with_name("y_true.npy")))
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)
    assert path.stat().st_size == before.st_size
    assert "y_pred.npy was changed after it was kept" in " ".join(p.what for p in verify(remembered).problems)


def test_a_directory_in_place_of_another_is_seen(remembered: Path, tmp_path: Path) -> None:
    """The same files, edited, under the path that is remembered."""
    remembered.rename(tmp_path / "aside")
    shutil.copytree(tmp_path / "aside", remembered, symlinks=True)
    path = record_path(remembered, "good").parent / "cells/1/items/y_pred.npy"
    quietly(path, zeros_at_the_end)
    assert "y_pred.npy was changed after it was kept" in " ".join(p.what for p in verify(remembered).problems)


def test_nothing_is_remembered_of_what_is_wrong(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = record_path(runs, "good").parent / "cells/1/items/y_pred.npy"
    np.save(path, np.load(path.with_name("y_true.npy")))
    time.sleep(2.1)
    first = verify(runs).problems
    assert first
    assert verify(runs).problems == first


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"key": 1, "runs": 7}', b"\xff"])
def test_a_broken_memory_is_no_memory(content: bytes, remembered: Path, tmp_path: Path) -> None:
    (path,) = (tmp_path / "cache").rglob("verified/*.json")
    path.write_bytes(content)
    assert verify(remembered).ok
