"""Challenges of an organiser's own, small enough for tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from harness.protocol.founding import Wish, found

Make = Callable[..., Path]


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own, where secrets are kept and no key lies; data sets stay in the cache that is there."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.delenv("HARNESS_KEY", raising=False)
    return home


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """A config directory with the challenge ``quality``: 300 rows of a table, two seeds."""
    rng = np.random.default_rng(5)
    rows = [
        f"{k + rng.normal():.5f},{rng.normal():.5f},{rng.normal():.5f},{'bad' if k else 'good'}" for k in (0, 1) * 150
    ]
    (tmp_path / "quality.csv").write_text("\n".join(["a,b,c,state", *rows]) + "\n")
    found(Wish("quality", "debugging", tmp_path / "quality.csv", {"label": "state"}), tmp_path / "conf")
    add(tmp_path / "conf" / "challenge" / "quality.yaml", "seeds: 2")
    return tmp_path / "conf"


def add(file: Path, *lines: str) -> None:
    """Further lines of a challenge's file."""
    file.write_text(file.read_text() + "".join(f"{line}\n" for line in lines))


def plain(file: Path) -> dict[str, object]:
    values: dict[str, object] = yaml.safe_load(file.read_text())
    return values
