"""Opening an MLflow store: which one, made once, and found out quickly where it cannot be used.

mlflow takes a second to import, so it is imported inside the functions that need it. Making its SQLite database runs
all of its migrations: measured from there to the first answer, 2 to 6 seconds (mlflow 3.17, two busy cores; most of it
waits for the disk). A migrated, empty database is kept in the user's cache and copied instead: 0.7 seconds.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from harness.errors import HarnessError
from harness.paths import permit
from harness.tracking.files import TEMPORARY, disk_errors
from harness.tracking.places import relocate
from harness.tracking.runs import exclusive

if TYPE_CHECKING:
    from mlflow import MlflowClient

DATABASE = "mlflow.db"
_BUSY_SECONDS = 10.0  # how long a locked database is waited for
_SQLITE, _WITH_DRIVER = "sqlite:///", "sqlite+pysqlite:///"
_BROKEN = re.compile(r"not a database|malformed|no such (table|column)|disk image")
_REBUILD = "`harness sync --rebuild` sets a runs directory's store aside and makes it again from the records."
_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",  # its errors come as exceptions as well; logged, they would be tracebacks
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # an unreachable server is said after seconds, not minutes
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "GIT_PYTHON_REFRESH": "quiet",
}


class StoreError(HarnessError):
    """The MLflow store is locked, unreachable, broken or not one; results stay local and are delivered later."""


def tracking_uri(runs_dir: Path, configured: str | None = None) -> str:
    """The store's URI: as configured, else ``MLFLOW_TRACKING_URI``, else SQLite under the runs directory."""
    uri = configured or os.environ.get("MLFLOW_TRACKING_URI") or sqlite_uri(runs_dir / DATABASE)
    path = sqlite_path(uri)
    return uri if path is None else sqlite_uri(path)


def sqlite_uri(path: Path) -> str:
    """The URI that stands for a database file, whatever characters its path has; :func:`sqlite_path` turns it back."""
    plain = os.fspath(path.absolute())
    quoted = quote(plain)
    # With the driver's name mlflow does not make directories for the path as it stands in the URI.
    return (_SQLITE if quoted == plain else _WITH_DRIVER) + quoted


def is_own(uri: str, runs_dir: Path) -> bool:
    """Whether a store is the runs directory's own database, beside the very files that were recorded."""
    path = sqlite_path(uri)
    return path is not None and path.resolve() == (runs_dir / DATABASE).resolve()


def shown(uri: str) -> str:
    """A store's URI as it may stand on a screen and in a ledger: without user and password."""
    return re.sub(r"//[^/]*@", "//", uri)


def sqlite_path(uri: str) -> Path | None:
    """The database file of a SQLite URI, None for other stores."""
    scheme, found, path = uri.partition(":///")
    return Path(unquote(path.partition("?")[0])) if found and f"{scheme}:///" in (_SQLITE, _WITH_DRIVER) else None


def open_store(uri: str) -> MlflowClient:
    """A client of the store, which is made first where it is a SQLite file that does not exist yet.

    Raises StoreError, within seconds, where the store is locked, read-only, broken or of an unknown kind.
    """
    _configure()
    path = sqlite_path(uri)
    if path is None and not uri.startswith(("http://", "https://", "postgresql", "mysql", "mssql")):
        raise StoreError(
            f"{uri!r:.200} is not an MLflow store that can be used.",
            "Give sqlite:////absolute/path/mlflow.db, an http(s) address or a database URI.",
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

    name = f"mlflow-{version('mlflow')}.db"
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
    """Make a fresh database with mlflow's tables and nothing in it."""
    from mlflow import MlflowClient

    with store_errors():
        MlflowClient(tracking_uri=sqlite_uri(path)).search_experiments()
    with closing(sqlite3.connect(path)) as database:
        database.execute("DELETE FROM experiments")  # the Default one names the template's directory
        database.commit()
        database.execute("VACUUM")


def _copy(source: Path, target: Path) -> None:
    descriptor, temporary = tempfile.mkstemp(prefix=f"{TEMPORARY}{target.name}-", dir=target.parent)
    os.close(descriptor)
    try:
        shutil.copyfile(source, temporary)
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
        broken = _BROKEN.search(str(error))
        raise StoreError(
            f"The MLflow store {path} cannot be written: {error}.",
            _REBUILD if broken else "Close what holds it, or make it writable.",
        ) from error


@contextmanager
def store_errors() -> Iterator[None]:
    """Turn the many kinds of failure of a store into one StoreError."""
    try:
        yield
    except StoreError:
        raise
    except HarnessError as error:
        raise StoreError(error.reason, error.hint) from error
    except Exception as error:
        kinds = {kind.__module__.split(".")[0] for kind in type(error).__mro__}
        if not kinds & {"mlflow", "sqlalchemy", "requests", "urllib3", "sqlite3"} and not isinstance(error, OSError):
            raise
        text = " ".join(str(error).split())
        server = re.search(r"https?://[^/\s]+", text)
        database = re.search(
            r"\(\w[\w.]*Error\) ([^\[]{3,200})", text
        )  # (sqlite3.OperationalError) disk full [SQL: ...
        hint = "Check tracking.uri or MLFLOW_TRACKING_URI, then `harness sync`."
        if outdated := re.search(r"database schema \(found version (\w+), but expected (\w+)\)", text):
            problem = f"its tables are those of another version of mlflow ({outdated[1]}, not {outdated[2]})"
            hint = f"{_REBUILD} `mlflow db upgrade URI` changes the tables of a store that is shared."
        elif server and "Max retries exceeded" in text:
            problem = f"{server.group()} cannot be reached"
        elif database:
            problem = f"its database says: {database[1].strip()}"
            hint = _REBUILD if _BROKEN.search(text) else hint
        elif isinstance(error, OSError) and error.strerror:
            problem = f"{error.strerror} ({error.filename2 or error.filename or 'no file named'})"
        else:
            problem = f"it does not answer as it should: {type(error).__name__}: {text[:300]}"
        raise StoreError(f"The MLflow store: {problem}.", hint) from error
