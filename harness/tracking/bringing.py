"""A run that was made elsewhere, written into a runs directory: whole or not at all, and never over what is there."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError
from harness.paths import permit
from harness.protocol import folder as folders
from harness.tracking import delivery
from harness.tracking.archive import SUBMISSION, Cells
from harness.tracking.files import TEMPORARY, disk_errors, sync_directory, write_new, write_text_atomic
from harness.tracking.record import Record, record_sha256
from harness.tracking.runs import RunsDir, exclusive


@dataclass(frozen=True)
class Found:
    """A run as it is elsewhere, whole, and held against the digests in its record."""

    record: Record
    content: bytes  # of record.json
    cells: Cells
    submission: Mapping[str, bytes]  # contents by path; empty where the run has none

    @property
    def sha256(self) -> str:
        """Of its record."""
        return hashlib.sha256(self.content).hexdigest()


def here_for(runs: RunsDir, record: Record, sha256: str, listed: str | None) -> str | None:
    """SHA-256 of the record that is here for a run: the same, or one with the same results. None where there is none.

    The same work may be done in several directories, as that of the references is in every one. ``sha256`` is that of
    ``record``, ``listed`` that of the record that the ledger here holds for the run. Raises HarnessError where they
    are of another record.
    """
    folder = runs.run_dir(record.run_id)
    if not (folder / "record.json").exists():
        if listed not in (None, sha256):
            raise HarnessError("The ledger here has another record under the same id.")
        return None
    here = record_sha256(folder)
    if here != sha256 and _results(runs.load_record(record.run_id)) != _results(record):
        raise HarnessError("Another record is here under the same id; it was not overwritten.")
    return here


def write(runs: RunsDir, found: Found) -> None:
    """Write a run that is not here; it then waits to be delivered. A kill leaves what a second attempt goes on from.

    Raises HarnessError where another record, cell or copy of the submission is there, or the disk refuses.
    """
    run_id = found.record.run_id
    with runs.lock(run_id, wait_seconds=5), disk_errors(f"write run {run_id}"):
        if runs.recorded(run_id):
            raise HarnessError("Another harness has just recorded it here.")
        _write(runs, found)


def _results(record: Record) -> list[tuple[object, ...]]:
    """What the same work gives wherever it is done."""
    return [(cell.seed, cell.status, cell.result) for cell in record.cells]


def _write(runs: RunsDir, found: Found) -> None:
    """Submission, cells, record, in this order: what is there after a kill is whole, and no run without its record."""
    record = found.record
    places = {seed: runs.cell_dir(record.run_id, seed) for seed in found.cells}
    here = {seed for seed, place in places.items() if place.exists()}
    for seed in sorted(here):  # of a killed attempt, or of a run that has not come to its end
        if (places[seed] / "cell.json").read_bytes() != found.cells[seed]["cell.json"]:
            raise HarnessError(f"Another cell of seed {seed} is here; it was not overwritten.")
    if found.submission:
        _keep_submission(runs, found.submission, record.submission_digest or "")
    for seed in sorted(set(places) - here):
        _place(found.cells[seed], places[seed])
    run_dir = runs.run_dir(record.run_id)
    delivery.mark(run_dir, "Brought here, and not delivered to this store yet.")
    write_text_atomic(run_dir / "record.json", found.content.decode())


def _keep_submission(runs: RunsDir, contents: Mapping[str, bytes], digest: str) -> None:
    final = runs.submission_dir(digest)
    with exclusive(runs.path / ".submissions.lock", "copies of submissions", wait_seconds=60):
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
