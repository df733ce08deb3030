"""One error for the many ways in which an MLflow store can fail."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from harness.errors import HarnessError, ProtocolError
from harness.tracking.addresses import shown

BROKEN = re.compile(r"not a database|malformed|no such (table|column)|disk image")
REBUILD = "`harness sync --rebuild` sets a runs directory's store aside and makes it again from the records."
_CHECK = "Check tracking.uri or MLFLOW_TRACKING_URI, then `harness sync`."
_OTHERS = {"mlflow", "sqlalchemy", "requests", "urllib3", "sqlite3"}  # packages whose errors are a store's
_OUTDATED = re.compile(r"database schema \(found version (\w+), but expected (\w+)\)")
_DATABASE = re.compile(
    r"\(\w[\w.]*Error\) (.+?)(?: \[SQL:| \(Background|$)"
)  # (sqlite3.OperationalError) disk full [SQL: ...


class StoreError(HarnessError):
    """The MLflow store is locked, unreachable, broken or not one; results stay local and are delivered later."""


class AddressError(StoreError, ProtocolError):
    """The URI names no store that could be used here: it is mistyped, or a package for it is missing."""


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
        if not kinds & _OTHERS and not isinstance(error, OSError):
            raise
        problem, hint = _told(error)
        raise StoreError(f"The MLflow store: {problem}.", hint) from error


def _told(error: Exception) -> tuple[str, str]:
    """What is wrong, and what to do."""
    text = shown(" ".join(str(error).split()))
    server = re.search(r"https?://[^/\s]+", text)
    if outdated := _OUTDATED.search(text):
        problem = f"its tables are those of another version of mlflow ({outdated[1]}, not {outdated[2]})"
        return problem, f"{REBUILD} `mlflow db upgrade URI` changes the tables of a store that is shared."
    if server and "Max retries exceeded" in text:
        return f"{server.group()} cannot be reached", _CHECK
    if database := _DATABASE.search(text):
        return f"its database says: {database[1][:300].rstrip('. ?')}", REBUILD if BROKEN.search(text) else _CHECK
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror} ({error.filename2 or error.filename or 'no file named'})", _CHECK
    return f"it does not answer as it should: {type(error).__name__}: {text[:300]}", _CHECK
