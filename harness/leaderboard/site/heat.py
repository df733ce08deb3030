"""The heat map of a track: methods by challenges, normalised scores, and who may be the best of each challenge."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, Protocol

from markupsafe import Markup, escape

from harness.leaderboard.site.pictures import label, leads, shade
from harness.leaderboard.text import clean, environment

if TYPE_CHECKING:
    from jinja2 import Environment, Template

Plain = Mapping[str, Any]
_PAGE, _GAP = 1216, 16  # pixels: the widest that style.css lets a page be, and what stands between two columns


class Boards(Protocol):
    """What is published: boards and suites as plain dicts, as in their JSON files."""

    @property
    def boards(self) -> Sequence[Plain]: ...
    @property
    def suites(self) -> Sequence[Plain]: ...


@dataclass(frozen=True)
class Cell:
    """A method's row on one challenge."""

    text: str
    shade: str
    leads: bool
    tip: str
    value: float | None


@dataclass(frozen=True)
class Line:
    """One method; ``cells`` hold None where it has no ranked row."""

    name: str
    authors: str
    shared: bool  # another method of the track has the same name
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True)
class Heat:
    """A track's map. Columns: boards, those of the commonest protocol first. Lines: by the first protocol that a method has a
    row under, those ranked on several boards first, then by mean score.
    """

    track: str
    boards: tuple[Plain, ...]
    lines: tuple[Line, ...]


def by_track(published: Boards) -> dict[str, list[Plain]]:
    """Boards by track, tracks with most challenges first; a public phase's board counts no more once there is a final one."""
    found: dict[str, list[Plain]] = defaultdict(list)
    for board in published.boards:
        if page(board) == board["challenge"]:
            found[str(board["track"])].append(board)
    return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0])))


def page(board: Plain) -> str:
    """The name of a board's page."""
    return str(board.get("page", board["challenge"]))


def protocol(board: Plain) -> str:
    """Which of a track's protocols a board is of: methods of one cannot run under another."""
    return str(board["settings"]["track"]["name"])


def short(board: Plain) -> str:
    """The challenge's name without that of its track."""
    return str(board["challenge"]).removeprefix(f"{board['track']}_")


def key(row: Plain) -> tuple[object, ...]:
    """Whose row it is: equal on all boards of one team or, without teams, of one name and its authors."""
    return (row["team"],) if row.get("team") else (row["submission"], *row["authors"])


def heat(track: str, boards: Iterable[Plain]) -> Heat:
    """The map of the boards of one track."""
    found = list(boards)
    sizes = Counter(map(protocol, found))
    found.sort(key=lambda board: (-sizes[protocol(board)], protocol(board), page(board)))
    rows: dict[tuple[object, ...], dict[str, Plain]] = defaultdict(dict)
    for board in found:
        for row in board["ranked"]:
            rows[key(row)].setdefault(page(board), row)
    protocols = [protocol(board) for board in found]
    at = {page(board): protocols.index(name) for board, name in zip(found, protocols, strict=True)}
    order = sorted(
        rows, key=lambda k: (min(at[p] for p in rows[k]), len(rows[k]) < 2, -_mean(rows[k].values()), str(k))
    )
    names = Counter(label(next(iter(rows[k].values()))) for k in order)
    return Heat(track, tuple(found), tuple(_line(rows[k], found, names) for k in order))


def side_by_side(maps: Sequence[Heat]) -> list[tuple[int, list[Heat]]]:
    """The maps in two columns of about the same height, each with its width in pixels: that of its widest map.

    One column of the page's width where two would not stand side by side. Maps keep their order within a column, where they
    stand in shelves. Sizes are estimates; the browser has the last word.
    """
    columns: list[tuple[int, list[Heat]]] = []
    for one in maps:
        wide = _size(one)[0]
        if len(columns) < 2:
            columns.append((wide, [one]))
            continue
        least = min(range(2), key=lambda i: _height(max(columns[i][0], wide), [*columns[i][1], one]))
        columns[least] = (max(columns[least][0], wide), [*columns[least][1], one])
    if sum(wide for wide, _ in columns) + _GAP > _PAGE:
        return [(_PAGE, list(maps))]
    return columns


def _height(width: int, maps: Sequence[Heat]) -> int:
    """Of maps in shelves of this width."""
    height, shelf, left = 0, 0, 0
    for wide, high in map(_size, maps):
        if wide > left:
            height, shelf, left = height + shelf, 0, width
        shelf, left = max(shelf, high), left - wide
    return height + shelf


def _size(one: Heat) -> tuple[int, int]:
    """Width and height of a map in pixels, as pictures.css has it."""
    named = max((7 * len(line.name) + 6 * line.shared * len(line.authors) for line in one.lines), default=0)
    heads = max((len(short(board)) for board in one.boards), default=0)
    return 8 + min(168, named) + 46 * len(one.boards), 60 + 7 * heads + 26 * len(one.lines)


def _line(rows: Mapping[str, Plain], boards: Sequence[Plain], names: Mapping[str, int]) -> Line:
    any_row = next(iter(rows.values()))
    name, authors = label(any_row), ", ".join(clean(author) for author in any_row["authors"])
    cells = [_cell(rows[page(b)], str(b["metric"])) if page(b) in rows else None for b in boards]
    return Line(name, authors, names[name] > 1, tuple(cells))


def _cell(row: Plain, metric: str) -> Cell:
    value = row["normalised"]
    tip = f"{metric} {row['score']:.4g}, rank {row['rank']}" if row["score"] is not None else ""
    return Cell(decimal(value), shade(value), leads(row), tip, value)


def _mean(rows: Iterable[Plain]) -> float:
    known = [row["normalised"] for row in rows if row["normalised"] is not None]
    return fmean(known) if known else float("-inf")


def decimal(value: float | None) -> str:
    """Two decimals with a true minus; a dash for a score that cannot be normalised."""
    return "–" if value is None else f"{round(value, 2) + 0.0:.2f}".replace("-", "−")


def ranks(row: Plain) -> str:
    """A row's rank, and the set of ranks it may have."""
    low, high = row.get("rank_ci95") or (row["rank"], row["rank"])
    return str(row["rank"]) if low == high else f"{row['rank']} ({low} to {high})"


def breakable(name: str) -> Markup:
    """A name as HTML that may break after an underscore."""
    return escape(clean(name)).replace("_", Markup("_<wbr>"))


@cache
def template(name: str) -> Template:
    """A template of the site, with what these pages' cells need."""
    return _environment().get_template(name)


@cache
def _environment() -> Environment:
    from jinja2 import FileSystemLoader

    base = environment()
    made = base.overlay(loader=FileSystemLoader(Path(__file__).parent / "templates"))
    made.filters = {
        **base.filters,
        "shade": shade,
        "decimal": decimal,
        "short": short,
        "page": page,
        "ranks": ranks,
        "breakable": breakable,
    }
    return made
