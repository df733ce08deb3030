"""A release put in place: made in a hidden folder beside it and renamed last, so that it is whole or not there."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ProtocolError
from harness.paths import permit
from harness.pipeline.release import tabular
from harness.pipeline.release.contents import (
    FILES_FIELDS,
    FILES_PATH,
    VOTE_FIELDS,
    Contents,
    Stored,
    files_table,
)
from harness.pipeline.release.describe import descriptions
from harness.pipeline.release.fit import unused_classes
from harness.pipeline.release.gather import gather
from harness.pipeline.release.material import ANNOTATIONS, ROWS, VOTE, Material, arrays, fields
from harness.pipeline.release.tabular import Format
from harness.protocol.staging import staged

_EARLIEST = (1980, 1, 1, 0, 0, 0)  # the time of every file in an archive: the clock is no part of a release
_MOST_FINDINGS = 5
_WIDE = 100  # columns: readers of Croissant take time that grows with their square


@dataclass(frozen=True)
class Released:
    """What was written. ``remarks``: what is allowed and worth knowing."""

    name: str
    version: str
    rows: int
    folder: Path
    archive: Path | None
    files: int
    size: int  # bytes of the folder
    remarks: tuple[str, ...] = ()


def release(
    name: str, out: Path, config_dir: Path | None = None, *, archive: bool = False, form: Format | None = None
) -> Released:
    """Write a release of a data set into the folder ``out`` and, with ``archive``, into ``out.zip``.

    ``form``: how tables are written; by default CSV, and parquet for more than 100 columns.

    Raises
    ------
    ProtocolError: no such data set, its specification is unfinished or not what the data are, the folder or archive is
        there already. Nothing is written then.
    """
    places = [out, _archive(out)] if archive else [out]
    for place in places:
        if os.path.lexists(place):
            raise ProtocolError(f"{place} exists already; nothing was written.", "Choose another place.")
    gathered = gather(name, config_dir)
    if missing := gathered.material.spec.unfinished():
        raise ProtocolError(
            f"{name} cannot be released: its specification does not say {'; '.join(missing)}.",
            f"Fill it in, in spec/{name}.yaml.",
        )
    if gathered.findings:
        shown = "; ".join(map(str, gathered.findings[:_MOST_FINDINGS]))
        more = len(gathered.findings) - _MOST_FINDINGS
        raise ProtocolError(
            f"{name} is not what its specification says: {shown}{f'; and {more} more' if more > 0 else ''}.",
            "Correct the data or the specification; `harness dataset validate` lists everything.",
        )
    material = gathered.material
    form = form or ("parquet" if len(material.columns) > _WIDE else "csv")
    with staged(out.absolute().parent) as stage:
        contents = _write(material, form, stage / "folder")
        size, count = _measured(stage / "folder")
        if archive:
            pack(stage / "folder", stage / "archive")
            _move(stage / "archive", _archive(out))
        permit(stage / "folder", 0o777)
        _move(stage / "folder", out)
    made = _archive(out) if archive else None
    spec = material.spec
    return Released(spec.name, spec.version, material.rows, out, made, count, size, tuple(_remarks(contents)))


def _archive(out: Path) -> Path:
    return out.with_name(f"{out.name}.zip")


def _move(staged: Path, place: Path) -> None:
    if os.path.lexists(place):  # since it was looked for
        raise ProtocolError(f"{place} exists already; nothing was written in its place.", "Choose another place.")
    staged.rename(place)


def _write(material: Material, form: Format, folder: Path) -> Contents:
    """All files, into a new folder."""
    folder.mkdir()
    tables: dict[str, bytes] = {}
    known = fields(material.spec, material.columns)
    together = arrays(material.spec, material.columns)
    tables[f"{ROWS}.{form}"] = tabular.encoded(material.columns, known, form, together)
    if material.votes is not None:
        votes = {name: [vote[k] for vote in material.votes] for k, name in enumerate(VOTE)}
        tables[f"{ANNOTATIONS}.{form}"] = tabular.encoded(votes, VOTE_FIELDS, form)
    pictures = None
    if material.pictures is not None:
        pictures = _write_pictures(material.pictures, folder)
        tables[FILES_PATH] = tabular.encoded(files_table(pictures), FILES_FIELDS, "csv")
    stored = {path: Stored.of(content) for path, content in tables.items()}
    contents = Contents(material.spec, material.columns, material.votes, form, stored, pictures)
    for path, content in (tables | descriptions(contents)).items():
        (folder / path).write_bytes(content)
    return contents


def _write_pictures(pictures: Mapping[str, Callable[[], bytes]], folder: Path) -> dict[str, Stored]:
    stored = {}
    for path, content_of in pictures.items():
        content = content_of()
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
        stored[path] = Stored.of(content)
    return stored


def _measured(folder: Path) -> tuple[int, int]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return sum(path.stat().st_size for path in files), len(files)


def pack(folder: Path, archive: Path) -> None:
    """A zip of a folder's files, in the order of their names and with no times: the same files make the same bytes."""
    with zipfile.ZipFile(archive, "w") as target:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _EARLIEST)
            packed = path.suffix in (".png", ".parquet")  # already as small as it gets
            entry.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
            entry.create_system, entry.external_attr = 3, 0o100644 << 16
            target.writestr(entry, path.read_bytes(), compresslevel=6)


def _remarks(contents: Contents) -> Iterator[str]:
    spec = contents.spec
    if not spec.url:
        yield "The specification has no url, which Croissant requires of a description."
    if spec.versions[-1].date is None:
        yield f"Version {spec.version} has no date, so croissant.json has no datePublished, which Croissant requires."
    for name in unused_classes(spec, contents.columns):
        yield f"The class {name!r} of the labelling guide has no row."
