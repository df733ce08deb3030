"""A challenge and a runs directory with a small real board in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.challenge import Challenge, load_challenge
from harness.leaderboard.board import Board, build
from tests.tracking.made import FINGERPRINT, SEEDS, made_run


@pytest.fixture(autouse=True)
def _no_configured_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(scope="session")
def challenge() -> Challenge:
    """A shipped challenge under the name of the made runs."""
    return load_challenge("selection_digits").model_copy(update={"name": "made", "seeds": SEEDS})


@pytest.fixture
def runs_dir(tmp_path: Path) -> Path:
    """Three submissions and both references, delivered."""
    place = tmp_path / "runs"
    made_run(place, "good", 0.9)
    made_run(place, "fair", 0.6)
    made_run(place, "equal", 0.9)
    made_run(place, "reference-random", 0.3, reference=True, isolation="trusted", authors=("harness",))
    made_run(place, "reference-skyline", 0.97, reference=True, isolation="trusted", authors=("harness",))
    return place


@pytest.fixture
def board(challenge: Challenge, runs_dir: Path) -> Board:
    return build(challenge, FINGERPRINT, runs_dir)
