"""Publishing: a board's files are written so that nothing published is lost by it, and the ledger is told.

The JSON file of a board holds what a checker needs: settings, the score of every seed, versions, digests of records,
archives and of the files beside it, the head of the ledger; and, where there is a key, a signature over all of that.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.errors import BenchmarkError, HarnessError
from harness.leaderboard import seal, suite_page
from harness.leaderboard.board import Board
from harness.leaderboard.render import rendered
from harness.leaderboard.suite import SuiteBoard
from harness.tracking.files import disk_errors
from harness.tracking.ledger import Head, Ledger
from harness.tracking.signature import Key
from harness.verification.directory import BoardRefused

ARCHIVE = "archive"
ROW_KINDS = ("ranked", "references", "unranked")


def write_board(board: Board, out: Path, key: Key | None = None) -> list[Path]:
    """Write ``<challenge>.md, .csv, .html`` and last ``.json`` into ``out``; returns their paths. HarnessError if it cannot.

    A board of an earlier version goes into ``out/archive`` as it is, and the new one links to it.
    """
    _archive(board, out)
    archived = sorted((Path(out) / ARCHIVE).glob(f"{board.challenge}-v*/{board.challenge}.html"), key=_version)
    board = replace(board, archived=tuple(path.relative_to(out).as_posix() for path in archived))
    return seal.write(out, board.stem, rendered(board), board.as_dict(), key)


def _archive(board: Board, out: Path) -> None:
    """Set the board of an earlier version aside, whole: files and names stay what its signature is over."""
    try:
        old = read(Path(out) / f"{board.challenge}.json")
    except BenchmarkError:  # none, or one of an older harness
        return
    if not old["version"] < board.version:
        return
    place = Path(out) / ARCHIVE / f"{board.challenge}-v{int(old['version'])}"
    with disk_errors(f"set the board of version {old['version']} aside in {place}"):
        place.mkdir(parents=True, exist_ok=True)
        for name in (*old["files"], f"{board.challenge}.json"):  # the JSON last: until it is there, this is done again
            shutil.copy2(Path(out) / Path(name).name, place / Path(name).name)


def _version(page: Path) -> int:
    number = page.parent.name.rpartition("-v")[2]
    return int(number) if number.isdigit() else 0


def write_suite(board: SuiteBoard, out: Path, key: Key | None = None) -> list[Path]:
    """Write ``suite_<name>.md, .csv, .html, .json`` likewise; it binds the boards in ``out`` that it was made of."""
    files = {part.challenge: Path(out) / f"{part.challenge}.json" for part in board.challenges}
    boards = {name: seal.sha256(path.read_bytes()) for name, path in files.items() if path.is_file()}
    facts = {**board.as_dict(), "boards": boards}
    return seal.write(out, suite_page.file_name(board.suite), suite_page.rendered(board), facts, key)


def read(path: Path) -> dict[str, Any]:
    """The content of a published board's JSON file.

    Raises ProtocolError where there is none, HarnessError where it is not one of a board, or of an older version.
    """
    return seal.read(path, {"challenge", "fingerprint", "direction", "settings", "ledger", *ROW_KINDS})


def protect(board: Board, out: Path, runs: Ledger, key: Key | None) -> None:
    """Raise BoardRefused where a published board would be lost: to one without rows, of another protocol or history."""
    path = Path(out) / f"{board.stem}.json"
    if not path.exists():
        return
    try:
        old = read(path)
    except HarnessError:  # no board, or one of an older version, which had neither head nor signature
        return
    if not any(old[kind] for kind in ROW_KINDS):
        return
    why = ""
    if not any((board.ranked, board.references, board.unranked)):
        why = "the new one has no rows"
    elif old["fingerprint"] != board.fingerprint and not old["version"] < board.version:
        why = f"that is of the fingerprint {old['fingerprint'][:12]}, the new one of {board.fingerprint[:12]}"
    elif not runs.holds(head(old)) and (_first(old) == runs.first() or (key and seal.public_key(old) == key.public)):
        why = (
            f"that names line {head(old).lines} of the ledger, which is no longer what it was: lines were removed, or the "
            "ledger was written anew"
        )
    if why:
        raise BoardRefused(
            f"{path} holds a published board and is not replaced: {why}.",
            "--replace replaces it, --out DIR writes elsewhere.",
        )


def announce(board: Board, path: Path, runs: Ledger, key: Key | None) -> None:
    """A ledger line that says which board was published, unless the last one of this challenge says it already."""
    note = f"{board.stem}@{board.fingerprint[:12]} {seal.sha256(path.read_bytes())}"
    earlier = [
        entry.note for entry in runs.read() if entry.kind == "publish" and entry.note.startswith(f"{board.stem}@")
    ]
    if earlier[-1:] != [note]:
        runs.append("publish", note=note, key=key)


def head(plain: Mapping[str, Any]) -> Head:
    """The head of the ledger that a board was published from."""
    return Head(int(plain["ledger"]["lines"]), str(plain["ledger"]["sha256"]))


def _first(plain: Mapping[str, Any]) -> str:
    return str(plain["ledger"].get("first", ""))
