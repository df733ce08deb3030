"""What MLflow is told of a run: its data set, its curve, settings to compare, tags to find it by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.protocol import specifications
from harness.tracking import delivery, description
from harness.tracking.addresses import tracking_uri
from harness.tracking.mlflow_store import open_store
from harness.tracking.record import Record
from tests.tracking.made import CLASSES, DATA, FINGERPRINT, challenge, made_run
from tests.tracking.test_held import compared


@pytest.fixture(autouse=True)
def _no_configured_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def search(place: Path, query: str = "") -> list[Any]:
    client = open_store(tracking_uri(place))
    experiments = [found.experiment_id for found in client.search_experiments()]
    return list(client.search_runs(experiments, query))


def record(place: Path, **changes: Any) -> Record:
    return made_run(place, "a", deliver=False, **changes)


def points(of: Record) -> list[tuple[int, float]]:
    found = [metric for metric in description.metrics(of, 0) if metric.key.startswith("curve/")]
    return [(metric.step, metric.value) for metric in found]


def test_a_run_names_its_data_set_and_is_found_by_it(tmp_path: Path) -> None:
    made_run(tmp_path, "a")
    made_run(tmp_path, "b")
    for query in ("name = 'digits'", f"digest = '{DATA[:12]}'", "context = 'selection'"):
        assert {run.info.run_name for run in search(tmp_path, f"dataset.{query}")} == {"a", "b"}
    assert search(tmp_path, "dataset.name = 'wine'") == []
    (one,) = search(tmp_path, "dataset.name = 'digits' and tags.submission = 'a'")
    (used,) = one.inputs.dataset_inputs
    assert json.loads(used.dataset.source) == challenge().published()["dataset"]
    assert json.loads(used.dataset.profile) == {"targets": "y", "num_classes": CLASSES, "sha256": DATA}
    assert [column["name"] for column in json.loads(used.dataset.schema)["mlflow_colspec"]] == ["X", "y"]
    assert compared(tmp_path) == []


def test_a_data_set_carries_its_licence(tmp_path: Path) -> None:
    said = specifications.load("digits").facts()
    made_run(tmp_path, "a", dataset=said)
    (one,) = search(tmp_path, "dataset.name = 'digits'")
    (used,) = one.inputs.dataset_inputs
    tags = {tag.key: tag.value for tag in used.tags}
    assert tags == {"mlflow.data.context": "selection", **said}
    assert said["license"] == "CC-BY-4.0"


def test_nothing_secret_is_told(tmp_path: Path) -> None:
    """Neither of a challenge that keeps its secret nor of an open one, and no link that was signed for one person."""
    own = {
        "name": "table",
        "url": "https://me:hidden-1@example.org/x.csv?signature=hidden-2",
        "label": "outcome",
        "password": "hidden-3",
        "store": {"api_key": "hidden-4", "rows": 7},
    }
    told = record(tmp_path, settings={"secret": "hidden-5", "dataset": own, "model": {"name": "knn"}})
    (used,) = description.datasets(told)
    everything = repr([dict(used.dataset), description.params(told), description.tags(told, "")])
    everything += repr(description.experiment_tags(told))
    assert "hidden" not in everything.replace("hidden-1@example.org/x.csv?signature=hidden-2", "")
    source = json.loads(used.dataset.source)
    assert source == {
        "name": "table", "url": "https://example.org/x.csv", "label": "outcome", "store": {"rows": 7}
    }  # fmt: skip
    assert json.loads(used.dataset.profile or "")["targets"] == "outcome"


def test_settings_of_the_model_come_first_where_not_all_fit(tmp_path: Path) -> None:
    settings = {f"other_{i}": i for i in range(200)} | {"model": {"name": "knn", "k": 5}, "title": "words"}
    found = {param.key: param.value for param in description.params(record(tmp_path, settings=settings))}
    assert len(found) == description.MAX_PARAMS
    assert (found["model.name"], found["model.k"]) == ("knn", "5")
    assert "title" not in found


def test_a_curve_of_counts_has_them_as_steps(tmp_path: Path) -> None:
    told = record(tmp_path, curve=tuple((float(10 * i), i / 4) for i in range(5)))
    assert points(told) == [(0, 0.0), (10, 0.25), (20, 0.5), (30, 0.75), (40, 1.0)]
    found = description.tags(told, "")
    assert (found["curve.x"], found["curve.y"]) == ("rows chosen", "macro-F1")


def test_a_curve_of_shares_counts_thousandths(tmp_path: Path) -> None:
    valuation = {"track": {"name": "valuation"}}
    told = record(tmp_path, curve=tuple((i / 200, 1.0) for i in range(101)), settings=valuation)
    steps = [step for step, _ in points(told)]
    assert (steps[0], steps[-1], len(steps)) == (0, 500, description.CURVE_POINTS)
    assert description.tags(told, "")["curve.x"] == "share of rows removed, in thousandths"
    names = {metric.key for metric in description.metrics(told, 0)}
    assert "curve/test_accuracy" in names


@pytest.mark.parametrize("x", [(0.0001, 0.0002, 0.0003), (2.0, 2.0, 5.0), (1e300, 2e300, 3e300)])
def test_a_curve_of_anything_else_counts_its_points(x: tuple[float, ...], tmp_path: Path) -> None:
    told = record(tmp_path, curve=tuple((value, 1.0) for value in x), settings={"track": {"name": "gone:Away"}})
    assert [step for step, _ in points(told)] == [0, 1, 2]
    assert description.tags(told, "")["curve.x"] == "point of the curve, in the order of x"


@pytest.mark.parametrize("curve", [None, (), ((1.0, 2.0),)])
def test_what_is_no_curve_is_not_told(curve: Any, tmp_path: Path) -> None:
    told = record(tmp_path, curve=curve)
    assert points(told) == []
    assert "curve.x" not in description.tags(told, "")


def test_the_store_has_the_whole_curve_and_the_challenges_words(tmp_path: Path) -> None:
    told = made_run(tmp_path, "a")
    (run,) = search(tmp_path)
    client = open_store(tracking_uri(tmp_path))
    history = client.get_metric_history(run.info.run_id, "curve/macro-F1")
    assert told.curve is not None
    assert {m.step: m.value for m in history} == {int(x): y for x, y in told.curve}
    experiment = client.get_experiment_by_name(f"made@{FINGERPRINT[:12]}")
    assert experiment is not None
    assert challenge().title in experiment.tags["mlflow.note.content"]


def test_a_delivery_that_was_repeated_on_the_way_is_there_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where an answer of a server is lost and MLflow's client asks again: the run exists twice for a moment."""
    made_run(tmp_path, "a")
    from mlflow import MlflowClient

    real = MlflowClient.create_run
    monkeypatch.setattr(delivery, "is_server", lambda uri: True)

    def twice(*args: Any, **kwargs: Any) -> Any:
        real(*args, **kwargs)
        return real(*args, **kwargs)

    monkeypatch.setattr(MlflowClient, "create_run", twice)
    told = made_run(tmp_path, "b", deliver=False)
    assert delivery.deliver(tmp_path / told.run_id) is not None
    assert sorted(run.info.run_name for run in search(tmp_path)) == ["a", "b"]
    assert compared(tmp_path) == []
