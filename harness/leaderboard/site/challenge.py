"""The page of a challenge: its board, best rows first, readable on a phone and without JavaScript."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict

import numpy as np

from harness.evaluation.plots import score_curve_svg
from harness.leaderboard import cells
from harness.leaderboard.board import Board
from harness.leaderboard.facts import READING, competition, data, history
from harness.leaderboard.row import Row
from harness.leaderboard.site import layout
from harness.leaderboard.site.pictures import pareto
from harness.leaderboard.text import clean, environment
from harness.protocol.params import shown

_WIDE = 180  # of a row's picture, as its viewBox has it


_FORMATS = {"csv": "CSV", "json": "JSON", "md": "Markdown"}


def body(board: Board, files: Collection[str]) -> str:
    """The body of ``challenges/<page>.html`` in a site: names link to the pages of rows, of the track and of the data.

    ``files``: names of the board's own files that are in the site, to be linked.
    """
    return _body(board, files, in_site=True)


def alone(board: Board) -> str:
    """The same as a page by itself, which `harness leaderboard` writes beside Markdown, CSV and JSON."""
    return layout.page(
        f"{board.title} - leaderboard",
        _body(board, [f"{board.stem}.{suffix}" for suffix in _FORMATS], in_site=False),
        depth=0,
        description=board.description,
        alone=True,
    )


def _body(board: Board, files: Collection[str], *, in_site: bool) -> str:
    scored = [row for row in board.scored() if row.score is not None]
    found = environment()
    found.filters |= {"metric": cells.metric, "interval": cells.interval, "rank_set": cells.rank_set}
    found.filters |= {"params": shown, "cost": cells.cost, "normalised": cells.normalised, "team": cells.team}
    return found.get_template("challenge.html").render(
        board=board,
        in_site=in_site,
        rows=cells.in_order(board),
        names=board.metric_names()[: cells.METRICS_SHOWN],
        better="higher" if board.direction == "max" else "lower",
        picture=Intervals(scored),
        curves=_curves(board, scored),
        pareto=pareto([asdict(row) for row in board.scored()], board.metric, board.direction),
        reading=READING,
        history=history(board),
        said=competition(board),
        about=data(board),
        teams=cells.has_teams(board),
        formats={name: file for suffix, name in _FORMATS.items() if (file := f"{board.stem}.{suffix}") in files},
        earlier=_earlier(board, in_site),
    )


class Intervals:
    """Where scores and intervals lie on a line over all ``rows``: called with a row it gives low, score and high in pixels.

    None for a row without a score.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        values = [value for row in rows for value in (row.score, *(row.ci95 or ())) if value is not None]
        self._low, high = min(values, default=0.0), max(values, default=1.0)
        self._span = (high - self._low) or 1.0

    def __call__(self, row: Row) -> tuple[float, float, float] | None:
        if row.score is None:
            return None
        low, high = row.ci95 or (row.score, row.score)
        return self._at(low), self._at(row.score), self._at(high)

    def _at(self, value: float) -> float:
        return round(6 + (value - self._low) / self._span * (_WIDE - 12), 1)


def _curves(board: Board, scored: Sequence[Row]) -> str:
    """Mean curves of the first rows; a single point is no curve."""
    rows = [row for row in scored if len(row.curve or ()) > 1][: cells.CURVES_SHOWN]
    names = [row.submission for row in rows]  # not unique: authors may choose the same
    labels = [n if names.count(n) == 1 else f"{n} {row.run_id[-6:]}" for n, row in zip(names, rows, strict=True)]
    curves = {clean(label): [np.asarray(row.curve)] for label, row in zip(labels, rows, strict=True)}
    return score_curve_svg(curves, board.curve_axes, "Mean curves") if curves else ""


def _earlier(board: Board, in_site: bool) -> list[tuple[str, str]]:
    """Pages of other phases and versions of the challenge."""
    final = board.phase is not None and board.phase["name"] == "final"
    public = [(f"{board.challenge}.public.html", "the public phase")] if final else []
    return [*public, *(("../boards/" * in_site + path, cells.page_name(path)) for path in board.archived)]
