"""The runs directory: finished cells, records, copies of what was submitted, and who may write now.

::

    runs/
      ledger.jsonl                     what was recorded, released, reproduced (harness/tracking/ledger.py)
      mlflow.db, mlartifacts/          the MLflow store, unless another one is configured
      merged/<head>.jsonl              ledgers of other directories whose runs were brought here, by the SHA-256 of their head
      submissions/<digest>/            a copy of each submission's files, from which its cells run
      <run_id>/
        record.json                    the run
        .lock  undelivered             who writes now; why MLflow does not have it yet
        unfinished                     its cells are being run again, so that the record is no longer of all of them
        plots/*.svg
        cells/<seed>/                  cell.json, output/*.npy, items/*.npy, curve.npy, log.txt

A cell's directory appears whole, by one rename, so a kill loses at most the cell in flight.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from harness.api import FloatArray
from harness.errors import HarnessError, ProtocolError, Status, SubmissionError
from harness.paths import expanded, permit
from harness.protocol import folder as folders
from harness.protocol.submission import Submission
from harness.tracking.files import (
    TEMPORARY,
    array_bytes,
    disk_errors,
    json_bytes,
    parse_array,
    read_bytes,
    sync_directory,
    write_json_atomic,
    write_new,
    write_text_atomic,
)
from harness.tracking.record import CellRecord, Record, parse_kept_cell, read_record
from harness.tracks.base import Array, Arrays

_KEPT = re.compile(r"cell\.json|log\.txt|curve\.npy|(output|items)/[A-Za-z0-9_]+\.npy")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}")
UNFINISHED = "unfinished"
MERGED = "merged"
_RESERVED = {"submissions", "mlartifacts", "mlflow.db", "ledger.jsonl", MERGED}


@dataclass(frozen=True)
class StoredCell:
    """A finished cell as kept on disk."""

    cell: CellRecord
    output: Arrays  # canonical output of the algorithm
    items: Arrays  # Score.items, first axis m
    curve: FloatArray | None  # [p, 2]
    log: str
    kept: bool = False  # read from disk, and not just computed

    def files(self) -> list[str]:
        """Names of its files below its directory."""
        arrays = [f"output/{name}.npy" for name in self.output] + [f"items/{name}.npy" for name in self.items]
        return ["cell.json", "curve.npy", "log.txt", *arrays]


def arrays_digest(arrays: Arrays) -> str:
    """SHA-256 over names, dtypes, shapes and bytes: ``CellRecord.output_digest``."""
    sha = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        sha.update(f"{name}|{array.dtype.str}|{array.shape}|".encode())
        sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()


class Held(HarnessError):
    """Another process is writing what was to be locked."""


class RunsDir:
    """Paths and safe writing inside one runs directory. Creating the object touches nothing.

    Raises ProtocolError for a path that is not UTF-8: no JSON and no database can name it.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = expanded(path).absolute()
        try:
            os.fspath(self.path).encode()
        except UnicodeEncodeError as error:
            raise ProtocolError(
                f"The runs directory {os.fspath(self.path)!r} has bytes in its path that are not UTF-8.",
                "Choose another one (runs_dir=DIR, --runs-dir DIR), or rename the folder.",
            ) from error

    def run_dir(self, run_id: str) -> Path:
        """Directory of a run. Raises HarnessError for an id that is no plain name."""
        if not _NAME.fullmatch(run_id) or run_id in _RESERVED:
            raise HarnessError(f"{run_id!r:.80} is not a run id: letters, digits, '_', '-' and '.' only.")
        return self.path / run_id

    def cell_dir(self, run_id: str, seed: int) -> Path:
        """Directory of one seed of a run."""
        return self.run_dir(run_id) / "cells" / str(int(seed))

    def run_ids(self) -> list[str]:
        """Runs that have a record, sorted."""
        return sorted(p.parent.name for p in self.path.glob("*/record.json") if _NAME.fullmatch(p.parent.name))

    def recorded(self, run_id: str) -> bool:
        """Whether a run has a record; asked of that run alone, however many others there are."""
        return (self.run_dir(run_id) / "record.json").exists()

    # --- cells ---

    def save_cell(
        self,
        run_id: str,
        cell: CellRecord,
        *,
        output: Arrays | None = None,
        items: Arrays | None = None,
        curve: FloatArray | None = None,
        log: str = "",
    ) -> CellRecord:
        """Keep a finished cell, replacing an earlier one of the same seed; returns it with the digest of its file.

        Raises HarnessError if the disk refuses.
        """
        final = self.cell_dir(run_id, cell.seed)
        content = {
            **{f"output/{name}.npy": array_bytes(array) for name, array in (output or {}).items()},
            **{f"items/{name}.npy": array_bytes(array) for name, array in (items or {}).items()},
            **({} if curve is None else {"curve.npy": array_bytes(curve)}),
            "log.txt": log.encode("utf-8", errors="replace"),
        }
        digests = {name: hashlib.sha256(data).hexdigest() for name, data in content.items()}
        facts = cell.model_dump(mode="json", exclude={"sha256"})
        content["cell.json"] = json_bytes({**facts, "run_id": run_id, "files": digests})
        with disk_errors(f"keep the cell in {final}"):
            building = _new_in(final.parent, f"{TEMPORARY}{cell.seed}-")
            try:
                for name, data in content.items():  # cell.json last: no cell without it
                    write_new(building / _checked(name), data)
                _replace_directory(building, final)
            except BaseException:
                shutil.rmtree(building, ignore_errors=True)
                raise
        return cell.model_copy(update={"sha256": hashlib.sha256(content["cell.json"]).hexdigest()})

    def load_cell(self, run_id: str, seed: int) -> StoredCell | None:
        """The cell if it finished ``ok`` and every file is as it was written, else None: then it is to be run."""
        try:
            stored = self.read_cell(run_id, seed)
        except HarnessError:
            return None
        return stored if stored.cell.status is Status.OK else None

    def read_cell(self, run_id: str, seed: int) -> StoredCell:
        """The kept cell, whatever came of it. Raises HarnessError naming the file that is missing or was changed.

        Only a log may be missing: logs of challenges that keep their secret do not travel.
        """
        cell, content = self._kept_cell(run_id, seed)
        output: dict[str, Array] = {}
        items: dict[str, Array] = {}
        curve: FloatArray | None = None
        log = ""
        for name, data in content.items():
            path = f"{self.cell_dir(run_id, seed)}/{name}"
            kind, _, stem = name.removesuffix(".npy").rpartition("/")
            if name == "log.txt":
                log = data.decode("utf-8", errors="replace")
            elif name == "curve.npy":
                curve = parse_array(data, path)
            elif kind:
                {"output": output, "items": items}[kind][stem] = parse_array(data, path)
        return StoredCell(cell, output, items, curve, log, kept=True)

    def cell_files(self, run_id: str, seed: int) -> dict[str, bytes]:
        """Contents of the kept cell by name below its directory. Raises HarnessError as :meth:`read_cell`."""
        return self._kept_cell(run_id, seed)[1]

    def _kept_cell(self, run_id: str, seed: int) -> tuple[CellRecord, dict[str, bytes]]:
        folder = os.fspath(self.cell_dir(run_id, seed))
        content = {"cell.json": read_bytes(f"{folder}/cell.json")}
        cell, of, files = parse_kept_cell(content["cell.json"], f"{folder}/cell.json")
        if cell.seed != seed:
            raise HarnessError(f"{folder} holds the cell of another seed, {cell.seed}.")
        if of != run_id:
            raise HarnessError(f"{folder} holds the cell of another run, {of or 'which it does not name':.200}.")
        for name, digest in files.items():
            path = f"{folder}/{_checked(name)}"
            if name == "log.txt" and not os.path.lexists(path):
                continue
            content[name] = read_bytes(path)
            if hashlib.sha256(content[name]).hexdigest() != digest:
                raise HarnessError(f"{path} was changed after it was kept.")
        return cell.model_copy(update={"sha256": hashlib.sha256(content["cell.json"]).hexdigest()}), content

    def clear_cells(self, run_id: str) -> None:
        """Forget the cells of a run (``--force``); its record stays until the new one replaces it."""
        cells = self.run_dir(run_id) / "cells"
        if cells.exists():
            with disk_errors(f"clear {cells}"):
                shutil.rmtree(cells)

    def mark_unfinished(self, run_id: str) -> None:
        """Note, before any of its cells changes, that a record is about to be replaced; a kill leaves the note."""
        if (self.run_dir(run_id) / "record.json").exists():
            write_text_atomic(self.run_dir(run_id) / UNFINISHED, "Its cells are being run again.\n")

    def unfinished(self, run_id: str) -> bool:
        """Whether a run was begun again and has not come to a new record."""
        return (self.run_dir(run_id) / UNFINISHED).exists()

    # --- records ---

    def save_record(self, record: Record, plots: Mapping[str, str] | None = None) -> None:
        """Write plots/<name> (SVG texts), then record.json."""
        folder = self.run_dir(record.run_id)
        for old in (folder / "plots").glob("*"):
            if old.name not in (plots or {}):
                old.unlink(missing_ok=True)
        for name, svg in (plots or {}).items():
            write_text_atomic(folder / "plots" / name, svg)
        write_json_atomic(folder / "record.json", record.model_dump(mode="json"))
        (folder / UNFINISHED).unlink(missing_ok=True)

    def load_record(self, run_id: str) -> Record:
        """The record of a run. Raises HarnessError where it is missing, broken or that of another run."""
        record = read_record(self.run_dir(run_id))
        if record.run_id != run_id:
            raise HarnessError(f"{self.run_dir(run_id)} holds the record of another run, {record.run_id!r:.100}.")
        return record

    # --- submissions ---

    def submission_dir(self, digest: str) -> Path:
        """Where the copy of a submission with this digest is (or would be)."""
        if not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise HarnessError(f"{digest!r:.80} is not a submission digest (64 hexadecimal digits).")
        return self.path / "submissions" / digest

    def keep_submission(self, submission: Submission) -> Submission:
        """The submission in a copy of exactly the files that were digested, under their digest; what a run runs.

        A copy that is there is read again from beginning to end and used if it is whole, else made anew.
        Raises HarnessError where the disk refuses, or does not give back what was written.
        """
        final = self.submission_dir(submission.digest)
        if not _holds(final, submission):
            what = f"keep a copy of the submission in {final}"
            with exclusive(self.path / ".submissions.lock", "copies of submissions", wait_seconds=60):
                if not _holds(final, submission):  # else another harness was first
                    with disk_errors(what):
                        _copy(submission, final)
                if not _holds(final, submission):
                    raise HarnessError(f"Cannot {what}: it does not hold what was written.", "Is the disk sound?")
        return replace(submission, folder=final)

    # --- one writer at a time ---

    @contextmanager
    def lock(self, run_id: str, wait_seconds: float = 0.0) -> Iterator[None]:
        """Hold a run for writing. The lock's lease is the life of the process: after kill -9 the next one gets it.

        Raises Held naming the owner where another process still has it after ``wait_seconds``.
        """
        with exclusive(self.run_dir(run_id) / ".lock", f"run {run_id}", wait_seconds):
            for place in (".", "cells", "plots"):  # what a killed owner was writing
                _sweep(self.run_dir(run_id) / place)
            yield

    def being_written(self, run_id: str) -> bool:
        """Whether somebody holds the run's lock now."""
        try:
            descriptor = os.open(self.run_dir(run_id) / ".lock", os.O_RDONLY | os.O_CLOEXEC)
        except (OSError, HarnessError):  # no such run, or no name of one
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False


@contextmanager
def exclusive(path: Path, what: str, wait_seconds: float) -> Iterator[None]:
    """Hold an flock on ``path``, with the owner's name in it. Held is raised after ``wait_seconds`` without it."""
    with disk_errors(f"lock {what}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        deadline = time.monotonic() + wait_seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    owner = os.pread(descriptor, 500, 0).decode(errors="replace").strip()
                    raise Held(
                        f"Another harness is working on {what}: {owner or 'owner unknown'}.",
                        "Wait until it has finished; a process that has died holds no lock.",
                    ) from None
                time.sleep(0.05)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with disk_errors(f"lock {what}"):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()} since {now}\n".encode(), 0)
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)  # closing alone would leave it to a worker that was forked meanwhile
        os.close(descriptor)


def _sweep(folder: Path) -> None:
    """Remove what a killed process was writing in a folder; call it under the lock that writers there hold."""
    for stale in folder.glob(f"{TEMPORARY}*"):
        if stale.is_dir():
            shutil.rmtree(stale, ignore_errors=True)
        else:
            with suppress(OSError):
                stale.unlink()


def _holds(folder: Path, submission: Submission) -> bool:
    """Whether a folder holds the submission's files to the last byte, and nothing else at all."""
    try:
        return folders.read(folder, everything=True).digest == submission.digest
    except SubmissionError:
        return False


def _copy(submission: Submission, final: Path) -> None:
    final.parent.mkdir(exist_ok=True)
    _sweep(final.parent)
    building = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=final.parent))
    try:
        folders.write(submission.contents, building)
        _replace_directory(building, final)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _new_in(folder: Path, prefix: str) -> Path:
    """A new directory in a folder that another process may remove for as long as it is empty."""
    for _ in range(100):
        with suppress(FileNotFoundError):
            folder.mkdir(parents=True, exist_ok=True)
            return Path(tempfile.mkdtemp(prefix=prefix, dir=folder))
    raise FileNotFoundError(f"{folder} is removed again and again")


def _replace_directory(building: Path, final: Path) -> None:
    permit(building, 0o777)
    for folder in [building, *(path for path in building.iterdir() if path.is_dir())]:
        sync_directory(folder)
    old = building.with_name(f"{building.name}.old")
    if final.exists():
        final.rename(old)
    building.rename(final)
    sync_directory(final.parent)
    shutil.rmtree(old, ignore_errors=True)


def _checked(name: str) -> str:
    if not _KEPT.fullmatch(name):
        raise HarnessError(f"A cell has no file {name!r:.60}.")
    return name
