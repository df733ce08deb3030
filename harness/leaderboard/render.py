"""A board as Markdown, CSV, JSON, a self-contained HTML page and a table for the terminal.

The same board gives the same bytes. Text that participants wrote is stripped of control characters and escaped for
each format; the HTML pages load nothing from elsewhere and carry a content policy that forbids it.
"""

from __future__ import annotations

import csv
import io
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.evaluation.plots import Bar, interval_svg, score_curve_svg
from harness.leaderboard.board import Board, Row
from harness.leaderboard.facts import READING, competition, data, facts, history
from harness.leaderboard.text import clean as _clean
from harness.leaderboard.text import csv_cell as _csv
from harness.leaderboard.text import environment
from harness.leaderboard.text import md as _md
from harness.leaderboard.text import number as _number

if TYPE_CHECKING:
    from jinja2 import Template
    from rich.table import Table

_METRICS_SHOWN = 5  # secondary metrics in tables for people; CSV and JSON have all
_CURVES_SHOWN = 6
_PLAIN_COLUMNS = (
    "seconds", "scoring_seconds", "peak_memory_mb", "submission_fits", "seeds", "isolation", "device", "date", "status",
    "reproduced", "run_id", "submission_digest", "reason",
)  # fmt: skip


def rendered(board: Board) -> dict[str, str]:
    """The board as text by the suffix of its file; its JSON comes last and is made of these, too (published.py)."""
    return {"md": markdown(board), "csv": as_csv(board), "html": html(board)}


def as_csv(board: Board) -> str:
    """All rows and all secondary metrics; text that a spreadsheet would run as a formula is quoted with an apostrophe."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    names = board.metric_names()
    head = [
        "kind",
        "rank",
        "rank_low",
        "rank_high",
        *(["team", "team_name", "entries"] if _has_teams(board) else []),
        "submission",
        "authors",
        "score",
        "ci_low",
        "ci_high",
        "normalised",
    ]
    head += ["normalised_low", "normalised_high", *_PLAIN_COLUMNS, *names]
    writer.writerow(head)
    for kind, rows in (("ranked", board.ranked), ("reference", board.references), ("unranked", board.unranked)):
        for row in rows:
            values: list[Any] = [
                kind,
                row.rank,
                *(row.rank_ci95 or (None, None)),
                *([row.team, row.team_name, row.attempts] if _has_teams(board) else []),
                row.submission,
                "; ".join(row.authors),
            ]
            values += [row.score, *(row.ci95 or (None, None)), row.normalised, *(row.normalised_ci95 or (None, None))]
            values += [getattr(row, name) for name in _PLAIN_COLUMNS]
            values += [row.metrics.get(name) for name in names]
            writer.writerow([_csv(value) for value in values])
    return buffer.getvalue()


def markdown(board: Board) -> str:
    """The board as a GitHub-flavoured table."""
    names = board.metric_names()[:_METRICS_SHOWN]
    head = ["rank", *_TEAM[: 2 * _has_teams(board)], "submission", "authors", board.metric, "95 % interval"]
    head += ["normalised", *names]
    head += ["s / seed", "fits / seed", "MB", "seeds", "isolation", "device", "date", "reproduced", "run"]
    lines = [f"# {_md(board.title)}", "", _md(board.description), "", *(f"- {fact}" for fact in facts(board)), ""]
    lines += ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in _in_order(board):
        cells = [_rank(row), *_team(row)[: 2 * _has_teams(board)], row.submission, ", ".join(row.authors)]
        cells += [
            _number(row.score),
            _interval(row),
            _normalised(row),
            *(_metric(row.metrics.get(name)) for name in names),
        ]
        cells += [
            _cost(row.seconds),
            _number(row.submission_fits, 0),
            _number(row.peak_memory_mb, 0),
            str(row.seeds),
            row.isolation,
            row.device,
            row.date,
        ]
        cells += [row.reproduced, row.run_id]
        lines.append("| " + " | ".join(_md(cell) for cell in cells) + " |")
    if not board.ranked:
        lines += ["", "Nothing is ranked yet."]
    if board.unranked:
        below = [*_TEAM[:1], "submission", "authors", "status", "reason", "date", "run"][not _has_teams(board) :]
        lines += ["", "## Not ranked", "", "| " + " | ".join(below) + " |", "|" + "---|" * len(below)]
        for row in board.unranked:
            cells = [
                _team(row)[0],
                row.submission,
                ", ".join(row.authors),
                row.status,
                row.reason[:300],
                row.date,
                row.run_id,
            ]
            cells = cells[not _has_teams(board) :]
            lines.append("| " + " | ".join(_md(cell) for cell in cells) + " |")
    if board.archived:
        lines += [
            "",
            f"Earlier versions: {', '.join(f'[{_md(_page(path))}]({path[:-5]}.md)' for path in board.archived)}.",
        ]
    lines += ["", *(f"- {_md(note)}" for note in board.notes), *([""] if board.notes else []), READING]
    return "\n".join(lines) + "\n"


def html(board: Board) -> str:
    """One page that works without network."""
    scored = [row for row in board.scored() if row.score is not None]
    bars = [Bar(_clean(r.team_name or r.submission), r.score or 0.0, *r.ci95, r.rank is None) for r in scored if r.ci95]
    better = "higher" if board.direction == "max" else "lower"
    with_curves = [row for row in scored if len(row.curve or ()) > 1][:_CURVES_SHOWN]  # a single point is no curve
    names = [row.submission for row in with_curves]  # not unique: authors may choose the same
    labels = [n if names.count(n) == 1 else f"{n} {row.run_id[-6:]}" for n, row in zip(names, with_curves, strict=True)]
    curves = {_clean(label): [np.asarray(row.curve)] for label, row in zip(labels, with_curves, strict=True)}
    return template("board.html").render(
        board=board,
        rows=_in_order(board),
        names=board.metric_names()[:_METRICS_SHOWN],
        better=better,
        intervals=interval_svg(bars, f"{board.metric} ({better} is better)", "Scores with 95 % intervals")
        if bars
        else "",
        curves=score_curve_svg(curves, board.curve_axes, "Mean curves") if curves else "",
        reading=READING,
        history=history(board),
        said=competition(board),
        about=data(board),
        teams=_has_teams(board),
        earlier=[*_public_page(board), *((path, _page(path)) for path in board.archived)],
    )


def rich_table(board: Board) -> Table:
    """The rows with a score for a terminal, in less than 80 columns unless names are long.

    Title, rows that do not rank and notes are sentences, which whoever prints the table writes around it.
    """
    from rich.table import Table
    from rich.text import Text

    rows = _in_order(board)
    interval = "95 % interval"
    head = ["rank (95 %)", "team", "submission", board.metric, interval, "norm.", "s/seed", "reproduced"]
    left = {"rank (95 %)", "team", "submission", "reproduced"}
    without = {"team"} if not _has_teams(board) else set()
    if not any(row.reproduced for row in rows):
        without.add("reproduced")
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for name in head:
        if name not in without:
            table.add_column(
                name,
                justify="left" if name in left else "right",
                no_wrap=name not in ("team", "submission"),
                overflow="fold",
            )
    for row in rows:
        ends = "" if row.ci95 is None else f"{row.ci95[0]:.3f} to {row.ci95[1]:.3f}"
        numbers = [_number(row.score), ends, _number(row.normalised, 2), _cost(row.seconds)]
        cells = [_rank(row), _team(row)[0], row.submission, *numbers, row.reproduced]
        shown = [Text(_clean(cell)) for name, cell in zip(head, cells, strict=True) if name not in without]
        table.add_row(*shown, style="" if row.rank else "dim")
    return table


def _in_order(board: Board) -> list[Row]:
    """Ranked rows by rank, each reference before the first ranked row that it beats."""
    rows: list[Row] = list(board.ranked)
    sign = 1.0 if board.direction == "max" else -1.0
    for reference in reversed(board.references):
        if reference.score is None:
            rows.append(reference)
            continue
        worse = (i for i, row in enumerate(rows) if row.score is None or sign * row.score < sign * reference.score)
        rows.insert(next(worse, len(rows)), reference)
    return rows


@cache
def template(name: str) -> Template:
    """A page of this room, with what its cells need."""
    found = environment()
    found.filters |= {"metric": _metric, "interval": _interval, "rank": _rank, "cost": _cost}
    found.filters |= {"normalised": _normalised, "team": _team}
    return found.get_template(name)


def _rank(row: Row) -> str:
    if row.rank is None:
        return "-"
    low, high = row.rank_ci95 or (row.rank, row.rank)
    return str(row.rank) if low == high else f"{row.rank} ({low} to {high})"


_TEAM = ("team", "entries")


def _has_teams(board: Board) -> bool:
    return board.teams is not None


def _team(row: Row) -> tuple[str, str]:
    """The team as people read it, and how many entries it has made."""
    named = f"{row.team_name} ({row.team})" if row.team_name else row.team or ""
    return named, str(row.attempts) if row.team else ""


def _public_page(board: Board) -> list[tuple[str, str]]:
    """The page of the public phase, from that of the final one."""
    final = board.phase is not None and board.phase["name"] == "final"
    return [(f"{board.challenge}.public.html", "the public phase")] if final else []


def _page(path: str) -> str:
    """What a link to an earlier version's page says."""
    return path.split("/")[1].replace("-v", ", version ")


def _metric(value: float | None) -> str:
    return _number(value, 4 if value is None or abs(value) < 10 else 1)


def _normalised(row: Row) -> str:
    return "-" if row.normalised is None and row.score is not None else _number(row.normalised, 3)


def _interval(row: Row) -> str:
    return "" if row.ci95 is None else f"{row.ci95[0]:.4f} to {row.ci95[1]:.4f}"


def _cost(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds:.2f}" if seconds < 100 else f"{seconds:.0f}"
