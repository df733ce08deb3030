"""From the name of a data set to the material of its release."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from harness.data.base import Dataset
from harness.data.own import sheet
from harness.data.own import votes as own_votes
from harness.data.own.arrays import columns_of
from harness.data.own.original import Original
from harness.data.own.roles import Array
from harness.data.own.settings import OwnSettings
from harness.data.own.sheet import Sheet
from harness.data.specification import Column, Role, Specification, Type
from harness.errors import ProtocolError
from harness.pipeline.release import fit
from harness.pipeline.release.findings import Finding
from harness.pipeline.release.material import IMAGES, POSITION, Material, Vote, fields, inferred
from harness.pipeline.release.pixels import drawn, png
from harness.protocol import datasets, specifications

_MARKERS = frozenset({""})
_PARTS = ("train", "validation", "test")
_CAST = ("vote_label", "vote_annotator")


class DataRefused(ProtocolError):
    """Data that the harness itself does not take, whatever their specification says."""


@dataclass(frozen=True)
class Gathered:
    """The material, its specification as it was written, and what in the one does not fit the other."""

    material: Material
    findings: tuple[Finding, ...]
    dataset: Dataset


def gather(name: str, config_dir: Path | None = None) -> Gathered:
    """Read a data set and its specification.

    Raises
    ------
    ProtocolError: neither config nor specification of that name, data that the harness itself does not take, or a
        shipped data set that may not be handed on.
    """
    spec = specifications.load(name, config_dir)
    settings = datasets.settings(name, config_dir)
    try:
        dataset = settings.load()
    except ProtocolError as error:
        if not isinstance(settings, OwnSettings):  # files that are not on this machine say nothing of the data
            raise
        raise DataRefused(error.reason, error.hint) from error
    if isinstance(settings, OwnSettings):
        original = settings.original(settings.place())
        markers = frozenset(getattr(getattr(settings, "missing", None), "markers", ())) | _MARKERS
        cast = _own_votes(settings, original, dataset)
    else:
        _may_be_released(spec, name)
        original, cast = _shipped(dataset, spec)
        spec = _as_written(spec, original)
        markers = _MARKERS
    return _material(spec, original, cast, markers, dataset, getattr(settings, "path", None) or name)


def _may_be_released(spec: Specification, name: str) -> None:
    if "LicenseRef-" in spec.license:
        raise ProtocolError(
            f"{name} is shipped under terms of its own ({spec.license}), which do not let the harness hand it on.",
            f"Its source does: {spec.url or spec.source}",
        )


def _material(
    spec: Specification,
    original: Original,
    cast: Sequence[Vote] | None,
    markers: frozenset[str],
    dataset: Dataset,
    file: str,
) -> Gathered:
    renamed = _named_as_specified(spec, original)
    sheet, roles = renamed.sheet, renamed.roles
    columns = {
        name: _cells(cells, spec.columns.get(name), roles.get(name) == "text", markers)
        for name, cells in sheet.columns.items()
    }
    findings = fit.rows(_with_roles(spec, roles), columns, sheet.row, file, votes_inside=True)
    arrays = {column: array for array, members in renamed.arrays.items() for column in members}
    annotators = [name for name, role in roles.items() if role == "votes" and name in columns]
    columns = {name: cells for name, cells in columns.items() if name not in annotators}
    complete = _complete(spec, columns, roles, arrays)
    if cast is not None and not {"id", "image"} & {column.role for column in complete.columns.values()}:
        columns = {POSITION: [str(i) for i in range(len(sheet))], **columns}
        means = "Position of the row; another release may number them otherwise."
        position = Column(role="meta", type="integer", means=means)
        complete = complete.model_copy(update={"columns": {POSITION: position, **complete.columns}})
    material = Material(complete, columns, cast, where=sheet.row)
    if renamed.picture is not None:
        material = _pictured(material, renamed, renamed.picture)
    if cast is not None:
        findings += fit.votes(complete, cast, material.columns, "vote {}".format, file)
    return Gathered(material, tuple(findings), dataset)


def _named_as_specified(spec: Specification, original: Original) -> Original:
    """Files in folders have no names of columns: theirs are the specification's."""
    if original.named:
        return original
    given = {column.role: name for name, column in spec.columns.items()}
    names = {
        name: given[role]
        for name, role in original.roles.items()
        if name not in spec.columns and role in given and given[role] not in original.sheet.columns
    }
    columns = {names.get(name, name): cells for name, cells in original.sheet.columns.items()}
    roles = {names.get(name, name): role for name, role in original.roles.items()}
    return replace(original, sheet=replace(original.sheet, columns=columns), roles=roles)


def _cells(cells: Sequence[str], column: Column | None, text: bool, markers: frozenset[str]) -> list[str]:
    """Cells without space around them, an empty one for every marker of a missing entry; documents as they are."""
    if text:
        return list(cells)
    stripped = [cell.strip() for cell in cells]
    absent = markers if column is None or column.missing is None else markers | {column.missing}
    return ["" if cell in absent else cell for cell in stripped]


def _with_roles(spec: Specification, roles: Mapping[str, Role]) -> Specification:
    """What the data set's config says a column is goes for the specification too."""
    columns = {
        name: column.model_copy(update={"role": roles.get(name, column.role)}) for name, column in spec.columns.items()
    }
    return spec.model_copy(update={"columns": columns})


def _complete(
    spec: Specification, columns: Mapping[str, list[str]], roles: Mapping[str, Role], arrays: Mapping[str, str]
) -> Specification:
    """The specification with an entry for every column, in the order of the file."""
    known = fields(spec, columns)
    entries: dict[str, Column] = {}
    for name, cells in columns.items():
        whole = arrays.get(name, name)
        if whole in entries:
            continue
        said = spec.columns.get(whole) or known.get(name)
        if said is None:
            type_: Type = "array" if name in arrays else _type(roles.get(name), cells)
            said = Column(type=type_, missing="" if "" in cells and type_ != "text" else None)
        role = roles.get(whole, said.role)
        entries[whole] = said.model_copy(update={"role": role, "missing": None if said.missing is None else ""})
    label = next((name for name, column in entries.items() if column.role == "label"), spec.label.column)
    keys: dict[str, Role] = {"group": "group", "time": "time", "part": "part"}
    split = {
        key: next((name for name, column in entries.items() if column.role == role), "") for key, role in keys.items()
    }
    return spec.model_copy(
        update={
            "columns": entries,
            "label": spec.label.model_copy(update={"column": label}),
            "split": spec.split.model_copy(update=split),
        }
    )


def _type(role: Role | None, cells: list[str]) -> Type:
    if role == "text":
        return "text"
    if role == "image":
        return "image"
    found = inferred(cells)
    return "category" if role == "label" and found in ("number", "text") else found


def _pictured(material: Material, original: Original, picture: Callable[[int], bytes]) -> Material:
    """Pictures as PNG files below ``images/``, and their names in the column that named them."""
    column = next(name for name, role in original.roles.items() if role == "image")
    pictures: dict[str, Callable[[], bytes]] = {}
    paths: list[str] = []
    for row, name in enumerate(material.columns[column]):
        path = f"{IMAGES}/{PurePosixPath(name).with_suffix('.png').as_posix()}"
        if path in pictures:  # a.jpg beside a.png
            path = f"{IMAGES}/{name}.png"
        pictures[path] = partial(_picture, picture, row, name)
        paths.append(path)
    return replace(material, columns={**material.columns, column: paths}, pictures=pictures)


def _picture(picture: Callable[[int], bytes], row: int, name: str) -> bytes:
    return png(picture(row), name)


def _own_votes(settings: OwnSettings, original: Original, dataset: Dataset) -> list[Vote] | None:
    if "vote_label" not in dataset.extras:
        return None
    ids = dataset.extras["id"]
    if isinstance(settings.votes, str):
        path = settings.votes_file()
        found = own_votes.cast(path, sheet.read(path), ids)
    else:
        table = original.sheet
        found = own_votes.from_columns(
            {name: table.column(name, "votes") for name in settings.vote_columns}, table.where
        )
    names = [str(name) for name in ids.tolist()]
    return [(names[row], annotator, label) for row, annotator, label, _ in found]


def _shipped(dataset: Dataset, spec: Specification) -> tuple[Original, list[Vote] | None]:
    """Arrays of a shipped data set as columns: X (or pictures), the label, what else is known of the rows.

    Classes and parts are words, or codes where the specification says that they are integers.
    """
    label = spec.label.column or next((name for name, c in spec.columns.items() if c.role == "label"), "label")
    coded = {name for name, column in spec.columns.items() if column.type == "integer"}
    pictured = (x := spec.columns.get("X")) is not None and x.type == "image" and dataset.X.ndim > 2
    arrays: dict[str, Array] = {} if dataset.texts is not None or pictured else {"X": dataset.X}
    arrays |= {name: array for name, array in dataset.extras.items() if name not in (*_CAST, "votes", "part")}
    sheet, flat = columns_of(dataset.name, arrays)
    columns: dict[str, list[str]] = {}
    if dataset.texts is not None:
        columns["text"] = list(dataset.texts)
    if pictured:
        columns["X"] = [f"{i:06d}.png" for i in range(len(dataset.y))]
    columns |= sheet.columns
    columns[label] = [str(y) if label in coded else dataset.class_names[y] for y in dataset.y]
    if "part" in dataset.extras:
        columns["part"] = [str(part) if "part" in coded else _PARTS[part] for part in dataset.extras["part"].tolist()]
    roles: dict[str, Role] = {
        "text": "text",
        "id": "id",
        "group": "group",
        "time": "time",
        "part": "part",
        label: "label",
    }
    roles |= {"X": "image"} if pictured else {}
    roles = {name: role for name, role in roles.items() if name in columns}
    roles |= {name: "meta" for name in arrays if name not in roles and name != "X"}
    picture = partial(drawn, dataset.X) if pictured else None
    return Original(Sheet(dataset.name, columns, "row {}".format), roles, flat, picture=picture), _cast(dataset)


def _as_written(spec: Specification, original: Original) -> Specification:
    """A shipped specification with what it does not name, described as it is found: nobody can edit it."""
    columns = dict(spec.columns)
    members = {name for names in original.arrays.values() for name in names}
    for name, cells in original.sheet.columns.items():
        role = original.roles.get(name)
        if name not in columns and name not in members:
            columns[name] = Column(type=_type(role, cells), role=role or "feature")
    return spec.model_copy(update={"columns": columns}) if spec.columns else spec


def _cast(dataset: Dataset) -> list[Vote] | None:
    if not all(name in dataset.extras for name in _CAST):
        return None
    ids = [str(i) for i in dataset.extras.get("id", np.arange(len(dataset.y))).tolist()]
    said, people = (dataset.extras[name] for name in _CAST)
    return [
        (ids[i], str(people[i, k]), dataset.class_names[int(said[i, k])])
        for i in range(len(ids))
        for k in range(said.shape[1])
        if said[i, k] >= 0
    ]
