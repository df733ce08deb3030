"""Cells and submissions as zip files, on their way to an MLflow store and back.

A file is always packed to the same bytes: sorted names, fixed times. What comes back was written by others: names, number
and sizes are checked before anything is unpacked, everything is unpacked in memory, and content counts only where the
record's digests vouch for it.
"""

from __future__ import annotations

import hashlib
import io
import re
import stat
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from harness.errors import HarnessError, Status, SubmissionError
from harness.protocol import folder as folders
from harness.tracking.record import MAX_RECORD_BYTES, CellRecord, Record, parse_kept_cell
from harness.tracking.runs import RunsDir

CELLS, SUBMISSION = "cells.zip", "submission.zip"
MAX_PACKED = 512 * 2**20  # bytes of a zip file
MAX_UNPACKED = 1024 * 2**20  # bytes of all files in it together
_MAX_CELL_FILES = 100_000
_CELL_FILE = re.compile(
    r"cells/(?P<seed>0|[1-9][0-9]{0,8})/(?P<name>cell\.json|curve\.npy|log\.txt|(?:output|items)/[A-Za-z0-9_]{1,100}\.npy)"
)
_ENTRY = b"PK\x01\x02"  # with which every entry of a zip file's list begins
_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip file can say

Cells = dict[int, dict[str, bytes]]
"""By seed: contents by name below the cell's directory, ``cell.json`` among them."""


def kept_seeds(record: Record) -> set[int]:
    """Seeds whose cells were kept; a submission of which no cell could be run has none."""
    if record.schema_version == 1:  # without digests of cells
        return {cell.seed for cell in record.cells if cell.status is Status.OK}
    return {cell.seed for cell in record.cells if cell.sha256 is not None}


# --- packing ---


def pack_cells(runs: RunsDir, record: Record, into: BinaryIO) -> bool:
    """Write the cells of a run as a zip file; False, and nothing, where there are none or they are too large.

    Logs can carry the view out, so those of a challenge that keeps its secret stay behind.
    """
    logs = record.settings.get("secret") is not None
    files: dict[str, Path] = {}
    for cell in record.cells:
        folder = runs.cell_dir(record.run_id, cell.seed)
        for path in folder.rglob("*"):
            name = f"cells/{cell.seed}/{path.relative_to(folder).as_posix()}"
            if path.is_file() and _CELL_FILE.fullmatch(name) and (logs or path.name != "log.txt"):
                files[name] = path
    if not files or sum(path.stat().st_size for path in files.values()) > MAX_UNPACKED:
        return False
    _pack(files, Path.read_bytes, into)
    return True


def pack_submission(runs: RunsDir, digest: str | None, into: BinaryIO) -> bool:
    """Write the archived copy of a submission as a zip file; False, and nothing, where there is no whole one."""
    if digest is None:
        return False
    try:
        files = folders.read(runs.submission_dir(digest), everything=True)
    except SubmissionError:
        return False
    if files.digest != digest:
        return False
    _pack(files.contents, bytes, into)
    return True


def _pack(files: Mapping[str, object], content: Callable[..., bytes], into: BinaryIO) -> None:
    with zipfile.ZipFile(into, "w") as packed:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            packed.writestr(entry, content(files[name]))


# --- unpacking what others have packed ---


def crowded(content: bytes, most: int) -> bool:
    """Whether a zip file lists far more than so many entries; told before a list of them takes much memory."""
    return content.count(_ENTRY) > 2 * most


def odd(entry: zipfile.ZipInfo, kind: int = stat.S_IFREG) -> str:
    """Why an entry of a zip file is not taken for a file (or a folder, ``stat.S_IFDIR``); empty where it is.

    Of the methods of packing, only those in which zipfile reads no more than it was asked for are used.
    """
    if stat.S_IFMT(entry.external_attr >> 16) not in (0, kind) or entry.is_dir() != (kind == stat.S_IFDIR):
        return "is not a regular file"
    if entry.flag_bits & 0x1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "is encrypted or packed in a way that is not used here"
    return ""


def unpack_cells(content: bytes, record: Record) -> Cells:
    """The cells of a record from a zip file, each held against it and against the digests it lists itself.

    Raises HarnessError naming the first file that is missing, superfluous, or not what the record says.
    """
    cells: Cells = {}
    for name, data in _unpack(content, CELLS, _is_cell_file, _MAX_CELL_FILES, MAX_UNPACKED).items():
        found = _CELL_FILE.fullmatch(name)
        assert found is not None
        cells.setdefault(int(found["seed"]), {})[found["name"]] = data
    wanted = {cell.seed: cell for cell in record.cells}
    if missing := kept_seeds(record) - set(cells):
        raise HarnessError(f"its {CELLS} lacks the cell of seed {min(missing)}.")
    if added := set(cells) - set(wanted):
        raise HarnessError(f"its {CELLS} has a cell of seed {min(added)}, which the record has not.")
    for seed, files in cells.items():
        check_cell(files, wanted[seed], f"its {CELLS}: ")
    return cells


def unpack_submission(content: bytes) -> dict[str, bytes]:
    """Files of a submission from a zip file; whose they are, only their digest tells. Raises HarnessError."""
    return _unpack(content, SUBMISSION, _is_path, folders.MAX_FILES, folders.MAX_MB * 2**20)


def check_cell(files: Mapping[str, bytes], wanted: CellRecord, said: str = "") -> None:
    """Hold a cell's files against its run's record and the digests they list. HarnessError begins with ``said``."""
    where = f"{said}the cell of seed {wanted.seed}"
    content = files.get("cell.json")
    if content is None:
        raise HarnessError(f"{where} has no cell.json.")
    cell, _, listed = parse_kept_cell(content, f"{where}: cell.json")
    bound = wanted.sha256 is not None  # not in records of schema 1
    if (hashlib.sha256(content).hexdigest() != wanted.sha256) if bound else (cell != wanted):
        raise HarnessError(f"{where} is not the one in the record.")
    names = {"cell.json", *listed}
    odd = set(files) ^ names  # a log may have stayed behind
    if odd - {"log.txt"} or "log.txt" in set(files) - names:
        raise HarnessError(f"{where} has other files than it lists: {min(odd):.120}.")
    for name in set(files) - {"cell.json"}:
        if hashlib.sha256(files[name]).hexdigest() != listed[name]:
            raise HarnessError(f"{where}: {name} is not the file that was kept.")


def _is_cell_file(name: str) -> bool:
    return _CELL_FILE.fullmatch(name) is not None


def _is_path(name: str) -> bool:
    """Whether a name is a plain relative path, not too long and not too deep, in the one way to write it."""
    try:
        encoded = name.encode()
    except UnicodeEncodeError:
        return False
    path = PurePosixPath(name)
    plain = name == str(path) and not path.is_absolute() and ".." not in path.parts and path.parts != ()
    return plain and "\0" not in name and len(encoded) <= folders.MAX_PATH and len(path.parts) <= folders.MAX_DEPTH


def _unpack(content: bytes, what: str, allowed: Callable[[str], bool], most: int, limit: int) -> dict[str, bytes]:
    """Contents by name. HarnessError for names that are not allowed or come twice, links, and more than was announced."""
    if crowded(content, most):
        raise HarnessError(f"its {what} has more than {most} files.")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            entries = packed.infolist()
            _check_entries(entries, what, allowed, most, limit)
            found: dict[str, bytes] = {}
            for entry in entries:
                with packed.open(entry) as file:
                    found[entry.filename] = file.read(entry.file_size + 1)
                if len(found[entry.filename]) != entry.file_size:
                    raise HarnessError(f"its {what} is damaged: {entry.filename:.120} has another size than it says.")
            return found
    except HarnessError:
        raise
    except Exception as error:  # zipfile raises what its parsers happen to raise
        raise HarnessError(f"its {what} is no zip file that can be read ({type(error).__name__}).") from error


def _check_entries(
    entries: list[zipfile.ZipInfo], what: str, allowed: Callable[[str], bool], most: int, limit: int
) -> None:
    if len(entries) > most:
        raise HarnessError(f"its {what} has more than {most} files.")
    if sum(entry.file_size for entry in entries) > limit:
        raise HarnessError(f"its {what} holds more than {limit // 2**20} MB.")
    names: set[str] = set()
    for entry in entries:
        name = entry.filename
        if entry.orig_filename != name or not allowed(name):
            raise HarnessError(f"its {what} has an entry that does not belong there: {entry.orig_filename!r:.120}.")
        if name in names:
            raise HarnessError(f"its {what} has two entries of the name {name:.120}.")
        if why := odd(entry):
            raise HarnessError(f"its {what}: {name:.120} {why}.")
        if name.endswith("/cell.json") and allowed is _is_cell_file and entry.file_size > MAX_RECORD_BYTES:
            raise HarnessError(f"its {what}: {name:.120} is larger than {MAX_RECORD_BYTES // 2**20} MB.")
        names.add(name)
