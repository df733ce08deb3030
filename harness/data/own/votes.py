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


def from_file(path: Path, ids: npt.NDArray[np.generic]) -> list[Vote]:
    """A CSV file with the columns item, annotator (or worker) and label; item is the row's id."""
    table = sheet.read(path)
    who = next((name for name in _WORKER if name in table.columns), _WORKER[0])
    items, people, labels = (table.column(name, "votes") for name in ("item", who, "label"))
    row_of = {str(name): i for i, name in enumerate(ids.tolist())}
    unknown = [i for i, item in enumerate(items) if item not in row_of]
    if unknown:
        raise ProtocolError(
            f"{len(unknown)} votes of {path.name} are about rows that are not there, e.g. item {items[unknown[0]]!r} in "
            f"{table.where(unknown[:1])}.",
            "The column item must hold the data's ids (dataset.id), or row positions from 0 where there are none.",
        )
    return [
        (row_of[item], person, label, f"{table.where([i])} of {path.name}")
        for i, (item, person, label) in enumerate(zip(items, people, labels, strict=True))
    ]


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
