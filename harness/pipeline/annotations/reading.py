"""Files of votes: long tables, counts by class, and what Label Studio exports."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from harness.api import IntArray
from harness.data.own import roles, sheet
from harness.errors import ProtocolError
from harness.pipeline.annotations import label_studio
from harness.pipeline.annotations.ballots import Ballots, ballots, classes_of, counted

ITEM, LABEL, ROUND, TIME = "item", "label", "round", "time"
PEOPLE = ("annotator", "worker")
_TRUTH = ("truth", "gold", "label")
_QUARTERS = 4
_SHAPES = "A long table has the columns item, annotator (or worker), label; one of counts a column a class (--counts)."


@dataclass(frozen=True)
class Reading:
    """Votes in order; of Label Studio also the ``tasks``: the data of every row by its name, in the order of the file."""

    ballots: Ballots
    tasks: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def read(
    path: Path,
    *,
    counts: Sequence[str] = (),
    item: Sequence[str] = (label_studio.ITEM,),
    control: str | None = None,
    salt: str | None = None,
    drop: Collection[str] = (),
) -> Reading:
    """Read a file of votes: ``.json`` is Label Studio's, a table with a column of annotators long, any other table counts.

    Parameters
    ----------
    counts: columns of counts, one a class (default: all but ``item``).
    item, control: as :func:`harness.pipeline.annotations.label_studio.read` takes them.
    salt: every identity of Label Studio becomes a :func:`pseudonym` under it; None keeps ids of users. Names with an ``@``
        become pseudonyms in any case.
    drop: labels that are no answer, such as "unsure": their votes are left out.

    Raises
    ------
    ProtocolError: no such file, or something in it that makes no sense: one paragraph with row, column or task.
    """
    if not path.is_file():
        raise ProtocolError(
            f"There is no file {path}.", "It names votes: .csv, .tsv, .jsonl, or a .json of Label Studio."
        )
    if path.suffix.lower() == ".json":
        return _project(path, item, control, salt, drop)
    if path.suffix.lower() not in sheet.SUFFIXES:
        raise ProtocolError(
            f"{path.name} is of no kind that is read.", f"Known: {', '.join(sheet.SUFFIXES)}, .json of Label Studio."
        )
    table = sheet.read(path)
    who = next((name for name in PEOPLE if name in table.columns), None)
    if who is None or counts:
        return Reading(_counts(table, counts, drop))
    return Reading(_long(table, who, salt, drop))


def read_truth(path: Path) -> dict[str, str]:
    """Labels by item from a table with the columns item and truth (or gold, or label); empty cells say nothing.

    Raises ProtocolError: no such file or columns, or two different labels of one item.
    """
    if not path.is_file():
        raise ProtocolError(f"There is no file {path}.", "It has the columns item and truth.")
    table = sheet.read(path)
    name = next((name for name in _TRUTH if name in table.columns), _TRUTH[0])
    items, labels = _column(table, ITEM), _column(table, name)
    found: dict[str, str] = {}
    for i, (item, label) in enumerate(zip(items, labels, strict=True)):
        if label and found.setdefault(item, label) != label:
            raise ProtocolError(
                f"{table.where([i])} of {path.name} says {label!r} of item {item!r}, an earlier one {found[item]!r}."
            )
    return found


def pseudonym(salt: str, identity: str) -> str:
    """A short name that stands for a person: the same in one data set, another in the next.

    It keeps addresses out of files; whoever has a list of addresses can still try each.
    """
    return "p" + hashlib.blake2b(f"{salt}\0{identity}".encode(), digest_size=6).hexdigest()


def _long(table: sheet.Sheet, who: str, salt: str | None, drop: Collection[str]) -> Ballots:
    items, people, labels = _column(table, ITEM), _column(table, who), _column(table, LABEL)
    notes = list(table.notes)
    for column, cells in ((ITEM, items), (who, people)):
        if "" in cells:
            raise ProtocolError(f"The {column} of {table.where([cells.index('')])} of {table.name} is missing.")
    kept = _kept(labels, drop, notes)
    people = [pseudonym(salt or "", name) if "@" in name else name for name in people]
    when, rounds = _rounds(table, kept)
    return ballots(*_only(kept, items, labels, people), when=when, rounds=rounds, notes=notes)


def _project(path: Path, item: Sequence[str], control: str | None, salt: str | None, drop: Collection[str]) -> Reading:
    found = label_studio.read(path, item=item, control=control)
    notes = list(found.notes)
    kept = _kept(found.labels, drop, notes)
    people = [
        name if salt is None and "@" not in name else pseudonym(salt or "", name) for name in found.annotators
    ]  # fmt: skip
    gold = {row: label for row, label in found.gold.items() if label not in drop}
    items, labels, people, times = _only(kept, found.items, found.labels, people, found.times)
    when, rounds = (None, None) if not all(times) or not times else _in_time(times, _where(items))
    return Reading(ballots(items, labels, people, gold=gold, when=when, rounds=rounds, notes=notes), found.tasks)


def _counts(table: sheet.Sheet, names: Sequence[str], drop: Collection[str]) -> Ballots:
    classes = list(names) or [name for name in table.columns if name != ITEM]
    if LABEL in classes and not names:
        raise ProtocolError(
            f"{table.name} has the column label and none that says whose labels these are.",
            _SHAPES,
        )
    if len(classes) < 2:
        raise ProtocolError(f"{table.name} has neither a column of annotators nor two of counts.", _SHAPES)
    found = np.zeros((len(table), len(classes)), np.int64)
    for c, name in enumerate(classes):
        cells = _column(table, name)
        odd = [i for i, cell in enumerate(cells) if not (cell.isascii() and cell.isdecimal() and len(cell) < 10)]
        if odd:
            raise ProtocolError(
                f"Column {name!r} of {table.name} holds {cells[odd[0]]!r:.60} in {table.where(odd[:1])}, which is no count.",
                "--counts A,B,C names the columns of counts, where a table has others beside item.",
            )
        found[:, c] = [int(cell) for cell in cells]
    items = _column(table, ITEM) if ITEM in table.columns else [str(i) for i in range(len(table))]
    if len(set(items)) < len(items):
        twice = next(item for i, item in enumerate(items) if item in items[:i])
        raise ProtocolError(f"Item {twice!r} has two lines of counts in {table.name}.", "An item has one.")
    order = classes_of(classes)[1]
    columns = [
        c for c in sorted(range(len(classes)), key=lambda c: _position(order, classes[c])) if classes[c] not in drop
    ]
    notes = [*table.notes, *(f"The counts of {name!r} are left out." for name in classes if name in drop)]
    return counted(items, [classes[c] for c in columns], found[:, columns], notes)


def _position(order: Sequence[str], name: str) -> int:
    return order.index(name) if name in order else len(order)


def _kept(labels: Sequence[str], drop: Collection[str], notes: list[str]) -> list[int]:
    """Positions of the votes that count; what is left out goes into the notes."""
    empty, dropped = labels.count(""), sum(label in drop for label in labels)
    if empty:
        notes.append(f"{empty} rows without a label are no votes.")
    if dropped:
        notes.append(f"{dropped} votes for {', '.join(sorted(drop))} are left out.")
    if not empty and not dropped:
        return list(range(len(labels)))
    return [i for i, label in enumerate(labels) if label and label not in drop]


def _only(kept: Sequence[int], *columns: Sequence[str]) -> list[list[str]]:
    return [list(column) if len(kept) == len(column) else [column[i] for i in kept] for column in columns]


def _rounds(table: sheet.Sheet, kept: Sequence[int]) -> tuple[IntArray | None, tuple[IntArray, Sequence[str]] | None]:
    if ROUND in table.columns:
        (cells,) = _only(kept, _column(table, ROUND))
        code, names = classes_of(cells)
        return code, (code, names)
    if TIME in table.columns:
        (cells,) = _only(kept, _column(table, TIME))
        return _in_time(cells, lambda rows: table.where(kept[i] for i in rows))
    return None, None


def _in_time(cells: Sequence[str], where: roles.Where) -> tuple[IntArray | None, tuple[IntArray, Sequence[str]] | None]:
    """Ranks in time, and the votes in four parts of about the same size, one after the other."""
    if not cells:
        return None, None
    times = roles.times(cells, where)
    ordered = np.sort(times)
    edges = np.unique(ordered[[len(ordered) * k // _QUARTERS for k in range(_QUARTERS)]])
    part = np.searchsorted(edges, times, side="right") - 1
    return np.unique(times, return_inverse=True)[1], (part, [f"from {edge}" for edge in edges.tolist()])


def _where(items: Sequence[str]) -> roles.Where:
    return lambda rows: ", ".join(f"item {items[i]}" for i in list(rows)[:5])


def _column(table: sheet.Sheet, name: str) -> list[str]:
    if name not in table.columns:
        raise ProtocolError(
            f"{table.name} has no column {name!r}; its columns: {', '.join(list(table.columns)[:30])}.",
            f"{_SHAPES} Truth has the columns item and truth.",
        )
    return [cell.strip() for cell in table.columns[name]]
