"""Records into MLflow: one experiment per fingerprint, one MLflow run per (challenge, submission), seeds as steps.

The record on disk comes first and stays the truth; MLflow is told afterwards. Where it cannot be told (locked,
unreachable), the run is marked ``undelivered`` and :func:`sync` delivers it later.
"""

from __future__ import annotations

import shutil
import tempfile
import time
import warnings
from collections.abc import Iterable
from datetime import datetime
from functools import partial
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from harness.errors import HarnessError, Status
from harness.tracking import description
from harness.tracking.addresses import is_own, is_server, shown, sqlite_path, tracking_uri
from harness.tracking.archive import CELLS, SUBMISSION, pack_cells, pack_submission
from harness.tracking.failures import StoreError, store_errors
from harness.tracking.files import TEMPORARY, write_text_atomic
from harness.tracking.mlflow_store import open_store
from harness.tracking.places import location
from harness.tracking.reader import experiment_name, open_reader
from harness.tracking.record import Record, record_sha256
from harness.tracking.runs import RunsDir

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

UNDELIVERED = "undelivered"
_PATIENCE = 60.0  # seconds in which a store that has failed is not asked again
_failed: dict[str, tuple[float, str]] = {}  # store -> when it failed in this process, and why
_LOG_TAIL = 4000  # characters of every cell's log that go along
_BATCH = 900  # metrics in one call


class UndeliveredWarning(UserWarning):
    """A run is recorded, but MLflow does not have it yet."""


def deliver(run_dir: Path, uri: str | None = None) -> str | None:
    """Tell MLflow of a recorded run; an earlier delivery of the same run is replaced.

    Returns the MLflow run's id, or None where the store could not be written: the run is then marked and waits for
    :func:`sync`. The first time an :class:`UndeliveredWarning` says so; for a minute the store is then left alone, so
    that a sweep neither waits for each of its runs nor repeats itself. Raises HarnessError where there is no valid
    record.
    """
    record = RunsDir(run_dir.parent).load_record(run_dir.name)
    mark(run_dir)
    where = tracking_uri(run_dir.parent, uri)
    when, why = _failed.get(where, (-_PATIENCE, ""))
    if time.monotonic() - when < _PATIENCE:
        mark(run_dir, why)
        return None
    try:
        mlflow_id = _deliver(run_dir, record, where)
    except StoreError as error:
        _failed[where] = (time.monotonic(), str(error))
        mark(run_dir, str(error))
        given = "" if uri is None else f" --tracking-uri {quote(uri) if shown(uri) == uri else 'URI'}"
        warnings.warn(
            f"MLflow did not take run {record.run_id}: {error.reason} Results are kept in {run_dir.parent}; "
            f"`harness sync --runs-dir {quote(str(run_dir.parent))}{given}` delivers this run, and any that follow it, later.",
            UndeliveredWarning,
            stacklevel=2,
        )
        return None
    (run_dir / UNDELIVERED).unlink(missing_ok=True)
    return mlflow_id


def mark(run_dir: Path, why: str = "Not delivered yet.") -> None:
    """Note in a run's directory that MLflow does not have it, before anything is done that a kill could cut short."""
    write_text_atomic(run_dir / UNDELIVERED, f"{why}\n")


def undelivered(runs_dir: Path) -> list[str]:
    """Ids of recorded runs that MLflow does not have yet."""
    runs = RunsDir(runs_dir)
    return [run_id for run_id in runs.run_ids() if (runs.run_dir(run_id) / UNDELIVERED).exists()]


def sync(runs_dir: Path | str, uri: str | None = None, *, lost: bool = True) -> tuple[list[str], dict[str, str]]:
    """Deliver what is marked undelivered and, if ``lost``, what MLflow has no more: runs, experiments, artifacts.

    Returns the run ids delivered and, for those left, why. The first failure of the store itself ends the attempt:
    what is left after it has the same reason.
    """
    runs = RunsDir(runs_dir)
    waiting = undelivered(runs.path)
    delivered: list[str] = []
    left: dict[str, str] = {}
    try:
        waiting += [] if not lost else _lost(runs, set(waiting), tracking_uri(runs.path, uri))
    except StoreError as error:
        return [], dict.fromkeys(waiting or runs.run_ids(), str(error))
    for i, run_id in enumerate(waiting):
        folder = runs.run_dir(run_id)
        try:
            with runs.lock(run_id, wait_seconds=5):
                record = runs.load_record(run_id)
                where = tracking_uri(runs.path, uri)
                _deliver(folder, record, where)
                _failed.pop(where, None)
                (folder / UNDELIVERED).unlink(missing_ok=True)
        except HarnessError as error:
            if isinstance(error, StoreError):
                left |= dict.fromkeys(waiting[i:], str(error))
                break
            left[run_id] = str(error)
        else:
            delivered.append(run_id)
    return delivered, left


def deliver_anew(runs: RunsDir, run_id: str, uri: str) -> None:
    """Deliver a run even where a delivery looks whole, and replace that one. HarnessError where it cannot be done."""
    with runs.lock(run_id, wait_seconds=5):
        _deliver(runs.run_dir(run_id), runs.load_record(run_id), uri, anew=True)
        (runs.run_dir(run_id) / UNDELIVERED).unlink(missing_ok=True)


def _lost(runs: RunsDir, marked: set[str], uri: str) -> list[str]:
    """Runs that were delivered once and that MLflow does not hold whole any more."""
    digests = {run_id: record_sha256(runs.run_dir(run_id)) for run_id in runs.run_ids() if run_id not in marked}
    reader = open_reader(uri) if digests else None
    if reader is None:
        return list(digests)
    rows = [row for row in reader.all_rows() if row.ended and digests.get(row.run_id) == row.record_sha256]
    held = {row.run_id for row, there in zip(rows, reader.there(rows, "record.json"), strict=True) if there}
    return [run_id for run_id in digests if run_id not in held]


def _whole(client: MlflowClient, run: Run) -> bool:
    """Whether a delivery came to its end and its artifacts are still there."""
    if run.info.status not in ("FINISHED", "FAILED"):
        return False
    with store_errors():
        return "record.json" in {artifact.path for artifact in client.list_artifacts(run.info.run_id)}


def runs_of(client: MlflowClient, challenge: str, fingerprint: str) -> list[Run]:
    """All live MLflow runs of one fingerprint's experiment, newest first; empty where there is none."""
    found: list[Run] = []
    with store_errors():
        experiment = client.get_experiment_by_name(experiment_name(challenge, fingerprint))
        token: str | None = None
        while experiment is not None:
            page = client.search_runs([experiment.experiment_id], max_results=1000, page_token=token)
            found += page
            token = page.token
            if not token:
                break
    return found


@store_errors()
def _deliver(run_dir: Path, record: Record, uri: str, *, anew: bool = False) -> str:
    """The MLflow run's id; ``anew``: replace a delivery even if it looks whole."""
    client = open_store(uri)  # before any other import of mlflow: it sets what mlflow reads once
    from mlflow.entities import RunTag

    digest = record_sha256(run_dir)
    experiment_id = _experiment(client, record, run_dir.parent, uri)
    earlier = client.search_runs([experiment_id], f"tags.run_id = '{record.run_id}'")
    for run in earlier:
        if not anew and run.data.tags.get("record_sha256") == digest and _whole(client, run):
            return _alone(client, str(run.info.run_id), earlier)
    started = int(datetime.fromisoformat(record.created).timestamp() * 1000)
    tags = list(description.tags(record, digest).items())
    run = client.create_run(experiment_id, start_time=started, tags=dict(tags[:90]), run_name=record.submission)
    mlflow_id = str(run.info.run_id)
    _log_data(client, mlflow_id, record)
    with tempfile.TemporaryDirectory(
        prefix=f"{TEMPORARY}deliver-", dir=run_dir
    ) as staging:  # swept by lock() after a kill
        _stage(run_dir, record, Path(staging))
        if not is_own(uri, run_dir.parent):
            _stage_archives(run_dir, record, Path(staging))
        client.log_artifacts(mlflow_id, staging)
    metrics, params = description.metrics(record, started), description.params(record)
    for start in range(0, max(1, len(metrics)), _BATCH):
        rest = [RunTag(key, value) for key, value in tags[90:190]] if start == 0 else []
        batch = metrics[start : start + _BATCH]
        client.log_batch(mlflow_id, metrics=batch, params=params if start == 0 else [], tags=rest)
    seconds = sum(cell.seconds.submission + cell.seconds.scoring for cell in record.cells)
    status = "FINISHED" if record.status is Status.OK else "FAILED"
    client.set_terminated(mlflow_id, status, end_time=started + int(1000 * seconds))
    if is_server(uri):  # a request whose answer was lost is sent again, so that a run may be there twice
        earlier = client.search_runs([experiment_id], f"tags.run_id = '{record.run_id}'")
    return _alone(client, mlflow_id, earlier)  # only now: a kill before this line loses nothing


def _alone(client: MlflowClient, mlflow_id: str, runs: Iterable[Run]) -> str:
    """The id of a whole delivery, when the others of the same run are deleted: older ones, torn ones, restored ones."""
    for run in runs:
        if run.info.run_id != mlflow_id:
            client.delete_run(run.info.run_id)
    return mlflow_id


def _log_data(client: MlflowClient, mlflow_id: str, record: Record) -> None:
    from mlflow.exceptions import MlflowException

    inputs = description.datasets(record)
    try:
        client.log_inputs(mlflow_id, datasets=inputs)
    except MlflowException:  # another process was first to name the same data set in this experiment
        client.log_inputs(mlflow_id, datasets=inputs)


def _experiment(client: MlflowClient, record: Record, runs_dir: Path, uri: str) -> str:
    from mlflow.exceptions import MlflowException

    name = experiment_name(record.challenge, record.fingerprint)
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        database = sqlite_path(uri)
        place = location(runs_dir if database is None else database.parent, record.fingerprint)
        try:
            return str(
                client.create_experiment(name, None if is_server(uri) else place, description.experiment_tags(record))
            )
        except MlflowException:  # another process was first
            experiment = client.get_experiment_by_name(name)
            if experiment is None:
                raise
    if experiment.lifecycle_stage == "deleted":
        client.restore_experiment(experiment.experiment_id)
    return str(experiment.experiment_id)


def _stage(run_dir: Path, record: Record, staging: Path) -> None:
    """Copy what goes along as artifacts: record and plots; in practice the tail of every cell's log, too.

    A log can carry the view out. Where a challenge keeps its secret, logs stay in the runs directory.
    """
    shutil.copyfile(run_dir / "record.json", staging / "record.json")
    for plot in sorted((run_dir / "plots").glob("*.svg")):
        (staging / "plots").mkdir(exist_ok=True)
        shutil.copyfile(plot, staging / "plots" / plot.name)
    if record.settings.get("secret") is None:
        return
    runs = RunsDir(run_dir.parent)
    tails = []
    for cell in record.cells:
        path = runs.cell_dir(record.run_id, cell.seed) / "log.txt"
        if path.is_file() and path.stat().st_size:
            with path.open("rb") as file:
                file.seek(max(0, path.stat().st_size - _LOG_TAIL))
                tails.append(f"--- seed {cell.seed} ---\n{file.read().decode('utf-8', errors='replace')}\n")
    if tails:
        (staging / "logs.txt").write_text("".join(tails), encoding="utf-8")


def _stage_archives(run_dir: Path, record: Record, staging: Path) -> None:
    """Pack cells and submission, with which ``harness import`` makes a runs directory again."""
    runs = RunsDir(run_dir.parent)
    packers = {
        CELLS: partial(pack_cells, runs, record),
        SUBMISSION: partial(pack_submission, runs, record.submission_digest),
    }
    for name, pack in packers.items():
        with (staging / name).open("wb") as file:
            packed = pack(file)
        if not packed:
            (staging / name).unlink()
