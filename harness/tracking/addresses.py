"""What the URI of an MLflow store means: which store, which file, and what of it may be shown.

People type URIs, so a path with ``%``, ``?`` or ``#`` in it is understood with and without percent-encoding, and a
database without a driver's name is opened with the driver that is installed.
"""

from __future__ import annotations

import os
import re
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote, unquote

DATABASE = "mlflow.db"
_SQLITE, _WITH_DRIVER = "sqlite:///", "sqlite+pysqlite:///"
_DRIVERS = {  # by the name of a database: its drivers as SQLAlchemy and as Python call them
    "postgresql": {"psycopg": "psycopg", "psycopg2": "psycopg2"},
    "mysql": {"pymysql": "pymysql", "mysqldb": "MySQLdb"},
}
_USER = re.compile(r"\b([a-z][\w+.-]*:/{0,2})[^\s'\"/][^\s'\"]*@", re.IGNORECASE)  # where slashes are forgotten, too
_SECRET = re.compile(r"([?&;][^=&;\s]*(?:pass|pwd|secret|token|key|odbc_connect)[^=&;\s]*=)[^&;\s'\"]+", re.IGNORECASE)


def tracking_uri(runs_dir: Path, configured: str | None = None) -> str:
    """The store's URI: as configured, else ``MLFLOW_TRACKING_URI``, else SQLite under the runs directory."""
    uri = configured or os.environ.get("MLFLOW_TRACKING_URI") or sqlite_uri(runs_dir / DATABASE)
    path = sqlite_path(uri)
    return _with_driver(uri) if path is None else sqlite_uri(path)


def sqlite_uri(path: Path) -> str:
    """The URI that stands for a database file, whatever characters its path has; :func:`sqlite_path` turns it back."""
    plain = os.fspath(path.absolute())
    quoted = quote(plain)
    # With the driver's name mlflow does not make directories for the path as it stands in the URI.
    return (_SQLITE if quoted == plain else _WITH_DRIVER) + quoted


def sqlite_path(uri: str) -> Path | None:
    """The database file of a SQLite URI, None for other stores.

    Of a path as it was typed and the same one decoded, that one is meant whose directory is there, the deeper one first,
    as a ``?`` ends a decoded path; then that whose file is.
    """
    scheme, found, rest = uri.partition(":///")
    if not found or f"{scheme}:///" not in (_SQLITE, _WITH_DRIVER):
        return None
    decoded = Path(unquote(rest.partition("?")[0]))
    if f"{scheme}:///" == _WITH_DRIVER:  # as sqlite_uri writes it
        return decoded
    readings = [decoded, Path(rest.partition("?")[0]), Path(rest)]
    return max(readings, key=lambda path: (path.parent.is_dir() and len(path.parent.parts), path.is_file()))


def is_server(uri: str) -> bool:
    """Whether a store is an MLflow server's."""
    return uri.startswith(("http://", "https://"))


def is_database(uri: str) -> bool:
    """Whether a store is a database that a server of its own keeps."""
    return re.match(r"(postgresql|mysql|mssql)(\+\w+)?:", uri) is not None


def is_own(uri: str, runs_dir: Path) -> bool:
    """Whether a store is the runs directory's own database, beside the very files that were recorded."""
    path = sqlite_path(uri)
    return path is not None and path.resolve() == (runs_dir / DATABASE).resolve()


def shown(text: str) -> str:
    """A URI, or a text with one in it, as it may stand on a screen and in a ledger: without user and password."""
    return text if sqlite_path(text) is not None else _SECRET.sub(r"\1...", _USER.sub(r"\1", text))


def _with_driver(uri: str) -> str:
    """A database's URI naming the first driver that is installed, else the first; SQLAlchemy knows one default alone."""
    name, found, rest = uri.partition("://")
    name = "postgresql" if name == "postgres" else name  # as many hosts give it
    drivers = _DRIVERS.get(name)
    if not found or drivers is None:
        return uri
    installed = [driver for driver, module in drivers.items() if find_spec(module)]
    return f"{name}+{(installed or list(drivers))[0]}://{rest}"
