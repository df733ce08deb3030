"""Whether a release is what it says, and whether a data set is what its specification says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.pipeline.release import compare, fit, opened, profile, readers
from harness.pipeline.release.contents import FILES_PATH, FORMAT, Contents, Stored
from harness.pipeline.release.describe import DESCRIPTIONS
from harness.pipeline.release.findings import Collected, Finding
from harness.pipeline.release.gather import DataRefused, gather
from harness.pipeline.release.material import of_role


@dataclass(frozen=True)
class Validation:
    """``findings``: what is wrong. ``asked``: by whom the rows were read back, or why not. ``remarks``: worth knowing."""

    place: str
    rows: int
    findings: tuple[Finding, ...]
    asked: Mapping[str, str]
    remarks: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.findings

    def as_dict(self) -> dict[str, Any]:
        return {
            "place": self.place, "ok": self.ok, "rows": self.rows, "findings": [one.as_dict() for one in self.findings],
            "asked": dict(self.asked), "remarks": list(self.remarks),
        }  # fmt: skip


def validate(word: str, config_dir: Path | None = None) -> Validation:
    """A release (folder or zip) or, by its name, a data set.

    Raises ProtocolError where there is neither, or an archive cannot be unpacked.
    """
    if not opened.is_release(word):
        try:
            gathered = gather(word, config_dir)
        except DataRefused as error:
            return Validation(word, 0, (Finding(word, error.reason),), {})
        spec = gathered.material.spec
        unsaid = tuple(f"A release needs {what}." for what in spec.unfinished())
        unused = tuple(
            f"The class {name!r} has no row." for name in fit.unused_classes(spec, gathered.material.columns)
        )
        return Validation(word, gathered.material.rows, gathered.findings, {}, unsaid + unused)
    with opened.folder_of(Path(word)) as folder:
        return _release(word, folder)


def _release(word: str, folder: Path) -> Validation:
    found = Collected()
    package = _description(folder, "datapackage.json", found)
    croissant = _description(folder, "croissant.json", found)
    for problem in profile.problems(package) if package is not None else ():
        found.add("datapackage.json", problem)
    for problem in compare.keys(croissant) if croissant is not None else ():
        found.add("croissant.json", problem)
    read = opened.read(folder, found)
    _files(folder, package or {}, croissant or {}, found)
    remarks: list[str] = []
    asked: dict[str, str] = {}
    if read is not None:
        _data(read, found)
        if package is None or compare.same_format(package):
            compare.compare(folder, read.contents, found)
        else:
            remarks.append(f"Made by another version of the harness (this one writes format {FORMAT}): descriptions and "
                           "data were checked each for itself, not made anew and compared.")  # fmt: skip
        unused = fit.unused_classes(read.contents.spec, read.contents.columns)
        remarks += [f"The class {name!r} of the labelling guide has no row." for name in unused]
        sound = package is not None and not any(profile.problems(package))
        asked, said = readers.ask(folder, read.contents, found, package=sound)
        remarks += said
    return Validation(word, len(read.rows) if read else 0, tuple(found.all()), asked, tuple(remarks))


def _description(folder: Path, name: str, found: Collected) -> dict[str, Any] | None:
    try:
        plain = json.loads((folder / name).read_bytes())
    except FileNotFoundError:
        found.add(name, "is missing")
        return None
    except (OSError, ValueError, RecursionError) as error:
        found.add(name, f"is not JSON: {str(error)[:120]}")
        return None
    if not isinstance(plain, dict):
        found.add(name, f"holds a {type(plain).__name__} in place of keys and values")
        return None
    return plain


def _data(read: opened.Opened, found: Collected) -> None:
    contents = read.contents
    for what in contents.spec.unfinished():
        found.add("spec.yaml", f"does not say {what}")
    found.extend(fit.rows(contents.spec, contents.columns, read.rows.row, contents.rows_path))
    if contents.votes is not None and read.annotations is not None:
        where, file = read.annotations.row, read.annotations.name
        found.extend(fit.votes(contents.spec, contents.votes, contents.columns, where, file))
    image = of_role(contents.spec, "image")
    if image in contents.columns and contents.pictures is not None:
        for i, path in enumerate(contents.columns[image or ""]):
            if path not in contents.pictures:
                found.add(contents.rows_path, "the picture is not there", str(image), read.rows.row(i), path)
    if read.listed is not None:
        _listed(contents, read.listed.columns, read.listed.row, found)


def _listed(contents: Contents, columns: Mapping[str, list[str]], where: fit.Where, found: Collected) -> None:
    """The list of pictures held against the pictures."""
    paths, sizes, digests = (columns.get(name, []) for name in ("path", "bytes", "sha256"))
    pictures = contents.pictures or {}
    for i, (path, size, digest) in enumerate(zip(paths, sizes, digests, strict=False)):
        there = pictures.get(path)
        if there is None:
            found.add(FILES_PATH, "the file is not there", "path", where(i), path)
        elif (str(there.size), there.sha256) != (size, digest):
            found.add(FILES_PATH, "the file has another content than is said here", "sha256", where(i), path)


def _files(folder: Path, package: Mapping[str, Any], croissant: Mapping[str, Any], found: Collected) -> None:
    """Sizes and digests that the descriptions state, and files that none of them names."""
    there = opened.files(folder)
    known = set(DESCRIPTIONS)
    for source, entries, name in (
        ("datapackage.json", package.get("resources"), "path"),
        ("croissant.json", croissant.get("distribution"), "contentUrl"),
    ):
        for entry in entries if isinstance(entries, list) else []:
            if not isinstance(entry, dict) or not isinstance(path := entry.get(name), str):
                continue
            known.add(path)
            if path not in there:
                found.add(path, f"is not there, and {source} describes it")
                continue
            actual = Stored.of(there[path].read_bytes())
            stated = str(entry.get("hash", entry.get("sha256", ""))).removeprefix("sha256:")
            if stated != actual.sha256:
                found.add(
                    path, f"has the SHA-256 {actual.sha256[:12]}..., and {source} says {stated[:12] or 'nothing'}..."
                )
            size = str(entry.get("bytes", entry.get("contentSize", ""))).removesuffix(" B")
            if size != str(actual.size):
                found.add(path, f"has {actual.size} bytes, and {source} says {size or 'nothing'}")
    listed = _paths(folder / FILES_PATH)
    for path in there:
        if path not in known and path not in listed:
            found.add(path, "is described nowhere")


def _paths(listing: Path) -> set[str]:
    import csv

    if not listing.is_file():
        return set()
    with listing.open(encoding="utf-8", errors="replace", newline="") as stream:
        return {str(row.get("path")) for row in csv.DictReader(stream)}
