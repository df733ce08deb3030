"""A challenge and a runs directory with a small real board in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.leaderboard.board import Board, build
from harness.protocol.challenge import Challenge
from tests.tracking import made
from tests.tracking.made import DATA, made_run


@pytest.fixture(autouse=True, scope="session")
def _no_configured_store() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.delenv("MLFLOW_TRACKING_URI", raising=False)
        yield


@pytest.fixture(scope="session")
def challenge() -> Challenge:
    """A shipped challenge under the name of the made runs."""
    return made.challenge()


@pytest.fixture(scope="session")
def _made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("board") / "runs"
    made_run(place, "reference-random", 0.3)
    made_run(place, "reference-skyline", 0.97)
    made_run(place, "good", 0.9)
    made_run(place, "fair", 0.6)
    made_run(place, "equal", 0.9)
    return place


@pytest.fixture
def runs_dir(tmp_path: Path, _made_once: Path) -> Path:
    """Three submissions and both references, delivered."""
    shutil.copytree(_made_once, tmp_path / "runs")
    return tmp_path / "runs"


@pytest.fixture
def board(challenge: Challenge, runs_dir: Path) -> Board:
    return build(challenge, DATA, runs_dir)
