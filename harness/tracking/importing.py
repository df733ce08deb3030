"""Records, cells and submissions brought back from an MLflow store alone: another machine's, or all that is left.

What a store says is a claim. Here it is only held together: the record with its digest, cells and submission with the
record; whether the scores follow from the cells, verification tells afterwards. Nothing that is there is overwritten.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import HarnessError, ProtocolError, SubmissionError
from harness.tracking import archive
from harness.tracking.addresses import DATABASE, is_own, shown, sqlite_path, tracking_uri
from harness.tracking.archive import CELLS, MAX_PACKED, SUBMISSION, Cells
from harness.tracking.bringing import Found, here_for, write
from harness.tracking.ledger import Ledger
from harness.tracking.reader import Held, Reader, experiment_name, open_reader
from harness.tracking.record import Record, parse_record
from harness.tracking.runs import RunsDir

if TYPE_CHECKING:
    from harness.tracking.signature import Key


@dataclass(frozen=True)
class Imported:
    """What was brought."""

    brought: tuple[str, ...] = ()  # run ids
    known: tuple[str, ...] = ()  # those that were there, with the same record or the same results
    refused: Mapping[str, str] = field(default_factory=dict)  # run id -> why: damaged, or another record is there


def import_runs(
    runs_dir: Path | str,
    uri: str | None,
    challenges: Collection[str] = (),
    *,
    who: str | None = None,
    key: Key | None = None,
) -> Imported:
    """Bring the runs of some challenges (none named: of all) into a runs directory, which is made if need be.

    A run comes whole or not at all, and has its line in the ledger, after one that names the store. A kill loses
    nothing: a second import goes on. Runs wait to be delivered to the directory's own store.

    Raises
    ------
    ProtocolError: the store is the directory's own, or is none, or has nothing of a challenge; a ledger of another key.
    HarnessError: store, ledger or disk refuse.
    """
    runs = RunsDir(runs_dir)
    where = tracking_uri(runs.path, uri)
    own = is_own(where, runs.path)
    reader = None if own else open_reader(where)
    if reader is None:
        what = "is the runs directory's own store" if own else "does not exist"
        raise ProtocolError(
            f"There is nothing to import: {shown(where)} {what}.",
            "Name the store with --tracking-uri or MLFLOW_TRACKING_URI.",
        )
    importer = _Importer(runs, reader, who, key)
    rows = _newest(reader, challenges)
    outcomes: dict[str, bool] = {}
    refused: dict[str, str] = {}
    for row in rows:
        try:
            outcomes[row.run_id] = importer.bring(row)
        except (HarnessError, SubmissionError) as error:
            refused[row.run_id] = error.reason
    return Imported(
        tuple(run_id for run_id, new in outcomes.items() if new),
        tuple(run_id for run_id, new in outcomes.items() if not new),
        refused,
    )


def _newest(reader: Reader, challenges: Collection[str]) -> list[Held]:
    """The rows to bring, by run id: of several of one run, the newest, as a kill may have spared an old one."""
    experiments = [experiment for experiment in reader.experiments() if experiment.ours]
    there = {experiment.tags["challenge"] for experiment in experiments}
    if missing := sorted(set(challenges) - there):
        raise ProtocolError(
            f"The store has no runs of {', '.join(missing)}.",
            f"It has runs of {', '.join(sorted(there)) or 'nothing'}.",
        )
    wanted = [found for found in experiments if not challenges or found.tags["challenge"] in challenges]
    newest: dict[str, Held] = {}
    for row in (row for experiment in wanted for row in reader.rows(experiment)):
        if row.ended and row.run_id:
            newest.setdefault(row.run_id, row)
    return [newest[run_id] for run_id in sorted(newest)]


class _Importer:
    """Brings runs of one store into one directory."""

    def __init__(self, runs: RunsDir, reader: Reader, who: str | None, key: Key | None) -> None:
        self._runs = runs
        self._reader = reader
        self._ledger = Ledger(runs.path)
        self._who, self._key = who, key
        self._announced = False
        database = sqlite_path(reader.uri)
        own = database is not None and database.name == DATABASE
        self._beside = RunsDir(database.parent) if database is not None and own else None

    def bring(self, row: Held) -> bool:
        """Whether the run is new here. HarnessError or SubmissionError where it is damaged or in conflict."""
        record, content = self._record(row)
        here = here_for(self._runs, record, row.record_sha256, self._ledger.recorded(row.run_id))
        if here not in (None, row.record_sha256):
            return False
        if here is None:
            write(self._runs, Found(record, content, self._cells(row, record), self._submission(row, record)))
        return self._tell(row)

    def _tell(self, row: Held) -> bool:
        """Give a record that is here its line in the ledger; whether it had none."""
        if self._ledger.recorded(row.run_id) == row.record_sha256:
            return False
        if not self._announced:
            note = f"runs of {shown(self._reader.uri)}"
            self._ledger.append("import", note=note, who=self._who, key=self._key)
            self._announced = True
        self._ledger.append("run", row.run_id)
        return True

    # --- reading ---

    def _record(self, row: Held) -> tuple[Record, bytes]:
        content = self._reader.artifact(row, "record.json")
        if hashlib.sha256(content).hexdigest() != row.record_sha256:
            raise HarnessError("its artifact record.json is not the record that was delivered.")
        record = parse_record(content, "its artifact record.json")
        if record.run_id != row.run_id:
            raise HarnessError(f"its artifact record.json is of another run, {record.run_id!r:.100}.")
        if experiment_name(record.challenge, record.fingerprint) != row.experiment:
            raise HarnessError(f"its record belongs to another experiment than {row.experiment!r:.100}.")
        return record, content

    def _cells(self, row: Held, record: Record) -> Cells:
        if not archive.kept_seeds(record):
            return {}
        packed = io.BytesIO()
        if self._beside is None or not archive.pack_cells(self._beside, record, packed):
            packed = io.BytesIO(self._reader.artifact(row, CELLS, MAX_PACKED))
        return archive.unpack_cells(packed.getvalue(), record)

    def _submission(self, row: Held, record: Record) -> Mapping[str, bytes]:
        """Empty for the harness's own rows, which have none, and where no cell could be run of what was handed in."""
        if record.reference or record.submission_digest is None or not archive.kept_seeds(record):
            return {}
        packed = io.BytesIO()
        if self._beside is None or not archive.pack_submission(self._beside, record.submission_digest, packed):
            packed = io.BytesIO(self._reader.artifact(row, SUBMISSION, MAX_PACKED))
        return archive.unpack_submission(packed.getvalue())
