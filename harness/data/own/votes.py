"""What several people said of every row: counts by class, and who said what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.api import IntArray
from harness.data.own import sheet
from harness.data.own.roles import Where
from harness.errors import ProtocolError

Vote = tuple[int, str, str, str]  # row, annotator, label, and where that stands
_WORKER = ("annotator", "worker")


def from_columns(columns: Mapping[str, Sequence[str]], where: Where) -> list[Vote]:
    """A column an annotator; an empty cell is no vote."""
    return [
        (i, name, label, where([i])) for name, cells in columns.items() for i, label in enumerate(cells) if label != ""
    ]


def read(path: Path, ids: npt.NDArray[np.generic], classes: Sequence[str]) -> dict[str, IntArray]:
    """A CSV file of votes; item is the row's id.

    With the columns item, annotator (or worker) and label as :func:`tally` has it; with item and a column of counts a class
    ``votes`` [n, C] alone.
    """
    table = sheet.read(path)
    if "label" not in table.columns and not any(name in table.columns for name in _WORKER):
        return {"votes": _counts(path, table, ids, classes)}
    return tally(cast(path, table, ids), len(ids), classes)


def _counts(path: Path, table: sheet.Sheet, ids: npt.NDArray[np.generic], classes: Sequence[str]) -> IntArray:
    found = np.zeros((len(ids), len(classes)), np.int64)
    rows = _rows(path, table, ids)
    if len(set(rows)) < len(rows):
        twice = next(i for i, row in enumerate(rows) if rows.index(row) < i)
        raise ProtocolError(f"{table.where([twice])} of {path.name} counts the votes of an item a second time.")
    if odd := sorted(table.columns.keys() - {"item", *classes}):
        raise ProtocolError(
            f"The column {odd[0]!r} of {path.name} is no class.",
            f"The classes are those of the label: {', '.join(classes)}.",
        )
    for c, name in enumerate(classes):
        for i, cell in enumerate(table.column(name, "votes") if name in table.columns else ()):
            if not (cell.isascii() and cell.isdecimal() and len(cell) < 10):
                raise ProtocolError(
                    f"Column {name!r} of {path.name} holds {cell!r:.60} in {table.where([i])}, no count."
                )
            found[rows[i], c] = int(cell)
    return found


def cast(path: Path, table: sheet.Sheet, ids: npt.NDArray[np.generic]) -> list[Vote]:
    """The votes of a table with the columns item, annotator (or worker) and label, of the file ``path``."""
    who = next((name for name in _WORKER if name in table.columns), _WORKER[0])
    people, labels = (table.column(name, "votes") for name in (who, "label"))
    return [
        (row, person, label, f"{table.where([i])} of {path.name}")
        for i, (row, person, label) in enumerate(zip(_rows(path, table, ids), people, labels, strict=True))
    ]


def _rows(path: Path, table: sheet.Sheet, ids: npt.NDArray[np.generic]) -> list[int]:
    """The row of every line's item."""
    items = table.column("item", "votes")
    row_of = {str(name): i for i, name in enumerate(ids.tolist())}
    unknown = [i for i, item in enumerate(items) if item not in row_of]
    if unknown:
        raise ProtocolError(
            f"{len(unknown)} votes of {path.name} are about rows that are not there, e.g. item {items[unknown[0]]!r} in "
            f"{table.where(unknown[:1])}.",
            "The column item must hold the data's ids (dataset.id), or row positions from 0 where there are none.",
        )
    return [row_of[item] for item in items]


def tally(votes: Sequence[Vote], n: int, classes: Sequence[str]) -> dict[str, IntArray]:
    """``votes`` [n, C], and ``vote_label`` and ``vote_annotator`` [n, K] with -1 where a row has fewer than K votes.

    Annotators are numbered in the order of their names.

    Raises
    ------
    ProtocolError: a vote for no class, or two votes of one annotator on one row.
    """
    code = {name: c for c, name in enumerate(classes)}
    person_of = {name: k for k, name in enumerate(sorted({vote[1] for vote in votes}))}
    seen: dict[tuple[int, str], str] = {}
    of_row: list[list[tuple[int, int]]] = [[] for _ in range(n)]
    for row, person, label, where in votes:
        if label not in code:
            raise ProtocolError(
                f"The vote {label!r} in {where} is no class.",
                f"The classes are those of the label: {', '.join(classes)}.",
            )
        if (row, person) in seen:
            raise ProtocolError(
                f"Annotator {person!r} votes twice on one row: {seen[row, person]}; {where}.", "Keep one of the two."
            )
        seen[row, person] = where
        of_row[row].append((person_of[person], code[label]))
    most = max((len(cast) for cast in of_row), default=0)
    counts = np.zeros((n, len(classes)), np.int64)
    people, labels = np.full((2, n, most), -1, np.int64)
    for row, cast in enumerate(of_row):
        for k, (person_code, label_code) in enumerate(sorted(cast)):
            people[row, k], labels[row, k] = person_code, label_code
            counts[row, label_code] += 1
    return {"votes": counts, "vote_label": labels, "vote_annotator": people}
