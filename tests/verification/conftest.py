"""A runs directory with rows of every kind, and copies of it to be edited."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.errors import Status
from harness.protocol.challenge import Challenge
from tests.tracking import made
from tests.tracking.made import made_run


@pytest.fixture(autouse=True, scope="session")
def _no_configured_store() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.delenv("MLFLOW_TRACKING_URI", raising=False)
        yield


@pytest.fixture(scope="session")
def challenge() -> Challenge:
    """The challenge of the made runs."""
    return made.challenge()


def easier() -> Challenge:
    """The same challenge with a pinned setting overridden: another fingerprint."""
    track = made.challenge().track.model_copy(update={"budget": 200})
    return made.challenge().model_copy(update={"track": track, "modified": True})


@pytest.fixture(scope="session")
def _made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows that rank (good, rival, weak, fair), that do not (magic, slow), without isolation (open), of another protocol."""
    place = tmp_path_factory.mktemp("verified") / "runs"
    for name, skill in (("reference-random", 0.3), ("reference-skyline", 0.8)):
        made_run(place, name, skill)
        made_run(place, name, skill, of=easier(), modified=True)
    made_run(place, "good", 0.75)
    made_run(place, "rival", 0.65)
    made_run(place, "weak", 0.6, isolation="landlock")
    made_run(place, "fair", 0.5)
    made_run(place, "magic", 1.0)
    made_run(place, "slow", 0.6, failed={2: (Status.TIMEOUT, "60 s were not enough")})
    made_run(place, "open", 0.6, isolation="none")
    made_run(place, "moved", 0.7, of=easier(), modified=True)
    return place


@pytest.fixture
def runs(tmp_path: Path, _made_once: Path) -> Path:
    shutil.copytree(_made_once, tmp_path / "runs")
    return tmp_path / "runs"
