"""What an MLflow store holds, read in bulk: a database by one query a table, a server run by run.

MLflow 3.17 has no public call that is fast for 10,000 runs: ``search_runs`` builds every tag, parameter and metric of a
run as objects, histories come one run at a time, and bulk histories exist in its SQL store alone, for 1000 ids a
statement. So databases are read through SQLAlchemy; the five tables used have kept these columns since MLflow 1.0.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from harness.errors import HarnessError
from harness.tracking.addresses import is_database, is_server, sqlite_path
from harness.tracking.databases import engine
from harness.tracking.failures import StoreError, store_errors
from harness.tracking.mlflow_store import open_store
from harness.tracking.places import local_path, resolved
from harness.tracking.record import MAX_RECORD_BYTES

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from sqlalchemy import Connection

_TAGS = ("run_id", "record_sha256")
_THREADS = 8  # requests to a server at once
T = TypeVar("T")


@dataclass(frozen=True)
class Experiment:
    """A live experiment."""

    experiment_id: str
    name: str
    tags: Mapping[str, str]

    @property
    def ours(self) -> bool:
        """Whether a harness made it."""
        return self.name == experiment_name(self.tags.get("challenge", ""), self.tags.get("fingerprint", ""))


@dataclass(frozen=True)
class Held:
    """A live MLflow run."""

    mlflow_id: str
    experiment: str  # its name
    name: str
    status: str  # MLflow's: RUNNING, FINISHED, FAILED ...
    run_id: str  # of the record it was delivered from; empty where it has no such tag
    record_sha256: str
    artifacts: str  # address, resolved for a store that was moved
    metrics: Mapping[str, float]  # the last value of each

    @property
    def ended(self) -> bool:
        """Whether its delivery came to its end; others were killed half-way, or are under way."""
        return self.status not in ("RUNNING", "SCHEDULED")

    def __str__(self) -> str:
        return f"MLflow run {self.mlflow_id} ({self.name!r:.80}, run id {self.run_id!r:.120})"


class Reader:
    """Reads one store; changes nothing in it. HarnessError where it cannot be read, StoreError where it is none."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._opened: MlflowClient | None = None

    def experiments(self) -> list[Experiment]:
        """All live experiments, those of other programs, too."""
        raise NotImplementedError

    def rows(self, experiment: Experiment) -> list[Held]:
        """All live runs of an experiment, newest first."""
        raise NotImplementedError

    def all_rows(self) -> list[Held]:
        """The live runs of all experiments that a harness made."""
        return [row for experiment in self.experiments() if experiment.ours for row in self.rows(experiment)]

    def histories(self, rows: Sequence[Held], key: str) -> dict[str, dict[int, float]]:
        """A metric's value at each step, for each of the runs by its MLflow id."""
        raise NotImplementedError

    def artifact(self, row: Held, name: str, limit: int = MAX_RECORD_BYTES) -> bytes:
        """Content of an artifact. Raises HarnessError where it is missing, unreadable or has more bytes than ``limit``."""
        folder = local_path(row.artifacts)
        try:
            if folder is not None:
                return _content(folder / name, name, limit)
            with store_errors(), tempfile.TemporaryDirectory(prefix="harness-artifact-") as fetched:
                listed = {found.path: found.file_size or 0 for found in self.client.list_artifacts(row.mlflow_id)}
                if name not in listed:
                    raise FileNotFoundError(2, "no such artifact")
                if listed[name] > limit:
                    raise HarnessError(_too_large(name, limit))
                return _content(Path(self.client.download_artifacts(row.mlflow_id, name, fetched)), name, limit)
        except StoreError as error:
            raise HarnessError(f"its artifact {name} is missing or unreadable ({error.reason})") from error
        except OSError as error:
            raise HarnessError(f"its artifact {name} is missing or unreadable ({error.strerror}).") from error

    def there(self, rows: Sequence[Held], name: str) -> list[bool]:
        """Whether each of the runs has the artifact."""

        def one(row: Held) -> bool:
            folder = local_path(row.artifacts)
            if folder is not None:
                return (folder / name).is_file()
            with store_errors():
                return name in {found.path for found in self.client.list_artifacts(row.mlflow_id)}

        return self._each(one, rows)

    def digests(self, rows: Sequence[Held], name: str) -> dict[str, str | HarnessError]:
        """SHA-256 of an artifact of each run, by MLflow id, or why it cannot be had."""

        def one(row: Held) -> str | HarnessError:
            try:
                return hashlib.sha256(self.artifact(row, name)).hexdigest()
            except HarnessError as error:
                return error

        return {row.mlflow_id: found for row, found in zip(rows, self._each(one, rows), strict=True)}

    @property
    def client(self) -> MlflowClient:
        """MLflow's own client, opened when it is first needed."""
        if self._opened is None:
            self._opened = open_store(self.uri)
        return self._opened

    def _each(self, act: Callable[[Held], T], rows: Sequence[Held]) -> list[T]:
        if all(local_path(row.artifacts) is not None for row in rows):
            return [act(row) for row in rows]
        with ThreadPoolExecutor(_THREADS) as pool:
            return list(pool.map(act, rows))


class ServerReader(Reader):
    """Through MLflow's client, as http servers must be read."""

    def experiments(self) -> list[Experiment]:
        pages = _pages(lambda token: self.client.search_experiments(max_results=1000, page_token=token))
        return [Experiment(str(found.experiment_id), found.name, found.tags) for found in pages]

    def rows(self, experiment: Experiment) -> list[Held]:
        within = [experiment.experiment_id]
        found = _pages(lambda token: self.client.search_runs(within, max_results=1000, page_token=token))
        return [
            Held(
                mlflow_id=run.info.run_id,
                experiment=experiment.name,
                name=run.info.run_name or "",
                status=run.info.status,
                run_id=run.data.tags.get("run_id", ""),
                record_sha256=run.data.tags.get("record_sha256", ""),
                artifacts=run.info.artifact_uri or "",
                metrics=run.data.metrics,
            )
            for run in found
        ]

    def histories(self, rows: Sequence[Held], key: str) -> dict[str, dict[int, float]]:
        def one(row: Held) -> dict[int, float]:
            with store_errors():
                return {metric.step: metric.value for metric in self.client.get_metric_history(row.mlflow_id, key)}

        client = self.client  # opened once, not by each thread
        assert client is not None
        with ThreadPoolExecutor(_THREADS) as pool:
            return dict(zip((row.mlflow_id for row in rows), pool.map(one, rows), strict=True))


class DatabaseReader(Reader):
    """Through SQLAlchemy; a SQLite file is made by nobody who only reads, and may be read-only."""

    def experiments(self) -> list[Experiment]:
        tags: dict[str, dict[str, str]] = {}
        with self._connected() as connection:
            for number, key, value in _select(connection, "experiment_tags", ["experiment_id", "key", "value"]):
                tags.setdefault(str(number), {})[key] = value
            live = _select(connection, "experiments", ["experiment_id", "name"], lifecycle_stage="active")
        return [Experiment(str(number), name, tags.get(str(number), {})) for number, name in live]

    def rows(self, experiment: Experiment) -> list[Held]:
        columns = ["run_uuid", "name", "status", "artifact_uri", "start_time"]
        of = {"experiment_id": int(experiment.experiment_id), "lifecycle_stage": "active"}
        tags: dict[str, dict[str, str]] = {}
        metrics: dict[str, dict[str, float]] = {}
        with self._connected() as connection:  # runs first: what they had when they had ended they have now
            live = _select(connection, "runs", columns, **of)
            within = {row[0] for row in live}
            for key in _TAGS:
                for run, value in _select(connection, "tags", ["run_uuid", "value"], key=key):
                    tags.setdefault(run, {})[key] = value
            for run, key, value, is_nan in _select(
                connection, "latest_metrics", ["run_uuid", "key", "value", "is_nan"], key=FINAL
            ):
                if run in within:
                    metrics.setdefault(run, {})[key] = float("nan") if is_nan else value
        database = sqlite_path(self.uri)
        return [
            Held(
                mlflow_id=run,
                experiment=experiment.name,
                name=name or "",
                status=status,
                run_id=tags.get(run, {}).get("run_id") or "",
                record_sha256=tags.get(run, {}).get("record_sha256") or "",
                artifacts=resolved(artifacts or "", database),
                metrics=metrics.get(run, {}),
            )
            for run, name, status, artifacts, _ in sorted(live, key=lambda row: (-(row[4] or 0), row[0]))
        ]

    def histories(self, rows: Sequence[Held], key: str) -> dict[str, dict[int, float]]:
        found: dict[str, dict[int, float]] = {row.mlflow_id: {} for row in rows}
        with self._connected() as connection:  # without the runs' ids the primary key alone answers, in order
            for run, step, value, is_nan in _select(
                connection, "metrics", ["run_uuid", "step", "value", "is_nan"], key=key
            ):
                if run in found:
                    found[run][step] = float("nan") if is_nan else value
        return found

    def made(self) -> bool:
        """Whether the database has MLflow's tables."""
        with self._connected() as connection:
            from sqlalchemy import inspect

            return inspect(connection).has_table("alembic_version")  # the last that MLflow makes

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        with store_errors():
            from sqlalchemy import create_engine
            from sqlalchemy.pool import NullPool

            path = sqlite_path(self.uri)
            if path is None:
                reading = engine(self.uri)
            else:  # as a file's own address: SQLAlchemy before 2.1 takes % in a path as it stands
                address = f"{path.as_uri()}?mode=rw"  # read-only where the file is
                reading = create_engine(
                    "sqlite://", poolclass=NullPool, creator=lambda: sqlite3.connect(address, uri=True, timeout=10)
                )
            with reading.connect() as connection:
                yield connection


FINAL = ("score", "ci_low", "ci_high", "normalised", "seconds")
"""Metrics that speak for a whole run."""


def open_reader(uri: str) -> Reader | None:
    """A reader of the store; None where it is a SQLite file, or are tables of a database, that nobody has made."""
    path = sqlite_path(uri)
    if path is not None and not (path.exists() and path.stat().st_size):
        return None
    if is_server(uri):
        return ServerReader(uri)
    if path is None and not is_database(uri):
        open_store(uri)  # says what it would have to be
    reader = DatabaseReader(uri)
    return reader if path is not None or reader.made() else None


def experiment_name(challenge: str, fingerprint: str) -> str:
    """Name of the MLflow experiment that holds all runs of one fingerprint."""
    return f"{challenge}@{fingerprint[:12]}"


def _select(connection: Connection, name: str, columns: list[str], **equal: Any) -> Sequence[Any]:
    """Rows of a table where columns have a value, or one of some."""
    from sqlalchemy import column, select, table

    source = table(name, *(column(word) for word in {*columns, *equal}))
    query = select(*(source.c[word] for word in columns))
    for word, value in equal.items():
        query = query.where(source.c[word].in_(value) if isinstance(value, tuple) else source.c[word] == value)
    return connection.execute(query).fetchall()


def _pages(ask: Callable[[str | None], Any]) -> Iterator[Any]:
    token: str | None = None
    while True:
        with store_errors():
            page = ask(token)
        yield from page
        token = page.token
        if not token:
            return


def _content(path: Path, name: str, limit: int) -> bytes:
    """A regular file's bytes, without following a link in its place."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise HarnessError(_too_large(name, limit))
    return content


def _too_large(name: str, limit: int) -> str:
    return f"its artifact {name} is larger than {limit // 2**20} MB."
