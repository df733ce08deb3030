"""Clusters of real daemons on this machine; whoever has not got the parts is told which."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from tests.clusters import place, slurm

CHALLENGES = {
    "small_digits": "defaults: [override /track: debugging, override /dataset: digits, override /model: logistic]\n"
    "title: Small\nbaseline: random\nseeds: 3\ntrack: {train: 60, validation: 20, test: 200}\n",
    "small_net": "defaults: [override /track: debugging, override /dataset: wine, override /model: mlp]\n"
    "title: With torch\nbaseline: random\nseeds: 2\nmodel: {updates: 60}\ntrack: {train: 60, validation: 10, test: 80, noise: 0.2}\n",
}  # fmt: skip


@pytest.fixture(scope="session")
def submissions(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Folders of submissions: ``quick`` answers at once, ``slow`` after a while, ``fails`` on some seeds."""
    sources = {
        "quick": "def rank(task):\n    return task.rng.permutation(len(task.y))\n",
        "slow": place.SLOW.format(seconds=0.6),
        "endless": place.SLOW.format(seconds=500),
        "fails": "def rank(task):\n    if task.y.sum() % 2:\n        raise ValueError('an odd seed')\n    return [0, 1]\n",
    }
    folder = tmp_path_factory.mktemp("submissions")
    for name, source in sources.items():
        (folder / name).mkdir()
        manifest = {"name": name, "track": "debugging", "entry": "algorithm:rank", "authors": ["Tester"]}
        manifest |= {"description": "made by a test", "license": "Apache-2.0"}
        (folder / name / "submission.yaml").write_text(yaml.safe_dump(manifest))
        (folder / name / "algorithm.py").write_text(source)
    (folder / "challenge").mkdir()
    for name, text in CHALLENGES.items():
        (folder / "challenge" / f"{name}.yaml").write_text(text)
    return SimpleNamespace(**{name: folder / name for name in sources}, config=folder)


def sweep(submissions: SimpleNamespace) -> list[str]:
    """A sweep over two challenges, three submissions and a few seeds; one of the submissions fails."""
    entries = f"submission={submissions.quick},{submissions.fails},knn_shapley"
    return ["-m", "challenge=small_digits,small_net", entries, "--config-dir", str(submissions.config)]


@pytest.fixture(scope="session")
def expected(tmp_path_factory: pytest.TempPathFactory, submissions: SimpleNamespace) -> SimpleNamespace:
    """What ``launcher=local`` makes of the sweep."""
    runs = tmp_path_factory.mktemp("local") / "runs"
    place.ended(place.start(runs, *sweep(submissions)), code=1)  # one submission fails
    return SimpleNamespace(
        results=place.results(runs), board=place.board(runs, submissions.config),
        sweep=sweep(submissions), config=submissions.config,
    )  # fmt: skip


@contextmanager
def short_folder() -> Iterator[Path]:
    """A directory that others may enter, as munge's user has to, and of a short name, as sockets need: no tmp_path."""
    with tempfile.TemporaryDirectory(prefix="cl-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="module")
def slurm_cluster() -> Iterator[dict[str, str]]:
    pytest.importorskip("submitit", reason="submitit is not installed (pip install 'harness[slurm]')")
    if why := slurm.missing():
        pytest.skip(f"no Slurm: {why}")
    with short_folder() as folder, slurm.cluster(folder) as environment:
        yield environment
