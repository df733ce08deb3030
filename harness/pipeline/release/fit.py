"""Rows held against their specification: types, domains, keys, classes, votes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from harness.data.specification import Column, Specification
from harness.pipeline.release import cells
from harness.pipeline.release.findings import Collected, Finding
from harness.pipeline.release.material import (
    VOTE,
    Vote,
    fields,
    label_of,
    of_role,
    plain_label,
    primary_key,
)

Columns = Mapping[str, Sequence[str]]
Where = Callable[[int], str]


def rows(spec: Specification, columns: Columns, where: Where, file: str, votes_inside: bool = False) -> list[Finding]:
    """What in the rows is not as the specification says.

    ``votes_inside``: whether annotators' columns stand among the others, as they do before a release is made.
    """
    found = Collected()
    known = fields(spec, columns)
    for name in columns.keys() - known.keys() if spec.columns else ():
        found.add(file, "the specification does not name this column", name)
    arrays = {name for name, column in spec.columns.items() if column.type == "array"}
    for name, column in spec.columns.items():
        if column.role == "votes" and not votes_inside and name not in arrays:
            continue
        there = any(field.startswith(f"{name}_") for field in known) if name in arrays else name in columns
        if not (there or name in columns):
            found.add(file, "the specification names this column, and it is not there", name)
    for name in columns:
        if name in known:
            _column(found, name, columns[name], known[name], where, file)
    _unique(found, spec, columns, where, file)
    _classes(found, spec, columns, where, file)
    return found.all()


def _column(found: Collected, name: str, values: Sequence[str], column: Column, where: Where, file: str) -> None:
    plain = column.role == "label"
    for i, cell in enumerate(values):
        if cell == "":
            if column.missing is None and column.type not in ("text", "category"):
                found.add(file, "an entry is missing, and the specification names no marker for that", name, where(i))
        elif not cells.fits(cell, column.type):
            found.add(file, f"is no {column.type}", name, where(i), cell)
        elif what := cells.outside(plain_label(cell) if plain else cell, column):
            found.add(file, what, name, where(i), cell)


def _unique(found: Collected, spec: Specification, columns: Columns, where: Where, file: str) -> None:
    key = primary_key(spec)
    if key is None or key not in columns:
        return
    first: dict[str, int] = {}
    for i, cell in enumerate(columns[key]):
        if cell == "":
            found.add(file, "the id is missing", key, where(i))
        elif cell in first:
            found.add(file, "the id is there twice", key, f"{where(first[cell])} and {where(i)}", cell)
        else:
            first[cell] = i


def _classes(found: Collected, spec: Specification, columns: Columns, where: Where, file: str) -> None:
    label = label_of(spec)
    if label is None or label not in columns:
        return
    guide = spec.label.classes
    for i, cell in enumerate(columns[label]):
        if cell == "":
            found.add(file, "the label is missing", label, where(i))
        elif guide and plain_label(cell) not in guide:
            found.add(file, "is no class of the labelling guide", label, where(i), cell)


def votes(spec: Specification, cast: Sequence[Vote], columns: Columns, where: Where, file: str) -> list[Finding]:
    """Votes about rows that are not there, for what is no class, or twice by one annotator."""
    found = Collected()
    key, label = primary_key(spec), label_of(spec)
    items = set(columns.get(key or "", ()))
    classes = {plain_label(cell) for cell in columns.get(label or "", ())} | set(spec.label.classes)
    seen: set[tuple[str, str]] = set()
    for i, (item, annotator, said) in enumerate(cast):
        if item not in items:
            found.add(file, "the item is no row", VOTE[0], where(i), item)
        if plain_label(said) not in classes:
            found.add(file, "the vote is no class", VOTE[2], where(i), said)
        if annotator == "":
            found.add(file, "the annotator is missing", VOTE[1], where(i))
        if (item, annotator) in seen:
            found.add(file, "votes twice on one item", VOTE[1], where(i), annotator)
        seen.add((item, annotator))
    return found.all()


def unused_classes(spec: Specification, columns: Columns) -> list[str]:
    """Classes of the guide that no row has."""
    label = of_role(spec, "label")
    there = {plain_label(cell) for cell in columns.get(label or "", ())}
    return [name for name in spec.label.classes if name not in there]
