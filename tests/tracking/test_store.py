"""MLflow: a real SQLite store, one run per submission, and what happens when it is not there."""

from __future__ import annotations

import multiprocessing
import sqlite3
import warnings
from contextlib import closing
from pathlib import Path

import pytest

from harness.errors import HarnessError, Status
from harness.tracking import delivery
from harness.tracking.addresses import tracking_uri
from harness.tracking.failures import StoreError
from harness.tracking.mlflow_store import create_database, open_store
from harness.tracking.record import CellRecord
from harness.tracking.runs import RunsDir
from tests.tracking.made import FINGERPRINT, SEEDS, made_run, run_id


@pytest.fixture(autouse=True)
def _no_configured_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def runs_in(place: Path) -> list:  # type: ignore[type-arg]
    return delivery.runs_of(open_store(tracking_uri(place)), "made", FINGERPRINT)


def test_one_run_with_seeds_as_steps(tmp_path: Path) -> None:
    record = made_run(tmp_path, "a", normalised=0.5)
    (run,) = runs_in(tmp_path)
    client = open_store(tracking_uri(tmp_path))
    experiment = client.get_experiment(run.info.experiment_id)
    assert experiment.name == f"made@{FINGERPRINT[:12]}"
    assert experiment.tags["fingerprint"] == FINGERPRINT
    assert experiment.tags["modified"] == "false"
    assert run.info.run_name == "a"
    assert run.info.status == "FINISHED"
    assert run.data.metrics["score"] == record.score
    assert (run.data.metrics["ci_low"], run.data.metrics["ci_high"]) == record.ci95
    assert run.data.metrics["normalised"] == 0.5
    assert run.data.metrics["seconds"] == 0.5 * SEEDS
    assert run.data.params["model.C"] == "1.0"
    assert run.data.tags["data.digits"] == "ef" * 32
    assert run.data.tags["version.harness"] == "0"
    history = client.get_metric_history(run.info.run_id, "seed/score")
    assert {m.step: m.value for m in history} == {c.seed: c.score for c in record.cells}
    assert len(client.get_metric_history(run.info.run_id, "seed/accuracy")) == SEEDS
    assert "seed/never" not in run.data.metrics  # undefined on every seed
    folder = Path(run.info.artifact_uri.removeprefix("file://"))
    assert folder.is_relative_to(tmp_path / "mlartifacts")
    assert {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()} == {
        "record.json",
        "plots/curve.svg",
        "logs.txt",
    }
    assert (folder / "record.json").read_bytes() == (tmp_path / run_id("a") / "record.json").read_bytes()
    assert "--- seed 3 ---\nseed 3 of a\n" in (folder / "logs.txt").read_text()
    assert not (tmp_path / run_id("a") / "undelivered").exists()


def test_a_second_run_replaces_and_the_same_record_is_delivered_once(tmp_path: Path) -> None:
    made_run(tmp_path, "a", 0.7)
    (first,) = runs_in(tmp_path)
    assert delivery.deliver(tmp_path / run_id("a")) == first.info.run_id
    changed = made_run(tmp_path, "a", 0.4)
    (second,) = runs_in(tmp_path)
    assert second.info.run_id != first.info.run_id
    assert second.data.metrics["score"] == changed.score


def test_what_a_restored_experiment_brings_back_is_not_doubled(tmp_path: Path) -> None:
    """With an experiment MLflow restores all of its runs, those that were deleted before, too."""
    made_run(tmp_path, "a")
    client = open_store(tracking_uri(tmp_path))
    (first,) = runs_in(tmp_path)
    client.delete_run(first.info.run_id)
    assert delivery.sync(tmp_path) == ([run_id("a")], {})
    client.delete_experiment(first.info.experiment_id)
    assert delivery.sync(tmp_path) == ([run_id("a")], {})
    assert len(runs_in(tmp_path)) == 1
    assert delivery.sync(tmp_path) == ([], {})


def test_a_failed_run_is_there_with_status_and_reason(tmp_path: Path) -> None:
    cells = (CellRecord(seed=0, status=Status.TIMEOUT, reason="too slow"),)
    made_run(tmp_path, "a", status=Status.TIMEOUT, reason="too slow", score=None, ci95=None, cells=cells)
    (run,) = runs_in(tmp_path)
    assert run.info.status == "FAILED"
    assert (run.data.tags["status"], run.data.tags["reason"]) == ("timeout", "too slow")
    assert "score" not in run.data.metrics


def test_logs_of_a_kept_secret_stay_here(tmp_path: Path) -> None:
    made_run(tmp_path, "a", settings={"name": "made", "secret": None})
    (run,) = runs_in(tmp_path)
    folder = Path(run.info.artifact_uri.removeprefix("file://"))
    assert (folder / "record.json").is_file()
    assert not list(folder.rglob("logs.txt"))


def test_a_thousand_seeds_and_long_settings_fit(tmp_path: Path) -> None:
    cells = tuple(CellRecord(seed=i, status=Status.OK, score=i / 1000, metrics={"m": 1.0}) for i in range(1000))
    settings = {f"key {i}!": "v" * 10_000 for i in range(200)}
    made_run(tmp_path, "a", cells=cells, settings=settings, score=0.4995)
    (run,) = runs_in(tmp_path)
    client = open_store(tracking_uri(tmp_path))
    page = client.get_metric_history(run.info.run_id, "seed/score")
    assert {m.step: m.value for m in page} == {i: i / 1000 for i in range(1000)}
    assert len(run.data.params) == 100


def test_a_locked_store_keeps_the_result_and_sync_delivers_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made_run(tmp_path, "a")
    monkeypatch.setattr("harness.tracking.mlflow_store._BUSY_SECONDS", 0.2)
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as other:
        other.execute("BEGIN EXCLUSIVE")
        record = made_run(tmp_path, "b", deliver=False)
        with pytest.warns(delivery.UndeliveredWarning, match="locked") as caught:
            assert delivery.deliver(tmp_path / run_id("b")) is None
        assert "\n" not in str(caught[0].message)
        assert delivery.undelivered(tmp_path) == [run_id("b")]
        delivered, left = delivery.sync(tmp_path)
        assert delivered == []
        assert "locked" in left[run_id("b")]
    assert RunsDir(tmp_path).load_record(run_id("b")) == record
    assert delivery.sync(tmp_path) == ([run_id("b")], {})
    assert delivery.undelivered(tmp_path) == []
    assert {run.info.run_name for run in runs_in(tmp_path)} == {"a", "b"}


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1:9",  # nobody listens
        "sqlite:////proc/none/mlflow.db",
        "ftp://example.org/x",
        "./mlruns",
        "nonsense://x",
    ],
)
def test_an_unusable_store_is_one_paragraph(tmp_path: Path, uri: str) -> None:
    made_run(tmp_path, "a", deliver=False)
    with pytest.warns(delivery.UndeliveredWarning) as caught:
        assert delivery.deliver(tmp_path / run_id("a"), uri) is None
    assert len(str(caught[0].message)) < 1000
    assert ("http://127.0.0.1:9 cannot be reached" in str(caught[0].message)) == uri.startswith("http")
    assert (tmp_path / run_id("a") / "undelivered").read_text().strip()
    assert delivery.deliver(tmp_path / run_id("a")) is not None


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreError, match=r"mlflow\.db"):
        open_store(tracking_uri(tmp_path))


def test_which_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tracking_uri(tmp_path) == f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://h:1")
    assert tracking_uri(tmp_path) == "http://h:1"
    monkeypatch.chdir(tmp_path)
    assert tracking_uri(tmp_path, "sqlite:///x.db") == f"sqlite:///{tmp_path}/x.db"


def _open(place: str, results: multiprocessing.Queue) -> None:  # type: ignore[type-arg]
    try:
        create_database(Path(place) / "mlflow.db")
        with closing(sqlite3.connect(Path(place) / "mlflow.db")) as database:
            results.put(database.execute("SELECT count(*) FROM experiments").fetchone()[0])
    except Exception as error:  # noqa: BLE001 - reported, whatever it is
        results.put(repr(error))


def test_four_processes_make_one_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From an empty cache: one makes the template, all of them find a whole, empty database."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    context = multiprocessing.get_context("fork")
    results: multiprocessing.Queue = context.Queue()  # type: ignore[type-arg]
    workers = [context.Process(target=_open, args=(str(tmp_path), results)) for _ in range(4)]
    for worker in workers:
        worker.start()
    assert [results.get(timeout=120) for _ in workers] == [1, 1, 1, 1]  # Default
    for worker in workers:
        worker.join()
    assert len(list((tmp_path / "cache").rglob("mlflow-*.db"))) == 1


def test_no_cache_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cache").write_text("a file where the cache should be")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with warnings.catch_warnings():
        warnings.simplefilter("error", delivery.UndeliveredWarning)
        made_run(tmp_path / "runs", "a")
    assert sorted(p.name for p in (tmp_path / "runs").iterdir() if p.name.startswith(".tmp")) == []


def test_a_record_under_another_name_is_refused(tmp_path: Path) -> None:
    made_run(tmp_path, "a", deliver=False)
    (tmp_path / run_id("a")).rename(tmp_path / run_id("b"))
    with pytest.raises(HarnessError, match="another run"):
        delivery.deliver(tmp_path / run_id("b"))
