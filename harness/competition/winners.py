"""The announcement: who won, who cannot be told from the winner, and why, in words that a newspaper could print."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isclose
from typing import Any

from harness.errors import HarnessError
from harness.leaderboard.board import Board, Row
from harness.leaderboard.text import clean

_ORDINAL = {1: "first", 2: "second", 3: "third"}
_PLACES = 3  # that are named


@dataclass(frozen=True)
class Announcement:
    """Text and facts of a board's first places."""

    board: Board
    first: tuple[Row, ...]  # those of which each may be the best, the one with the best score at the head
    lines: tuple[str, ...]  # paragraphs

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        rows = [
            {"rank": row.rank, "rank_ci95": row.rank_ci95, "team": row.team, "name": named(row)}
            | {"submission": row.submission, "score": row.score, "ci95": row.ci95, "run_id": row.run_id}
            for row in self.board.ranked
        ]
        return {
            "challenge": self.board.challenge,
            "version": self.board.version,
            "fingerprint": self.board.fingerprint,
            "phase": self.board.phase["name"] if self.board.phase else None,
            "first": [row.team or row.submission for row in self.first],
            "rows": rows,
            "text": "\n\n".join(self.lines),
        }


def announce(board: Board) -> Announcement:
    """The announcement of a board. Raises HarnessError where nobody is ranked."""
    if not board.ranked:
        raise HarnessError(f"Nobody is ranked on the board of {board.challenge}, so nobody has won.")
    first = tuple(row for row in board.ranked if row.rank == 1 or (row.rank_ci95 and row.rank_ci95[0] == 1))
    return Announcement(board, first, tuple(_paragraphs(board, first)))


def named(row: Row) -> str:
    """The team, else the submission and its authors, as people call them."""
    return clean(row.team_name or row.team or f"{row.submission} ({', '.join(row.authors)})")


def _paragraphs(board: Board, first: Sequence[Row]) -> Iterator[str]:
    attempts = {row.team or row.run_id: row.attempts for row in (*board.ranked, *board.unranked)}
    who, entries = f"{len(attempts)} {'submissions' if board.teams is None else 'teams'}", sum(attempts.values())
    part = (
        " on hidden data that no earlier score was computed on"
        if board.phase and board.phase["name"] == "final"
        else ""
    )
    yield (
        f"{clean(board.title)}: {who} took part with {entries} entries. They were scored by {board.metric} "
        f"({'higher' if board.direction == 'max' else 'lower'} is better){part}, as the mean of {board.seeds} repetitions "
        "with other splits and other chance."
    )
    yield _verdict(board, first)
    yield from _places(board)
    if tied := list(_ties(board)):
        yield " ".join(tied)
    placed = {row.team for row in board.ranked if row.team}
    if left_out := [row for row in board.unranked if row.team not in placed]:
        below = "; ".join(f"{named(row)}: {clean(row.reason).rstrip('.')[:200]}" for row in left_out)
        yield f"Not ranked: {below}."
    yield (
        "A place is given by the score. The range behind it says which places the data allow, with 95 % confidence for all "
        "rows together: where two ranges overlap, another draw of the data could exchange the two."
    )
    yield (
        f"The board rests on line {board.ledger['lines']} of the organiser's ledger ({board.ledger['sha256'][:16]}), "
        f"protocol {board.fingerprint[:16]}; `harness verify` and `harness reproduce` check it."
    )


def _verdict(board: Board, first: Sequence[Row]) -> str:
    best = first[0]
    if best.rank_ci95 is None:
        return f"{named(best)} wins, by the rule of this protocol: its score ranks, however little it is sure of."
    if len(board.ranked) == 1:
        return f"{named(best)} is the only one ranked."
    if len(first) == 1:
        return f"{named(best)} wins. With 95 % confidence no other is better."
    others = _listed([named(row) for row in first[1:]])
    return (
        f"{named(best)} has the best score, and {others} cannot be told from it: each of these {len(first)} may be the best, "
        "and the differences between them are no larger than chance makes them. An honest headline names all of them."
    )


def _places(board: Board) -> Iterator[str]:
    for row in board.ranked[:_PLACES]:
        low, high = row.rank_ci95 or (row.rank, row.rank)
        places = f"place {low}" if low == high else f"places {low} to {high} possible"
        interval = f" (95 % interval {row.ci95[0]:.4f} to {row.ci95[1]:.4f})" if row.ci95 else ""
        yield f"{_ORDINAL[row.rank or 1].capitalize()}: {named(row)}, {row.score:.4f}{interval}; {places}."


def _ties(board: Board) -> Iterator[str]:
    """What decided between rows of the very same score."""
    for above, below in zip(board.ranked, board.ranked[1:], strict=False):
        if isclose(above.score or 0.0, below.score or 0.0, rel_tol=0, abs_tol=1e-12):
            by, rule = board.tie_break, "the one handed in earlier stands first"
            if by and above.metrics.get(by) != below.metrics.get(by):
                rule = f"the one with the higher {by} stands first"
            yield f"{named(above)} and {named(below)} have the very same score; {rule}."


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
