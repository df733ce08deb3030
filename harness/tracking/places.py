"""Where artifacts are: those of a SQLite store lie beside its file, wherever both have been moved.

MLflow writes absolute addresses into its database. A copied runs directory would read and write the original's
artifacts; here the addresses are taken relative to the database, and put right in it before anything is written.
"""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from urllib.parse import unquote, urlparse

ARTIFACTS = "mlartifacts"
LEDGER = "ledger.jsonl"
_OURS = re.compile(rf"(?P<root>.*)/{ARTIFACTS}/(?P<inside>[0-9a-f]{{12}}(?:/[0-9a-f]{{32}}/artifacts)?)")


def location(folder: Path, fingerprint: str) -> str:
    """The address under which an experiment's artifacts are kept in ``folder``, a runs directory or a store's."""
    return (folder / ARTIFACTS / fingerprint[:12]).absolute().as_uri()


def resolved(address: str, database: Path | None) -> str:
    """The address meant: beside the database, where artifacts of ours are kept there; else as it stands."""
    found = _OURS.fullmatch(address)
    if database is None or found is None or local_path(address) is None or not _keeps_artifacts(database):
        return address
    return f"{_root(database)}/{ARTIFACTS}/{found['inside']}"


def local_path(address: str) -> Path | None:
    """The directory of a local address, None for others."""
    place = urlparse(address)
    return Path(unquote(place.path)) if place.scheme in ("", "file") else None


def relocate(connection: sqlite3.Connection, database: Path) -> None:
    """Let every experiment and run in the database name the place beside it; call it inside a transaction."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'experiments'").fetchone():
        return  # no MLflow database, which MLflow itself will say
    if not _keeps_artifacts(database):
        return
    for number, old in connection.execute("SELECT experiment_id, artifact_location FROM experiments").fetchall():
        new = resolved(old or "", database)
        if not _same(old or "", new):
            connection.execute("UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?", (new, number))
            runs = "SELECT run_uuid, artifact_uri FROM runs WHERE experiment_id = ?"
            moved = [(resolved(uri or "", database), run) for run, uri in connection.execute(runs, (number,))]
            connection.executemany("UPDATE runs SET artifact_uri = ? WHERE run_uuid = ?", moved)


def _keeps_artifacts(database: Path) -> bool:
    """Whether artifacts lie beside the file: it is a runs directory's own, or they are there."""
    return (database.parent / LEDGER).exists() or (database.parent / ARTIFACTS).is_dir()


def _root(database: Path) -> str:
    return database.parent.absolute().as_uri()


def _same(old: str, new: str) -> bool:
    """Whether two addresses are of one place; a directory may be reached through links, or through dots."""
    if old == new:
        return True
    before, after = local_path(old), local_path(new)
    return before is not None and after is not None and before.resolve() == after.resolve()
