"""The start page: the state of the field in one heat map, the tracks, how to read it, and the newest rows."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Any

from harness.leaderboard.site.heat import Boards, Heat, by_track, heat, key, page, side_by_side, template
from harness.leaderboard.site.pictures import label, leads
from harness.leaderboard.site.track import asked, title

NEWEST = 10


def body(published: Boards) -> str:
    """The page's HTML from the boards' JSON."""
    maps = [heat(track, boards) for track, boards in by_track(published).items()]
    tracks = [_card(one) for one in maps]
    return template("start.html").render(
        columns=side_by_side([one for one in maps if one.lines]),
        tracks=tracks,
        state=_state(maps),
        newest=_newest(maps),
        title=title,
    )


def _state(maps: list[Heat]) -> dict[str, Any]:
    """The figures of the sentence above the map."""
    boards = [board for one in maps for board in one.boards if board["ranked"]]
    best = [
        values
        for board in boards
        if (values := [r["normalised"] for r in board["ranked"] if r["normalised"] is not None])
    ]
    return {
        "challenges": sum(len(one.boards) for one in maps),
        "methods": sum(len(one.lines) for one in maps),
        "rows": sum(len(board["ranked"]) for board in boards),
        "tied": sum(sum(map(leads, board["ranked"])) > 1 for board in boards),
        "ranked": len(boards),
        "median": median(map(max, best)) if best else None,
    }


def _card(one: Heat) -> dict[str, Any]:
    return {
        "name": one.track,
        "asked": asked(one.track, one.boards),
        "challenges": len(one.boards),
        "methods": len(one.lines),
        "rows": sum(len(board["ranked"]) for board in one.boards),
        "seeds": sorted({board["seeds"] for board in one.boards}),
    }


def _newest(maps: list[Heat]) -> list[Mapping[str, Any]]:
    """Ranked rows by date, newest first; of one day those that lead most challenges of the track first, a name once a track."""
    rows = [(board, row) for one in maps for board in one.boards for row in board["ranked"]]
    rows.sort(key=lambda pair: (not leads(pair[1]), pair[1]["rank"], page(pair[0])))
    rows.sort(key=lambda pair: str(pair[1]["date"]), reverse=True)
    seen: set[tuple[object, ...]] = set()
    found: list[Mapping[str, Any]] = []
    for board, row in rows:
        if (board["track"], *key(row)) not in seen and len(found) < NEWEST:
            seen.add((board["track"], *key(row)))
            found.append({"board": board, "row": row, "label": label(row)})
    return found
