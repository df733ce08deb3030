"""docs/mlflow.md as it stands: its server is started by its own line, its queries are asked there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.cli import main
from harness.errors import Status
from harness.tracking import delivery
from tests.tracking.made import SEEDS, challenge, made_run
from tests.tracking.servers import MlflowServer, mlflow_server, postgres

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "mlflow.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.M | re.S)
(QUERIES,) = re.findall(r"^```sql\n(.*?)^```$", PAGE, flags=re.M | re.S)
(SERVER,) = re.findall(r"^    (mlflow server .*)$", PAGE, flags=re.M)
RUNS = {"reference-random": 0.2, "reference-skyline": 0.99, "kmeans_medoids": 0.8, "random": 0.4}

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A runs directory of a shipped challenge's name, one submission of which ran out of time."""
    place = tmp_path_factory.mktemp("team") / "runs"
    of = challenge("selection_digits")
    for name, skill in RUNS.items():
        made_run(place, name, skill, of=of, deliver=False)
    too_slow = {0: (Status.TIMEOUT, "It took longer than 60 s.")}
    made_run(place, "slow", of=of, failed=too_slow, deliver=False)
    return place


@pytest.fixture(scope="module")
def server(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """The page's own server, but for names of places; it has the runs."""
    with postgres() as cluster, mlflow_server(cluster.new("mlflow"), tmp_path_factory.mktemp("server")) as running:
        page, ours = shlex.split(SERVER), running.line()[2:]  # after python -m
        assert [word for word in page if word.startswith("--")] == [word for word in ours if word.startswith("--")]
        assert page[:2] == ours[:2]
        assert page[page.index("--backend-store-uri") + 1].startswith("postgresql+psycopg://")
        assert delivery.sync(place, running.url)[1] == {}
        yield running


def test_every_block_runs(server: MlflowServer, tmp_path: Path) -> None:
    (tmp_path / "page.py").write_text("\n".join(BLOCKS), encoding="utf-8")
    environment = {**os.environ, "MLFLOW_TRACKING_URI": server.url}
    done = subprocess.run(
        [sys.executable, "page.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert [line.split()[0] for line in said[:2]] == ["kmeans_medoids", "random"]
    assert said[2] == "digits 5 runs"
    assert said[3].startswith("[(0, 0.0), (1, ")
    assert said[3].endswith("rows chosen")
    assert len(said[4].split(",")) == SEEDS


@pytest.mark.parametrize("query", QUERIES.splitlines())
def test_every_query_finds_something_and_not_everything(query: str, server: MlflowServer) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(server.url)
    within = [experiment.experiment_id for experiment in client.search_experiments()]
    found = {run.info.run_name for run in client.search_runs(within, query)}
    assert found
    assert found <= {*RUNS, "slow"}
    if "status" in query:
        assert ("slow" in found) == ("!=" in query)


def test_the_page_names_what_a_run_has(server: MlflowServer) -> None:
    """Every metric, tag and param that the page names is there, but for what made runs do not have, and an axis."""
    from mlflow import MlflowClient

    client = MlflowClient(server.url)
    within = [experiment.experiment_id for experiment in client.search_experiments()]
    (run,) = client.search_runs(within, "tags.submission = 'kmeans_medoids'")
    table = PAGE.partition("## What is where")[2].partition("\nA challenge that keeps")[0]
    rows = [line.split("|")[1:3] for line in table.splitlines() if line.startswith("| ")]
    named = {key.strip(): set(re.findall(r"`([^`]+)`", key + value)) for key, value in rows}
    assert named["tags"] - set(run.data.tags) == set()
    metrics = set().union(*(names for key, names in named.items() if key.startswith("metrics")))
    assert metrics - set(run.data.metrics) == {"curve/test_accuracy", "seed/fits", "curve.x"}
    assert named["params"] - set(run.data.params) == {"param.k"}
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert {"record.json", "cells.zip", "submission.zip", "plots", "logs.txt"} == files


def test_the_page_brings_the_others_runs(
    server: MlflowServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url)
    monkeypatch.chdir(tmp_path)
    (line,) = re.findall(r"^    (harness import [^#\n]*)", PAGE, flags=re.M)
    assert main(shlex.split(line)[1:]) == 0
    assert capsys.readouterr().out == f"{len(RUNS) + 1} imported, 0 were here, 0 refused\n"
    assert main(["sync"]) == 0
    assert delivery.undelivered(tmp_path / "runs") == []
