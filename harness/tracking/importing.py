"""Records, cells and submissions brought back from an MLflow store alone: another machine's, or all that is left.

What a store says is a claim. Here it is only held together: the record with its digest, cells and submission with the
record; whether the scores follow from the cells, verification tells afterwards. Nothing that is there is overwritten.
"""

from __future__ import annotations

import hashlib
import io
import shutil
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import HarnessError, ProtocolError, SubmissionError
from harness.paths import permit
from harness.protocol import folder as folders
from harness.tracking import archive, delivery
from harness.tracking.addresses import DATABASE, is_own, shown, sqlite_path, tracking_uri
from harness.tracking.archive import CELLS, MAX_PACKED, SUBMISSION, Cells
from harness.tracking.files import TEMPORARY, disk_errors, sync_directory, write_new, write_text_atomic
from harness.tracking.ledger import Ledger
from harness.tracking.reader import Held, Reader, experiment_name, open_reader
from harness.tracking.record import Record, parse_record, record_sha256
from harness.tracking.runs import RunsDir, exclusive

if TYPE_CHECKING:
    from harness.tracking.signature import Key


@dataclass(frozen=True)
class Imported:
    """What was brought."""

    brought: tuple[str, ...] = ()  # run ids
    known: tuple[str, ...] = ()  # those that were there, with the same record or the same results
    refused: Mapping[str, str] = field(default_factory=dict)  # run id -> why: damaged, or another record is there


@dataclass(frozen=True)
class _Found:
    """A run as the store has it, whole."""

    record: Record
    content: bytes  # of record.json
    cells: Cells
    submission: Mapping[str, bytes]  # contents by path; empty where the run has none

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


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
        folder = self._runs.run_dir(row.run_id)
        record, content = self._record(row)
        if (folder / "record.json").exists():
            if record_sha256(folder) == row.record_sha256:
                return self._tell(row)
            if _results(self._runs.load_record(row.run_id)) == _results(record):
                return False  # the same work done here as well, as that of the references is in every directory
            raise HarnessError("Another record is here under the same id; it was not overwritten.")
        if self._ledger.recorded(row.run_id) not in (None, row.record_sha256):
            raise HarnessError("The ledger here has another record under the same id.")
        found = _Found(record, content, self._cells(row, record), self._submission(row, record))
        with self._runs.lock(row.run_id, wait_seconds=5), disk_errors(f"import run {row.run_id}"):
            if (folder / "record.json").exists():
                raise HarnessError("Another harness has just recorded it here.")
            self._write(found)
            self._tell(row)
        return True

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

    # --- writing ---

    def _write(self, found: _Found) -> None:
        """Submission, cells, record, in this order: what is there after a kill is whole, and no run without its record."""
        record = found.record
        places = {seed: self._runs.cell_dir(record.run_id, seed) for seed in found.cells}
        here = {seed for seed, place in places.items() if place.exists()}
        for seed in sorted(here):  # of a killed import, or of a run that has not come to its end
            if (places[seed] / "cell.json").read_bytes() != found.cells[seed]["cell.json"]:
                raise HarnessError(f"Another cell of seed {seed} is here; it was not overwritten.")
        if found.submission:
            self._keep_submission(found.submission, record.submission_digest or "")
        for seed in sorted(set(places) - here):
            _place(found.cells[seed], places[seed])
        run_dir = self._runs.run_dir(record.run_id)
        delivery.mark(run_dir, "Imported, and not delivered to this store yet.")
        write_text_atomic(run_dir / "record.json", found.content.decode())

    def _keep_submission(self, contents: Mapping[str, bytes], digest: str) -> None:
        final = self._runs.submission_dir(digest)
        with exclusive(self._runs.path / ".submissions.lock", "copies of submissions", wait_seconds=60):
            for stale in final.parent.glob(f"{TEMPORARY}*"):  # of a killed process: this lock was its own
                shutil.rmtree(stale, ignore_errors=True)
            if final.exists():
                if folders.read(final, everything=True).digest != digest:
                    raise HarnessError(f"The copy of the submission in {final} is not what its name says.")
                return
            final.parent.mkdir(parents=True, exist_ok=True)
            building = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=final.parent))
            try:
                _write_submission(contents, building, digest)
                _rename(building, final)
            finally:
                shutil.rmtree(building, ignore_errors=True)


def _results(record: Record) -> list[tuple[object, ...]]:
    """What the same work gives wherever it is done."""
    return [(cell.seed, cell.status, cell.result) for cell in record.cells]


def _write_submission(contents: Mapping[str, bytes], building: Path, digest: str) -> None:
    try:
        folders.write(contents, building)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise HarnessError(f"its {SUBMISSION} has a file and a folder of one name.") from error
    if folders.read(building, everything=True).digest != digest:
        raise HarnessError(f"its {SUBMISSION} is not the submission that was run: its digest is another one.")


def _place(files: Mapping[str, bytes], final: Path) -> None:
    final.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f"{TEMPORARY}{final.name}-", dir=final.parent))
    try:
        for name, content in files.items():
            write_new(building / name, content)
        _rename(building, final)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _rename(building: Path, final: Path) -> None:
    """Let a directory appear whole."""
    permit(building, 0o777)
    for folder in [building, *(path for path in building.rglob("*") if path.is_dir())]:
        sync_directory(folder)
    building.rename(final)
    sync_directory(final.parent)
