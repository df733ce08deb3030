"""Databases of servers, PostgreSQL above all: the driver that is missing, the first connection, the first use.

MLflow itself asks a database that does not answer again and again for minutes, and several processes that open an empty
one at once make its tables side by side, which all but one do not survive.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from harness.tracking.addresses import shown
from harness.tracking.failures import AddressError, store_errors

if TYPE_CHECKING:
    from sqlalchemy import Engine

_PACKAGES = {"psycopg": "'harness[postgres]'", "psycopg2": "psycopg2-binary", "MySQLdb": "mysqlclient"}
_LOCK = 0x6D6C666C6F77  # "mlflow": the number of an advisory lock
_LOCK_WAIT = "180s"  # for others that make the tables; on a busy machine that takes half a minute
_used: set[str] = set()  # stores that this process has opened


def engine(uri: str) -> Engine:
    """SQLAlchemy's engine of a database, which keeps no connection. Nothing is connected yet.

    Raises AddressError, naming the package, where its driver is not installed; and where the URI is none.
    """
    from sqlalchemy import create_engine
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError
    from sqlalchemy.pool import NullPool

    try:
        made = create_engine(uri, poolclass=NullPool)
    except ModuleNotFoundError as error:
        package = _PACKAGES.get(error.name or "", error.name)
        raise AddressError(
            f"The MLflow store {shown(uri)} needs the package {error.name}, which is not installed.",
            f"pip install {package}",
        ) from error
    except NoSuchModuleError as error:
        name = uri.partition("://")[0]
        raise AddressError(
            f"The MLflow store {shown(uri)} names a driver that SQLAlchemy does not know, {name!r:.80}.",
            "Drivers are, for example, postgresql+psycopg, mysql+pymysql and mssql+pyodbc.",
        ) from error
    except (ArgumentError, ValueError) as error:
        raise _no_uri(uri) from error
    if "@" in (made.url.host or ""):  # an @ of the password, which SQLAlchemy would take for the end of it
        raise _no_uri(uri)
    return made


@contextmanager
def first_use(uri: str) -> Iterator[None]:
    """Around the opening of a database: it answers, and where its tables are to be made, one process at a time does it.

    Costs nothing from the second time on. Raises StoreError where it cannot be reached. Only PostgreSQL has the lock.
    """
    if uri in _used:
        yield
        return
    with store_errors(), engine(uri).begin() as connection:
        if connection.dialect.name == "postgresql":  # the lock ends with the transaction, however that ends
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_LOCK_WAIT}'")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        yield
    _used.add(uri)


def _no_uri(uri: str) -> AddressError:
    return AddressError(
        f"{shown(uri)!r:.200} is not the URI of a database.",
        "Its form is postgresql://USER:PASSWORD@HOST:PORT/DATABASE, where @ : / ? # and % in user and password are "
        "written as %40 %3A %2F %3F %23 and %25.",
    )
