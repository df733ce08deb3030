"""Boards on a terminal: a table, and around it in sentences what does not fit into columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli import terminal

_REASON = 400  # characters

if TYPE_CHECKING:
    from harness.leaderboard.board import Board
    from harness.leaderboard.suite import SuiteBoard


def show(board: Board) -> None:
    """Print the ranked rows and the references, then why other rows do not rank, then the notes."""
    from harness.leaderboard.render import rich_table
    from harness.leaderboard.text import clean

    print(f"{board.challenge}  {board.fingerprint[:12]}")
    if board.ranked or board.references:
        terminal.console().print(rich_table(board))
    if not board.ranked:
        print("Nothing is ranked yet.")
    if board.unranked:
        print("\nnot ranked")
    for row in board.unranked:
        whose = f"{row.submission} (team {row.team})" if row.team else row.submission
        why = row.reason[:_REASON] if row.reason and row.status == "ok" else f"{row.status}: {row.reason[:_REASON]}"
        terminal.say(clean(why), label=f"  {clean(whose)}: ")
    _notes(board.notes)


def show_suite(board: SuiteBoard) -> None:
    """Print the suite's table, in two parts where one is too wide."""
    from harness.leaderboard.suite_page import legend, rich_tables

    terminal.say(f"suite {board.suite}: {board.title}")
    for table in rich_tables(board, terminal.width()):
        terminal.console().print(table)
        print()
    terminal.say(legend(board))
    _notes(board.notes)


def written(paths: Sequence[Path]) -> None:
    """Say where a board's files are."""
    terminal.say(", ".join(map(str, paths)), label="written  ")
    print()


def _notes(notes: Sequence[str]) -> None:
    if notes:
        print()
    for note in notes:
        terminal.say(note, label="note: ")
