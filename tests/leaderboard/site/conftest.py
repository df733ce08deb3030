"""A site over the board whose participants tried to write more than their names."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.leaderboard.board import Board
from harness.leaderboard.published import write_board
from harness.leaderboard.site.build import build


@pytest.fixture(scope="session")
def _site_once(nasty_once: tuple[Board, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("site")
    board, runs = nasty_once
    write_board(board, place / "boards")
    build(place / "site", place / "boards", runs)
    return place


@pytest.fixture
def site(_site_once: Path) -> Path:
    """With the runs at hand; no test changes it."""
    return _site_once / "site"


@pytest.fixture
def boards(_site_once: Path, tmp_path: Path) -> Path:
    """A copy of the published boards."""
    return Path(shutil.copytree(_site_once / "boards", tmp_path / "boards"))


@pytest.fixture
def runs_dir(nasty_once: tuple[Board, Path], tmp_path: Path) -> Path:
    """A copy of their runs, without the MLflow store."""
    return Path(shutil.copytree(nasty_once[1], tmp_path / "runs", ignore=shutil.ignore_patterns("ml*")))
