"""A release as it lies on disk, folder or zip, read without trusting anything in it."""

from __future__ import annotations

import contextlib
import os
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from harness.data.own.sheet import Sheet
from harness.errors import ProtocolError
from harness.pipeline.release import tabular
from harness.pipeline.release.contents import FILES_PATH, Contents, Stored
from harness.pipeline.release.describe import DESCRIPTIONS
from harness.pipeline.release.findings import Collected
from harness.pipeline.release.material import ANNOTATIONS, IMAGES, ROWS, VOTE, Vote
from harness.pipeline.release.tabular import Format
from harness.protocol import specifications

_FORMS: tuple[Format, ...] = ("csv", "parquet")
_MOST_BYTES = 20 << 30  # of an archive, unpacked
_MOST_FILES = 1_000_000


def is_release(word: str) -> bool:
    """Whether a word names a release rather than a data set: a path, a zip, or a folder with a description in it."""
    place = Path(word)
    if place.suffix.lower() == ".zip" or "/" in word:
        return True
    return place.is_dir() and any((place / name).exists() for name in DESCRIPTIONS)


@contextlib.contextmanager
def folder_of(place: Path) -> Iterator[Path]:
    """The folder of a release; a zip is unpacked into a temporary one.

    Raises ProtocolError for what is neither, and for an archive that is broken, leads out of itself or is far too large.
    """
    if place.is_dir():
        yield place
        return
    if not place.is_file():
        raise ProtocolError(f"There is no {place}.", "Name a release (a folder or its zip), or a data set.")
    with tempfile.TemporaryDirectory(prefix="harness-release-") as folder:
        _unpack(place, Path(folder))
        yield Path(folder)


def _unpack(place: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(place) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            names = [entry.filename for entry in entries]
            if len(set(names)) < len(names):
                raise ProtocolError(f"{place} holds a file twice.")
            if len(entries) > _MOST_FILES or sum(entry.file_size for entry in entries) > _MOST_BYTES:
                raise ProtocolError(f"{place} is larger than a release may be ({_MOST_BYTES >> 30} GiB unpacked).")
            for entry in entries:
                if not _inside(entry.filename) or (entry.external_attr >> 28) not in (0, 8):  # 8: a regular file
                    raise ProtocolError(f"{place} holds {entry.filename!r:.100}, which is no plain file inside it.")
                target = folder / entry.filename
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(entry) as stream, target.open("wb") as copy:
                    while chunk := stream.read(1 << 20):
                        copy.write(chunk)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError, OSError) as error:
        raise ProtocolError(f"{place} cannot be unpacked: {error}.") from error


def _inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\\" not in name and "\0" not in name


def files(folder: Path, found: Collected | None = None) -> dict[str, Path]:
    """Every regular file by its path in the release; links and the like are findings, and none of them."""
    there: dict[str, Path] = {}
    for base, folders, names in os.walk(folder):
        for name in sorted([*names, *folders]):
            path = Path(base, name)
            relative = path.relative_to(folder).as_posix()
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                if found is not None:
                    found.add(relative, "is no regular file")
                folders[:] = [one for one in folders if one != name]
            elif path.is_file():
                there[relative] = path
    return there


@dataclass(frozen=True)
class Opened:
    """What could be read of a release; the sheets know which line a row is on."""

    contents: Contents
    rows: Sheet
    annotations: Sheet | None
    listed: Sheet | None  # files.csv


def read(folder: Path, found: Collected) -> Opened | None:
    """The contents of a release; what cannot be read is a finding, and None where nothing can be made of the rest."""
    there = files(folder, found)
    if "spec.yaml" not in there:
        found.add("spec.yaml", "is missing: a release has its specification beside it")
        return None
    try:
        spec = specifications.parse(there["spec.yaml"])
    except ProtocolError as error:
        found.add("spec.yaml", error.reason.replace(f"{there['spec.yaml']}", "the file"))
        return None
    form = next((form for form in _FORMS if f"{ROWS}.{form}" in there), None)
    if form is None:
        found.add(f"{ROWS}.csv", "is missing, and so is a parquet file of the rows")
        return None
    stored: dict[str, Stored] = {}
    rows = _table(there, f"{ROWS}.{form}", form, stored, found)
    annotations = _table(there, f"{ANNOTATIONS}.{form}", form, stored, found)
    listed = _table(there, FILES_PATH, "csv", stored, found)
    if rows is None:
        return None
    votes = _votes(annotations, found) if annotations else None
    pictures = None
    if listed is not None or any(path.startswith(f"{IMAGES}/") for path in there):
        pictures = {path: Stored.of(file.read_bytes()) for path, file in there.items() if path.startswith(f"{IMAGES}/")}
        stored.setdefault(FILES_PATH, Stored(0, ""))
    contents = Contents(spec, rows.columns, votes, form, stored, pictures)
    return Opened(contents, rows, annotations, listed)


def _table(
    there: dict[str, Path], path: str, form: Format, stored: dict[str, Stored], found: Collected
) -> Sheet | None:
    if path not in there:
        return None
    content = there[path].read_bytes()
    stored[path] = Stored.of(content)
    try:
        return tabular.decoded(content, form, path)
    except ProtocolError as error:
        found.add(path, error.reason)
        return None


def _votes(table: Sheet, found: Collected) -> list[Vote]:
    if missing := [name for name in VOTE if name not in table.columns]:
        found.add(table.name, "the column is not there", missing[0])
        return []
    item, annotator, label = (table.columns[name] for name in VOTE)
    return list(zip(item, annotator, label, strict=True))
