"""A small competition on data of an organiser's own, and entries to it."""

from __future__ import annotations

import hashlib
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from harness.data.fetch import cache_dir
from harness.protocol.founding import Wish, found
from tests.competition.owned import add

FIRST = "def select(task):\n    return list(range(task.budget))\n"
LAST = "def select(task):\n    return list(range(len(task.X) - task.budget, len(task.X)))\n"
LEAKS = """def select(task):
    print("row", task.X[0].tolist())
    raise ValueError(f"row {task.X[0]}")
"""
FLIPS = """
defaults:
  - override /track: selection
  - override /dataset: patients
  - override /model: logistic
title: Choose patients to train on
secret: 5f2d8c1e9ab34706d1e0c7b8a9f01234
baseline: random
seeds: 2
teams: teams.yaml
track: {pool: 100, budget: 20}
"""


@dataclass(frozen=True)
class Place:
    """Where a competition is kept."""

    root: Path

    @property
    def conf(self) -> str:
        return str(self.root / "conf")

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def inbox(self) -> Path:
        return self.root / "inbox"

    @property
    def reports(self) -> Path:
        return self.root / "reports"

    def words(self, *words: str) -> list[str]:
        """A command's words, with config and runs directories."""
        return [*words, "--config-dir", self.conf, "--runs-dir", str(self.runs)]

    def rules(self, text: str) -> None:
        """Change the challenge: what is there, and these lines."""
        (self.root / "conf/challenge/flips.yaml").write_text(FLIPS + text, encoding="utf-8")

    def teams(self, *teams: tuple[str, str | None]) -> None:
        """A roster of ids and tokens."""
        lines = [f"  - {{id: {i}, name: Team {i}, contact: {i}@example.org{_token(token)}}}" for i, token in teams]
        (self.root / "conf/teams.yaml").write_text("\n".join(["teams:", *lines, ""]), encoding="utf-8")


def _token(token: str | None) -> str:
    return f", token_sha256: {hashlib.sha256(token.encode()).hexdigest()}" if token else ""


def files(name: str, code: str = FIRST, **more: str) -> dict[str, str]:
    """A submission's files."""
    manifest = f"name: {name}\ntrack: selection\nentry: algorithm:select\nauthors: [{name} et al.]\n"
    return {"submission.yaml": f"{manifest}description: An entry.\nlicense: MIT\n", "algorithm.py": code, **more}


def folder(place: Path, contents: Mapping[str, str]) -> Path:
    """These files in a folder."""
    place.mkdir(parents=True)
    for name, text in contents.items():
        (place / name).write_text(text, encoding="utf-8")
    return place


def packed(path: Path, contents: Mapping[str, str], around: str = "") -> Path:
    """These files as an archive, by the suffix of its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, text in contents.items():
                archive.writestr(around + name, text)
        return path
    with tarfile.open(path, "w:gz") as tar:
        for name, text in contents.items():
            content = text.encode()
            info = tarfile.TarInfo(around + name)
            info.size = len(content)
            import io

            tar.addfile(info, io.BytesIO(content))
    return path


@pytest.fixture(autouse=True)
def _no_key_of_this_user(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
    monkeypatch.delenv("HARNESS_KEY", raising=False)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A challenge ``flips`` on a table of 400 made-up patients, a roster of T1 (with a token, ``alpha``) and T2."""
    rng = np.random.default_rng(7)
    X = rng.normal(size=(400, 4))
    y = np.where(X[:, 0] + 0.5 * X[:, 1] + rng.normal(scale=0.7, size=400) > 0, "ill", "well")
    found = Place(tmp_path)
    for name in ("challenge", "dataset", "data"):
        (tmp_path / "conf" / name).mkdir(parents=True)
    lines = [",".join([*(f"{v:.4f}" for v in row), label]) for row, label in zip(X, y, strict=True)]
    table = tmp_path / "conf/data/patients.csv"
    table.write_text("\n".join(["a,b,c,d,outcome", *lines, ""]), encoding="utf-8")
    sha256 = hashlib.sha256(table.read_bytes()).hexdigest()
    (tmp_path / "conf/dataset/patients.yaml").write_text(
        f"name: table\npath: data/patients.csv\nsha256: {sha256}\nlabel: outcome\n", encoding="utf-8"
    )
    found.rules("")
    found.teams(("T1", "alpha"), ("T2", None))
    found.inbox.mkdir()
    return found


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own, where secrets are kept and no key lies; data sets, and the empty MLflow store of which
    others are copies, stay in the cache that is there.
    """
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache_dir().parent))
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.delenv("HARNESS_KEY", raising=False)
    return home


@pytest.fixture
def conf(tmp_path: Path, own_home: Path) -> Path:
    """A config directory with the challenge ``quality``: 300 rows of a table, two seeds."""
    rng = np.random.default_rng(5)
    rows = [
        f"{k + rng.normal():.5f},{rng.normal():.5f},{rng.normal():.5f},{'bad' if k else 'good'}" for k in (0, 1) * 150
    ]
    (tmp_path / "quality.csv").write_text("\n".join(["a,b,c,state", *rows]) + "\n")
    found(Wish("quality", "debugging", tmp_path / "quality.csv", {"label": "state"}), tmp_path / "conf")
    add(tmp_path / "conf" / "challenge" / "quality.yaml", "seeds: 2")
    return tmp_path / "conf"
