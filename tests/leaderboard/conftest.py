"""A challenge and a runs directory with a small real board in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.errors import Status
from harness.leaderboard.board import Board, build
from harness.protocol.challenge import Challenge
from tests.leaderboard.browser import BAR, FORMULA, HIDDEN, NASTY, axe_source, launched
from tests.tracking import made
from tests.tracking.made import DATA, made_run

if TYPE_CHECKING:
    from playwright.sync_api import Browser


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


@pytest.fixture(scope="session")
def nasty_once(challenge: Challenge, _made_once: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Board, Path]:
    """A board whose participants tried to write more than their names, and its runs; tests change neither."""
    runs = tmp_path_factory.mktemp("nasty") / "runs"
    shutil.copytree(_made_once, runs)
    reason = f"failed {NASTY} {BAR} {HIDDEN}"
    made_run(runs, "nasty", 0.8, authors=(NASTY, BAR, FORMULA), description=NASTY)
    made_run(runs, "worse", 0.8, authors=(FORMULA,), failed={0: (Status.CRASHED, reason)})
    return build(challenge, DATA, runs), runs


@pytest.fixture
def nasty(nasty_once: tuple[Board, Path]) -> Board:
    return nasty_once[0]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@pytest.fixture(scope="session")
def axe() -> str:
    """The script of axe-core."""
    return axe_source(Path.home() / ".cache" / "harness-tests")
