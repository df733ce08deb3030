"""Published boards as a site reads them: the JSON files of a directory, in an order that never changes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from harness.errors import HarnessError, ProtocolError
from harness.leaderboard.board import Board

NO_BOARDS = (".revealed.json", ".winners.json")
"""Endings of files beside boards that are none."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}")  # of a file: whoever edits a JSON file names no other path
_ROWS = ("ranked", "references", "unranked")


@dataclass(frozen=True)
class Published:
    """Boards by track, challenge and file, suites by track and name: plain dicts as in the JSON files.

    A board has one key more, ``page``: the name of its file without ``.json``, which is that of its page, too.
    """

    boards: tuple[dict[str, Any], ...]
    suites: tuple[dict[str, Any], ...]


def read(boards_dir: Path | str) -> Published:
    """All boards and suites of a directory.

    Raises
    ------
    ProtocolError: there is no such directory, or no board in it.
    HarnessError: a JSON file there is no board, or one of another version of the harness.
    """
    place = Path(boards_dir)
    if not place.is_dir():
        raise ProtocolError(
            f"There is no directory of boards {place}.",
            "`harness leaderboard` makes one; --boards names another place.",
        )
    boards, suites = [], []
    for path in sorted(place.glob("*.json")):
        if path.name.endswith(NO_BOARDS):
            continue
        plain = _plain(path)
        if "suite" in plain:
            suites.append(plain)
        else:
            boards.append({**plain, "page": path.stem})
    if not boards:
        raise ProtocolError(
            f"There are no boards in {place}.", "`harness leaderboard` makes them; --boards names another place."
        )
    boards.sort(key=lambda board: (board["track"], board["challenge"], board["page"]))
    suites.sort(key=lambda suite: (suite["track"], suite["suite"]))
    return Published(tuple(boards), tuple(suites))


def typed(plain: Mapping[str, Any]) -> Board:
    """A board of :class:`Published` as `harness leaderboard` has it. Raises ValidationError (pydantic) where it is none."""
    rows = {kind: [{"curve": None, **row} for row in plain[kind]] for kind in _ROWS}
    return _adapter().validate_python({**plain, **rows})


def _adapter() -> TypeAdapter[Board]:
    global _made
    _made = _made or TypeAdapter(Board)
    return _made


_made: TypeAdapter[Board] | None = None


def _plain(path: Path) -> dict[str, Any]:
    try:
        plain = json.loads(path.read_bytes())
        if not isinstance(plain, dict):
            raise TypeError("it holds no object")
        if "suite" in plain:
            names = [
                str(plain["suite"]),
                str(plain["track"]),
                *(str(part["challenge"]) for part in plain["challenges"]),
            ]
            names += [row["places"][name]["run_id"] for row in plain["ranked"] for name in row["places"]]
        else:
            board = typed(plain)
            every = [*board.ranked, *board.references, *board.unranked]
            names = [path.stem, board.challenge, board.track, *(row.run_id for row in every)]
            names += [board.dataset["name"]] if board.dataset else []
        if odd := [name for name in names if name and not _NAME.fullmatch(name)]:
            raise ValueError(f"{odd[0]!r:.60} is no name of a page")
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        at = ".".join(str(part)[:40] for part in first["loc"])
        raise HarnessError(
            f"{path} is not a board of this version of the harness: {at}: {first['msg'][:120]}.",
            "Remove it, or build it again with `harness leaderboard`.",
        ) from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise HarnessError(
            f"{path} is not a board: {error!r:.200}.", "Remove it, or build it again with `harness leaderboard`."
        ) from error
    return plain
