"""A board as Markdown, CSV, JSON, a self-contained HTML page and a table for the terminal.

The same board gives the same bytes. Text that participants wrote is stripped of control characters and escaped for
each format; the HTML pages load nothing from elsewhere and carry a content policy that forbids it.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from harness.leaderboard.board import Board
from harness.leaderboard.cells import METRICS_SHOWN as _METRICS_SHOWN
from harness.leaderboard.cells import PARAMS as _PARAMS
from harness.leaderboard.cells import TEAM as _TEAM
from harness.leaderboard.cells import cost as _cost
from harness.leaderboard.cells import has_teams as _has_teams
from harness.leaderboard.cells import in_order as _in_order
from harness.leaderboard.cells import interval as _interval
from harness.leaderboard.cells import metric as _metric
from harness.leaderboard.cells import normalised as _normalised
from harness.leaderboard.cells import page_name as _page
from harness.leaderboard.cells import rank as _rank
from harness.leaderboard.cells import team as _team
from harness.leaderboard.facts import READING, facts
from harness.leaderboard.text import clean as _clean
from harness.leaderboard.text import csv_cell as _csv
from harness.leaderboard.text import md as _md
from harness.leaderboard.text import number as _number
from harness.protocol.params import shown as _shown

if TYPE_CHECKING:
    from rich.table import Table

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
        *_PARAMS[: board.has_params],
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
                *([_shown(row.params)] if board.has_params else []),
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
    head = [
        "rank",
        *_TEAM[: 2 * _has_teams(board)],
        "submission",
        *_PARAMS[: board.has_params],
        "authors",
        board.metric,
    ]
    head += ["95 % interval", "normalised", *names]
    head += ["s / seed", "fits / seed", "MB", "seeds", "isolation", "device", "date", "reproduced", "run"]
    lines = [f"# {_md(board.title)}", "", _md(board.description), "", *(f"- {fact}" for fact in facts(board)), ""]
    lines += ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in _in_order(board):
        cells = [_rank(row), *_team(row)[: 2 * _has_teams(board)], row.submission]
        cells += [*([_shown(row.params)] if board.has_params else []), ", ".join(row.authors)]
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
        below = [*_TEAM[:1], "submission", *_PARAMS[: board.has_params], "authors", "status", "reason", "date", "run"][
            not _has_teams(board) :
        ]
        lines += ["", "## Not ranked", "", "| " + " | ".join(below) + " |", "|" + "---|" * len(below)]
        for row in board.unranked:
            cells = [
                _team(row)[0],
                row.submission,
                *([_shown(row.params)] if board.has_params else []),
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
    """One page that works without network: the site's page of the challenge, in a file by itself."""
    from harness.leaderboard.site.challenge import alone  # with jinja2

    return alone(board)


def rich_table(board: Board) -> Table:
    """The rows with a score for a terminal, in less than 80 columns unless names are long.

    Title, rows that do not rank and notes are sentences, which whoever prints the table writes around it.
    """
    from rich.table import Table
    from rich.text import Text

    rows = _in_order(board)
    interval = "95 % interval"
    head = ["rank (95 %)", "team", "submission", "params", board.metric, interval, "norm.", "s/seed", "reproduced"]
    left = {"rank (95 %)", "team", "submission", "params", "reproduced"}
    without = {name for name, there in (("team", _has_teams(board)), ("params", board.has_params)) if not there}
    if not any(row.reproduced for row in rows):
        without.add("reproduced")
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for name in head:
        if name not in without:
            table.add_column(
                name,
                justify="left" if name in left else "right",
                no_wrap=name not in ("team", "submission", "params"),
                overflow="fold",
            )
    for row in rows:
        ends = "" if row.ci95 is None else f"{row.ci95[0]:.3f} to {row.ci95[1]:.3f}"
        numbers = [_number(row.score), ends, _number(row.normalised, 2), _cost(row.seconds)]
        cells = [_rank(row), _team(row)[0], row.submission, _shown(row.params), *numbers, row.reproduced]
        shown = [Text(_clean(cell)) for name, cell in zip(head, cells, strict=True) if name not in without]
        table.add_row(*shown, style="" if row.rank else "dim")
    return table
