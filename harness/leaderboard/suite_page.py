"""A suite's board as Markdown, CSV, JSON, a self-contained HTML page and a table for the terminal, as boards are."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.evaluation.plots import Bar, interval_svg, score_curve_svg
from harness.leaderboard.site.layout import page
from harness.leaderboard.suite import Gap, Place, SuiteBoard, SuiteRow
from harness.leaderboard.text import clean, csv_cell, environment, md, number

if TYPE_CHECKING:
    from rich.table import Table

_CURVES_SHOWN = 6

READING = (
    "Normalised: 0 is the mean of the random reference on that challenge, 1 that of the skyline, both taken as fixed. Score: "
    "mean of the normalised scores over challenges, each of which weighs the same; where a submission is missing it counts "
    "as the floor, 0. Interval: 95 %, Student's t over seeds within challenges, degrees of freedom after Welch and "
    "Satterthwaite. Rank set: ranks that the row may have, for all rows at once with 95 % confidence, from step-down tests "
    "of all pairs, paired by seed. Beats average: probability to beat a row of average ability on one seed of one challenge "
    "(Bradley-Terry, every challenge weighs the same), 95 % by bootstrap of seeds."
)


def file_name(suite: str) -> str:
    """Name of a suite's files, without suffix."""
    return f"suite_{suite}"


def rendered(board: SuiteBoard) -> dict[str, str]:
    """The board as text by the suffix of its file; its JSON comes last (published.py)."""
    return {"md": markdown(board), "csv": as_csv(board), "html": html(board)}


def as_csv(board: SuiteBoard) -> str:
    """A line for each row, with normalised score, rank and reason for missing on every challenge."""
    head = ["rank", "rank_low", "rank_high", "submission", "authors", "score", "ci_low", "ci_high", "behind_first"]
    head += ["behind_first_low", "behind_first_high", "behind_first_p", "ability", "beats_average", "beats_average_low"]
    head += ["beats_average_high"]
    for part in board.challenges:
        head += [f"{part.challenge} normalised", f"{part.challenge} rank", f"{part.challenge} missing"]
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(head)
    for row in board.ranked:
        gap = row.behind_first
        values: list[Any] = [row.rank, *row.rank_ci95, row.submission, "; ".join(row.authors), row.score]
        values += [*(row.ci95 or (None, None)), gap and gap.difference, *((gap and gap.ci95) or (None, None))]
        values += [gap and gap.adjusted, row.ability, row.beats_average, *(row.beats_average_ci95 or (None, None))]
        for part in board.challenges:
            place = row.places[part.challenge]
            values += [place.normalised, place.rank, place.missing]
        writer.writerow([csv_cell(value) for value in values])
    return buffer.getvalue()


def markdown(board: SuiteBoard) -> str:
    """The board as a GitHub-flavoured table."""
    head = ["rank", "submission", "authors", "score", "95 % interval", "behind the first", "beats average"]
    head += [f"[{part.challenge}]({part.challenge}.md)" for part in board.challenges]
    lines = [f"# {md(board.title)}", "", md(board.description), "", f"- {facts(board)}", ""]
    lines += ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in board.ranked:
        cells = [_rank(row), row.label, ", ".join(row.authors), number(row.score, 3), _interval(row.ci95)]
        cells += [_gap(row.behind_first), _wins(row), *(_place(row.places[p.challenge]) for p in board.challenges)]
        lines.append("| " + " | ".join(md(cell) for cell in cells) + " |")
    lines += ["", *(f"- {md(note)}" for note in board.notes), *([""] if board.notes else []), READING]
    return "\n".join(lines) + "\n"


def html(board: SuiteBoard) -> str:
    """One page that works without network."""
    bars = [Bar(clean(row.label), row.score, *row.ci95) for row in board.ranked if row.ci95]
    shown = board.ranked[:_CURVES_SHOWN]
    names = [clean(row.label) for row in shown]  # not unique: authors may choose the same
    labels = [n if names.count(n) == 1 else f"{row.rank} {n}" for n, row in zip(names, shown, strict=True)]
    curves = {label: [np.column_stack([board.taus, row.profile])] for label, row in zip(labels, shown, strict=True)}
    axes = ("normalised score s", "share of runs above s")
    found = environment()
    found.filters |= {"set": _rank, "ends": _interval, "gap": _gap, "wins": _wins, "place": _place}
    body = found.get_template("suite.html").render(
        board=board,
        facts=facts(board),
        file=file_name(board.suite),
        intervals=interval_svg(bars, "mean normalised score", "Overall scores with 95 % intervals") if bars else "",
        profiles=score_curve_svg(curves, axes, "Performance profiles"),
        reading=READING,
    )
    return page(f"{board.title} - suite", body, depth=0, description=board.description, alone=True)


def rich_tables(board: SuiteBoard, width: int) -> list[Table]:
    """The board for a terminal: one table, or where that is wider than ``width`` columns, one of ranks and one of challenges.

    Challenges have numbers; :func:`legend` says which is which.
    """
    from rich.table import Table
    from rich.text import Text

    numbers = [str(i) for i in range(1, len(board.challenges) + 1)]
    rows = []
    for row in board.ranked:
        half = f" ± {row.ci95[1] - row.score:.3f}" if row.ci95 else ""
        cells = [_rank(row), row.label, number(row.score, 3) + half, f"{row.beats_average:.0%}"]
        places = [row.places[part.challenge] for part in board.challenges]
        rows.append([*map(clean, cells), *("-" if p.missing else f"{p.normalised:.2f}" for p in places)])
    head = ["rank", "submission", "score, 95 %", "wins", *numbers]
    wide = sum(max(map(len, column)) + 1 for column in zip(head, *rows, strict=True))
    parts = [range(len(head))] if wide <= width else [range(4), [1, *range(4, len(head))]]
    tables = []
    for part in parts:
        table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
        for column in part:
            words = head[column] == "submission"
            table.add_column(head[column], justify="left" if words else "right", no_wrap=not words, overflow="fold")
        for cells in rows:
            table.add_row(*(Text(cells[column]) for column in part))
        tables.append(table)
    return tables


def legend(board: SuiteBoard) -> str:
    """What the columns of :func:`rich_tables` are."""
    names = ", ".join(f"{i} {part.challenge}" for i, part in enumerate(board.challenges, 1))
    return f"Wins against an average row. Normalised scores: {names}; -: missing, counted as the floor."


def facts(board: SuiteBoard) -> str:
    """What is ranked over what, in one line."""
    parts = [f"{p.challenge} ({p.seeds} {'seed' if p.seeds == 1 else 'seeds'})" for p in board.challenges]
    count = f"{len(parts)} {'challenge' if len(parts) == 1 else 'challenges'}"
    return f"Suite {board.suite}, {board.task} submissions; {count}: {', '.join(parts)}."


def _rank(row: SuiteRow) -> str:
    low, high = row.rank_ci95
    return f"{row.rank} ({low} to {high})" if low < high else str(row.rank)


def _interval(ends: tuple[float, float] | None) -> str:
    return "" if ends is None else f"{ends[0]:.3f} to {ends[1]:.3f}"


def _gap(gap: Gap | None) -> str:
    if gap is None:
        return ""
    return f"{gap.difference:.3f}" + (f" ({_interval(gap.ci95)})" if gap.ci95 else "")


def _wins(row: SuiteRow) -> str:
    ends = row.beats_average_ci95
    return f"{row.beats_average:.0%}" + (f" ({ends[0]:.0%} to {ends[1]:.0%})" if ends else "")


def _place(place: Place) -> str:
    return "missing: counted as the floor" if place.missing else f"{place.normalised:.3f}, rank {place.rank}"
