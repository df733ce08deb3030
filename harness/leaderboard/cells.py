"""What the cells of a board's tables say, the same in Markdown, HTML and on a terminal."""

from __future__ import annotations

from harness.leaderboard.board import Board
from harness.leaderboard.row import Row
from harness.leaderboard.text import number

METRICS_SHOWN = 5
"""Secondary metrics in tables for people; CSV, JSON and the page of a row have all."""

CURVES_SHOWN = 6
TEAM = ("team", "entries")
PARAMS = ("params",)


def in_order(board: Board) -> list[Row]:
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


def rank(row: Row) -> str:
    """The rank, and behind it the set that it may be of; a dash for a row that has none."""
    return "-" if row.rank is None else f"{row.rank} {rank_set(row)}".strip()


def rank_set(row: Row) -> str:
    """The 95 % confidence set of the rank, in brackets; empty where it holds one rank."""
    low, high = row.rank_ci95 or (row.rank, row.rank)
    return "" if low == high else f"({low} to {high})"


def has_teams(board: Board) -> bool:
    """Whether a board has a roster."""
    return board.teams is not None


def team(row: Row) -> tuple[str, str]:
    """The team as people read it, and how many entries it has made."""
    named = f"{row.team_name} ({row.team})" if row.team_name else row.team or ""
    return named, str(row.attempts) if row.team else ""


def metric(value: float | None) -> str:
    """A secondary metric."""
    return number(value, 4 if value is None or abs(value) < 10 else 1)


def normalised(row: Row) -> str:
    """The place between floor and skyline; a dash where the two cannot be told apart."""
    return "-" if row.normalised is None and row.score is not None else number(row.normalised, 3)


def interval(row: Row) -> str:
    """Both ends."""
    return "" if row.ci95 is None else f"{row.ci95[0]:.4f} to {row.ci95[1]:.4f}"


def cost(seconds: float | None) -> str:
    """Seconds, with decimals where they say something."""
    if seconds is None:
        return ""
    return f"{seconds:.2f}" if seconds < 100 else f"{seconds:.0f}"


def page_name(path: str) -> str:
    """What a link to an earlier version's page says."""
    return path.split("/")[1].replace("-v", ", version ")
