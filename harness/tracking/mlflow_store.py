"""Opening an MLflow store: which one, made once, and found out quickly where it cannot be used.

mlflow takes a second to import, so it is imported inside the functions that need it. Making its SQLite database runs
all of its migrations: measured from there to the first answer, 2 to 6 seconds (mlflow 3.17, two busy cores; most of it
waits for the disk). A migrated, empty database is kept in the user's cache and copied instead: 0.7 seconds.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from harness.paths import permit
from harness.tracking.addresses import is_database, is_server, shown, sqlite_path, sqlite_uri
from harness.tracking.databases import first_use
from harness.tracking.failures import BROKEN, REBUILD, AddressError, StoreError, store_errors
from harness.tracking.files import TEMPORARY, disk_errors
from harness.tracking.places import location, relocate
from harness.tracking.runs import exclusive

if TYPE_CHECKING:
    from mlflow import MlflowClient

_BUSY_SECONDS = 10.0  # how long a locked database is waited for
_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",  # its errors come as exceptions as well; logged, they would be tracebacks
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # an unreachable server is said after seconds, not minutes
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # a server's address, for every run
    "GIT_PYTHON_REFRESH": "quiet",
    "PGCONNECT_TIMEOUT": "10",  # seconds, read by PostgreSQL's own library
}


def open_store(uri: str) -> MlflowClient:
    """A client of the store, which is made first where it is a database without tables, or a SQLite file that is not there.

    Raises StoreError, within seconds, where the store is locked, read-only, broken, unreachable or of an unknown kind,
    or a package for it is missing.
    """
    _configure()
    path = sqlite_path(uri)
    if path is None and not is_server(uri) and not is_database(uri):
        raise AddressError(
            f"{shown(uri)!r:.200} is not an MLflow store that can be used.",
            "Give an http(s) address, postgresql://USER:PASSWORD@HOST/DATABASE or another database's URI, or "
            "sqlite:////absolute/path/mlflow.db.",
        )
    if path is not None:
        create_database(path)
        _probe(path)
    try:
        from mlflow import MlflowClient
        from sqlalchemy.engine import make_url
    except ImportError as error:
        raise StoreError(f"mlflow cannot be imported: {error}.", "pip install 'mlflow>=3.10,<4'.") from error
    if path is not None and make_url(uri).database != os.fspath(path):  # SQLAlchemy before 2.1 takes % as it stands
        raise StoreError(
            f"The MLflow store {path} has characters in its path that this SQLAlchemy cannot be told.",
            "pip install 'sqlalchemy>=2.1', or choose a directory without %, ? and the like.",
        )
    with first_use(uri) if is_database(uri) else nullcontext():
        return MlflowClient(tracking_uri=uri, registry_uri=uri)


def _configure() -> None:
    if os.path.expanduser("~") == "~":  # noqa: PTH111 - mlflow wants a home when it is imported: a container's
        os.environ["HOME"] = "/"
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)


def create_database(path: Path) -> None:
    """Put an empty, migrated database at ``path`` unless one is there; safe for any number of processes at once."""
    _configure()
    if path.exists() and path.stat().st_size:
        return
    with exclusive(path.with_name(f".{path.name}.lock"), f"the MLflow store {path}", wait_seconds=120):
        if not (path.exists() and path.stat().st_size):
            with disk_errors(f"make the MLflow store {path}"):
                for stale in path.parent.glob(f"{TEMPORARY}{path.name}-*"):  # of a killed process
                    stale.unlink(missing_ok=True)
                _copy(_template(path.parent), path)


def _template(fallback: Path) -> Path:
    """The cached empty database of this version of mlflow, made where it is missing."""
    from importlib.metadata import version

    from harness.data.fetch import cache_dir

    name = f"mlflow-{version('mlflow')}-2.db"  # 2: with the Default experiment
    try:
        cached = cache_dir() / name
        if cached.is_file():
            return cached
        cached.parent.mkdir(parents=True, exist_ok=True)
        folder = cached.parent if os.access(cached.parent, os.W_OK) else fallback
    except OSError:
        folder = fallback
    with tempfile.TemporaryDirectory(prefix=TEMPORARY, dir=folder) as building:
        fresh = Path(building) / name
        _migrate(fresh)
        if folder == fallback:
            target = folder / f"{TEMPORARY}{name}"
            fresh.replace(target)
            return target
        fresh.replace(cached)
    return cached


def _migrate(path: Path) -> None:
    """Make a fresh database with mlflow's tables and its Default experiment alone, which is nowhere yet."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    with store_errors():
        SqlAlchemyStore(sqlite_uri(path), "file:///nowhere")  # type: ignore[no-untyped-call]
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE experiments SET artifact_location = ''")
        database.commit()
        database.execute("VACUUM")


def _copy(source: Path, target: Path) -> None:
    """Put the template at ``target``. Its Default experiment gets a place there: mlflow itself, where there is none, would
    name the current directory in a line of SQL that breaks on a quote.
    """
    descriptor, temporary = tempfile.mkstemp(prefix=f"{TEMPORARY}{target.name}-", dir=target.parent)
    os.close(descriptor)
    try:
        shutil.copyfile(source, temporary)
        with closing(sqlite3.connect(temporary)) as database:
            database.execute("UPDATE experiments SET artifact_location = ?", (location(target.parent, "0" * 12),))
            database.commit()
        permit(Path(temporary))
        Path(temporary).replace(target)
    finally:
        Path(temporary).unlink(missing_ok=True)
        if source.name.startswith(TEMPORARY):
            source.unlink(missing_ok=True)


def _probe(path: Path) -> None:
    """Whether the database can be written now (mlflow itself would retry for minutes); it names its place after a move."""
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=_BUSY_SECONDS)) as database:
            database.execute("BEGIN IMMEDIATE")
            relocate(database, path)
            database.commit()
    except sqlite3.Error as error:
        broken = BROKEN.search(str(error))
        raise StoreError(
            f"The MLflow store {path} cannot be written: {error}.",
            REBUILD if broken else "Close what holds it, or make it writable.",
        ) from error
