"""Reading a folder: once, whole, and whatever is odd in it named."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import ProtocolError, Status, SubmissionError
from harness.protocol import folder

HIDING = [
    ".git/payload.py",
    "__pycache__/x.pyc",
    "helper.pyc",
    ".DS_Store/__init__.py",
    ".algorithm.py.swp",
    "runs/x.py",
]


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    place = tmp_path / "mine"
    place.mkdir()
    (place / "algorithm.py").write_text("def rank(task): ...\n")
    return place


@pytest.mark.parametrize("name", HIDING)
def test_what_is_not_digested_is_not_copied(mine: Path, tmp_path: Path, name: str) -> None:
    innocent = folder.read(mine)
    (mine / name).parent.mkdir(exist_ok=True)
    (mine / name).write_text("payload\n")
    found = folder.read(mine)
    assert found.digest == innocent.digest
    (tmp_path / "copy").mkdir()
    folder.write(found.contents, tmp_path / "copy")
    assert [path.name for path in (tmp_path / "copy").rglob("*")] == ["algorithm.py"]
    assert folder.read(tmp_path / "copy", everything=True) == innocent


def too_deep(mine: Path) -> None:
    mine.joinpath(*["d"] * 40).mkdir(parents=True)


def too_many(mine: Path) -> None:
    for i in range(folder.MAX_FILES):
        (mine / f"d{i}").mkdir()


ODD: dict[str, tuple[Callable[[Path], object], str]] = {
    "not UTF-8": (
        lambda mine: Path(os.fsdecode(os.fsencode(mine) + b"/caf\xe9.py")).touch(),
        r"'caf\\xe9.py' has a name",
    ),
    "a FIFO": (lambda mine: os.mkfifo(mine / "pipe"), "'pipe' is not a regular file"),
    "itself": (lambda mine: (mine / "loop").symlink_to(mine), "'loop' is not a regular file"),
    "too deep": (too_deep, "more than 32 folders deep"),
    "too many": (too_many, "more than 1000 files and folders"),
    "a long path": (lambda mine: (mine / ("a" * 250) / ("b" * 250)).mkdir(parents=True), "over 400 bytes"),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_entry_is_named(mine: Path, name: str) -> None:
    make, says = ODD[name]
    make(mine)
    with pytest.raises(SubmissionError, match=says) as caught:
        folder.read(mine)
    assert caught.value.status is Status.INVALID_SUBMISSION
    str(caught.value).encode()


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SubmissionError, match="cannot be read: No such file"):
        folder.read(tmp_path / "gone")


def test_runs_stay_apart_from_the_submission(mine: Path) -> None:
    folder.keep_apart(mine, mine / "runs")
    folder.keep_apart(mine, mine.parent / "runs")
    for inside in (mine, mine / "out"):
        with pytest.raises(ProtocolError, match="runs_dir"):
            folder.keep_apart(mine, inside)
