"""The page of a row: all that is known of one run, and how to get it again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from harness.api import FloatArray
from harness.evaluation.plots import score_curve_svg
from harness.leaderboard import cells
from harness.leaderboard.board import Board
from harness.leaderboard.row import Row
from harness.leaderboard.site.challenge import Intervals
from harness.leaderboard.site.kept import Kept
from harness.leaderboard.text import clean, environment
from harness.protocol.params import shown
from harness.tracking.record import CellRecord

_FLOOR, _SKYLINE = "reference-random", "reference-skyline"
_OF_CLASS = re.compile(r"(.+?)_(\d+)")
_COUNTED = re.compile(r".*_(at|top|k)")  # macro_f1_at_5: a number of rows, not of a class


@dataclass(frozen=True)
class Line:
    """A number of the row beside those of floor and skyline."""

    name: str
    own: float | None
    floor: float | None
    skyline: float | None
    cell: CellRecord | None = None  # of a seed, where it is at hand


def body(board: Board, row: Row, found: Kept | None, *, page: str, shipped: bool, config: str = "") -> str:
    """The body of ``rows/<run_id>.html``.

    Parameters
    ----------
    found: what the runs directory adds; None where it is not at hand.
    page: name of the board's page.
    shipped: these are the files of a baseline that comes with the harness.
    config: what commands on a challenge of the organiser's own need as well.
    """
    floor, skyline = (_reference(board, row, name) for name in (_FLOOR, _SKYLINE))
    classes, others = _metrics(row, floor, skyline)
    named = {"floor": floor, "skyline": skyline}
    every = environment()
    every.filters |= {"metric": cells.metric, "interval": cells.interval, "cost": cells.cost, "params": shown}
    return every.get_template("row.html").render(
        board=board,
        row=row,
        page=page,
        better="higher" if board.direction == "max" else "lower",
        place=_place(board, row),
        normalised=cells.normalised(row),
        team=cells.team(row)[0],
        between=(between := _between(row, named)),
        picture=Intervals([one for _, one in between]),
        curves=_curves(board, row, found, named),
        seeds=list(_seeds(row, floor, skyline, found)),
        found=found,
        classes=classes,
        others=others,
        shipped=shipped,
        config=config,
    )


def _place(board: Board, row: Row) -> str:
    """Where it stands, in words."""
    if row.rank is None:
        return (
            "a reference of the harness, not ranked"
            if row.run_id in {one.run_id for one in board.references}
            else "not ranked"
        )
    low, high = row.rank_ci95 or (row.rank, row.rank)
    sure = f"; with 95 % confidence {low} to {high}" if low < high else ""
    return f"{row.rank} of {len(board.ranked)}{sure}"


def _reference(board: Board, row: Row, name: str) -> Row | None:
    """Floor or skyline on the row's device, else on any."""
    found = [one for one in board.references if one.submission == name]
    return next((one for one in found if one.device == row.device), found[0] if found else None)


def _label(row: Row) -> str:
    return clean(row.team_name or row.submission)


def _between(row: Row, named: Mapping[str, Row | None]) -> list[tuple[str, Row]]:
    """The row, and what of floor and skyline is another one with a score."""
    others = [(name, one) for name, one in named.items() if one and one.score is not None and one.run_id != row.run_id]
    return [(_label(row), row), *others]


def _curves(board: Board, row: Row, found: Kept | None, named: dict[str, Row | None]) -> str:
    """The row's curve, seed by seed where they are at hand, against floor and skyline."""
    own: list[FloatArray] = list(found.curves) if found else []
    if not own and len(row.curve or ()) > 1:
        own = [np.asarray(row.curve)]
    if not own:
        return ""
    curves = {_label(row): own}
    for name, one in named.items():
        if one and one.run_id != row.run_id and len(one.curve or ()) > 1:
            curves[name if name not in curves else f"{name} (reference)"] = [np.asarray(one.curve)]
    return score_curve_svg(curves, board.curve_axes, f"{board.curve_axes[1]} against {board.curve_axes[0]}")


def _seeds(row: Row, floor: Row | None, skyline: Row | None, found: Kept | None) -> Iterator[Line]:
    """A line for every seed that has a score, or a cell."""
    by_seed = {cell.seed: cell for cell in found.cells} if found else {}
    for seed in sorted({*row.seed_scores, *by_seed}):
        low, high = (one.seed_scores.get(seed) if one else None for one in (floor, skyline))
        yield Line(str(seed), row.seed_scores.get(seed), low, high, by_seed.get(seed))


def _metrics(row: Row, floor: Row | None, skyline: Row | None) -> tuple[dict[str, list[Line]], list[Line]]:
    """Metrics of single classes by name, and all others; ``f1_0, f1_1`` are of classes, ``macro_f1_at_5`` is not."""
    classes: dict[str, list[Line]] = {}
    others = []
    for name, value in row.metrics.items():
        low, high = (one.metrics.get(name) if one else None for one in (floor, skyline))
        line = Line(name, value, low, high)
        of_class = _OF_CLASS.fullmatch(name)
        if of_class and not _COUNTED.fullmatch(of_class[1]):
            classes.setdefault(of_class[1], []).append(Line(of_class[2], line.own, line.floor, line.skyline))
        else:
            others.append(line)
    for name in [name for name, lines in classes.items() if len(lines) < 2]:
        others += [Line(f"{name}_{line.name}", line.own, line.floor, line.skyline) for line in classes.pop(name)]
    return classes, others
