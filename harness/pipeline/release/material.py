"""What a release is made of: cells by column, votes, pictures, and a specification in which every column stands."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.data.specification import Column, Role, Specification, Type

ROWS, ANNOTATIONS, FILES, IMAGES = "rows", "annotations", "files", "images"
POSITION = "row_id"  # the column that stands in where votes need an id and the data have none
VOTE = ("item", "annotator", "label")

Vote = tuple[str, str, str]


@dataclass(frozen=True)
class Material:
    """Rows ready to be released.

    ``columns``: n cells each, an empty one where an entry is missing. ``votes``: item (the row's key), annotator, label.
    ``pictures``: files by their path in the release, read when they are asked for. ``where`` names rows in words.
    """

    spec: Specification
    columns: Mapping[str, Sequence[str]]
    votes: Sequence[Vote] | None = None
    pictures: Mapping[str, Callable[[], bytes]] | None = None
    where: Callable[[int], str] = "row {}".format

    @property
    def rows(self) -> int:
        return len(next(iter(self.columns.values()), ()))


def fields(spec: Specification, names: Iterable[str]) -> dict[str, Column]:
    """What each column of a file is, as far as the specification says it; ``X_0``, ``X_1`` ... are those of an array X."""
    found: dict[str, Column] = {}
    arrays = [name for name, column in spec.columns.items() if column.type == "array"]
    for name in names:
        if name in spec.columns:
            found[name] = spec.columns[name]
            continue
        for array in arrays:
            if re.fullmatch(re.escape(array) + r"(_\d+)+", name):
                found[name] = spec.columns[array].model_copy(update={"type": "number"})
    return found


def arrays(spec: Specification, names: Iterable[str]) -> dict[str, list[str]]:
    """Columns that belong together, by the array that they are of."""
    names = list(names)
    known = fields(spec, names)
    found: dict[str, list[str]] = {}
    for array in (name for name, column in spec.columns.items() if column.type == "array" and name not in names):
        members = [name for name in names if name in known and re.fullmatch(re.escape(array) + r"(_\d+)+", name)]
        if members:
            found[array] = members
    return found


def shape_of(array: str, members: Sequence[str]) -> list[int]:
    """The shape of a row's part of an array, from the name of its last number: ``X_7_7`` is one of 8 x 8."""
    return [int(place) + 1 for place in members[-1].removeprefix(f"{array}_").split("_")]


def of_role(spec: Specification, role: Role) -> str | None:
    """The first column of a role."""
    return next((name for name, column in spec.columns.items() if column.role == role), None)


def key_of(spec: Specification) -> str | None:
    """The column that names a row for good: an id, else the picture's file."""
    return of_role(spec, "id") or of_role(spec, "image")


def primary_key(spec: Specification) -> str | None:
    """The same, or the position where votes have to name rows and nothing else does."""
    return key_of(spec) or (POSITION if POSITION in spec.columns else None)


def label_of(spec: Specification) -> str | None:
    """The column of labels."""
    return of_role(spec, "label") or spec.label.column or None


def kind_of(spec: Specification) -> str:
    """``image``, ``text`` or ``tabular``."""
    return "image" if of_role(spec, "image") else "text" if of_role(spec, "text") else "tabular"


def plain_label(label: str) -> str:
    """A label as the harness names classes: whole numbers without sign, point or zeros before them."""
    if re.fullmatch(r"[+-]?\d+(\.0*)?", label, re.ASCII):
        return str(int(float(label))) if len(label) < 16 else label
    return label


def inferred(cells: Sequence[str]) -> Type:
    """The type of a column of which nobody has said it."""
    from harness.pipeline.release import cells as kinds

    known = [cell for cell in cells if cell != ""]
    if not known:
        return "text"
    for type_ in ("integer", "number", "date"):
        if all(kinds.fits(cell, type_) for cell in known) and not any(map(kinds.coded, known)):
            return type_
    return "category" if len(set(known)) <= max(20, len(known) // 20) else "text"
