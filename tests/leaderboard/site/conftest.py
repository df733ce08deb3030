"""A site over the board whose participants tried to write more than their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.leaderboard.board import Board
from harness.leaderboard.published import write_board
from harness.leaderboard.site.build import build


@pytest.fixture
def boards(nasty: Board, tmp_path: Path) -> Path:
    """The directory of published boards."""
    write_board(nasty, tmp_path / "boards")
    return tmp_path / "boards"


@pytest.fixture
def site(boards: Path, runs_dir: Path, tmp_path: Path) -> Path:
    """With the runs at hand."""
    build(tmp_path / "site", boards, runs_dir)
    return tmp_path / "site"
