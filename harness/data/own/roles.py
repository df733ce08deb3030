"""Labels, ids, groups, times, parts and votes: what the columns of an own data set mean besides features."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from harness.api import IntArray
from harness.data.base import TEST, TRAIN, VALIDATION
from harness.errors import ProtocolError

Where = Callable[[Iterable[int]], str]
Array = npt.NDArray[np.generic]

NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_PARTS = {
    "train": TRAIN, "training": TRAIN, "validation": VALIDATION, "val": VALIDATION, "valid": VALIDATION, "dev": VALIDATION,
    "test": TEST, "0": TRAIN, "1": VALIDATION, "2": TEST,
}  # fmt: skip
_LONGEST, _MOST_BYTES = 10_000, 1 << 30


@dataclass(frozen=True)
class Classes:
    """``y`` [n] int64 and the names of the classes, in sorted order."""

    y: IntArray
    names: tuple[str, ...]


def classes(values: Sequence[str], column: str, where: Where, missing: frozenset[str] = frozenset({""})) -> Classes:
    """Labels in sorted order of their names, whole numbers in the order of numbers.

    Raises
    ------
    ProtocolError: a row without label, numbers that are no classes, fewer than two classes, a class with one row.
    """
    n = len(values)
    without = [i for i, value in enumerate(values) if value in missing]
    if without:
        raise ProtocolError(
            f"{len(without)} of {n} rows have no label in {column}: {where(without)}.",
            "Label them or take them out of the file; no row is dropped silently.",
        )
    if n < 4:
        raise ProtocolError(f"There are {n} rows in all; the least is two rows in each of two classes.")
    if all(NUMBER.fullmatch(value) for value in values):
        values = _whole(values, column, where)
    counts = Counter(values)
    whole = all(value.lstrip("-").isdecimal() for value in counts)
    names = sorted(counts, key=int) if whole else sorted(counts)
    if len(names) > max(20, n // 5):
        raise ProtocolError(
            f"{column} has {len(names)} different values in {n} rows, e.g. {', '.join(map(repr, names[:4]))}: "
            "that is no label of a class.",
            "Name the column that holds the classes, or write a column with few classes (ranges of a number, say).",
        )
    if len(names) == 1:
        raise ProtocolError(f"Every row has the label {names[0]!r} in {column}; there must be two classes or more.")
    single = [name for name in names if counts[name] < 2]
    if single:
        rows = [i for i, value in enumerate(values) if value in single]
        raise ProtocolError(
            f"The class {single[0]!r} in {column} has one row, so it cannot be both learned and tested: {where(rows)}.",
            "Is it a spelling of another class? Else collect more of it, or put rare classes together.",
        )
    code = {name: c for c, name in enumerate(names)}
    return Classes(np.array([code[value] for value in values], np.int64), tuple(names))


def _whole(values: Sequence[str], column: str, where: Where) -> list[str]:
    for i, value in enumerate(values):
        if len(value) > 18 or not float(value).is_integer():
            raise ProtocolError(
                f"{column} holds numbers that are no classes, e.g. {value!r} in {where([i])}.",
                "The harness judges classification: write a column with classes, e.g. below and above a limit.",
            )
    return [str(int(float(value))) for value in values]


def ids(values: Sequence[str] | None, n: int, where: Where) -> Array:
    """Stable names of the rows: a column's, each once, or their positions."""
    if values is None:
        return np.arange(n, dtype=np.int64)
    first: dict[str, int] = {}
    for i, value in enumerate(values):
        if value == "":
            raise ProtocolError(f"The id of {where([i])} is missing.")
        if value in first:
            raise ProtocolError(
                f"The id {value!r} is there twice: {where([first[value], i])}.", "An id names one row; see `group`."
            )
        first[value] = i
    return strings(values, "id", where)


def strings(values: Sequence[str], column: str, where: Where) -> Array:
    """Text as one array of n entries. Raises ProtocolError for a text far too long for that."""
    lengths = [len(value) for value in values]
    longest = int(np.argmax(lengths))
    if lengths[longest] > _LONGEST or lengths[longest] * len(values) * 4 > _MOST_BYTES:
        raise ProtocolError(
            f"{column} holds {lengths[longest]} characters in {where([longest])}, too many for what describes a row.",
            "Leave the column out (columns: drop), or make it the text of a data set of the kind `text`.",
        )
    return np.array(values)


def groups(values: Sequence[str], where: Where) -> Array:
    """What each row belongs to. Raises ProtocolError where that is missing."""
    without = [i for i, value in enumerate(values) if value == ""]
    if without:
        raise ProtocolError(
            f"{len(without)} rows belong to no group: {where(without)}.",
            "Give a row that stands alone a group of its own, e.g. its id.",
        )
    return strings(values, "group", where)


def times(values: Sequence[str], where: Where) -> Array:
    """Numbers as float64, dates and times in ISO 8601 as datetime64[us] (with an offset: in UTC)."""
    if all(NUMBER.fullmatch(value) for value in values):
        return np.array([float(value) for value in values])
    moments = []
    for i, value in enumerate(values):
        try:
            moments.append(datetime.fromisoformat(value))
        except ValueError:
            raise ProtocolError(
                f"The time of {where([i])} is {value!r}, neither a date nor, like all the others, a number.",
                "Write dates as 2024-01-31 or 2024-01-31T12:00:00 (ISO 8601); 01/02/24 is a different day elsewhere.",
            ) from None
        if (moments[i].tzinfo is None) != (moments[0].tzinfo is None):
            raise ProtocolError(f"Some times have an offset from UTC and others have none: {where([0, i])}.")
    plain = [moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment for moment in moments]
    return np.array(plain, "datetime64[us]")


def parts(values: Sequence[str], where: Where) -> IntArray:
    """The official part of every row. Raises ProtocolError for another word, or where there is nothing to train or test."""
    for i, value in enumerate(values):
        if value.lower() not in _PARTS:
            raise ProtocolError(
                f"The part of {where([i])} is {value!r}; it must be train, validation (val, valid, dev) or test."
            )
    part = np.array([_PARTS[value.lower()] for value in values], np.int64)
    for which, word in ((TRAIN, "train"), (TEST, "test")):
        if not (part == which).any():
            raise ProtocolError(f"No row has the part {word}.", "Leave `part` out to draw parts at random.")
    return part


def unmixed(group: Array, part: IntArray, where: Where) -> None:
    """Raise ProtocolError where rows of one group are in different official parts."""
    names, code = np.unique(group, return_inverse=True)
    least, most = np.full(len(names), TEST), np.full(len(names), TRAIN)
    np.minimum.at(least, code, part)
    np.maximum.at(most, code, part)
    mixed = np.flatnonzero(least != most)
    if len(mixed):
        rows = np.flatnonzero(code == mixed[0])
        pair = [int(rows[0]), int(rows[part[rows] != part[rows[0]]][0])]
        raise ProtocolError(
            f"{len(mixed)} groups have rows in different official parts, e.g. {str(names[mixed[0]])!r}: {where(pair)}.",
            "Put all rows of a group into one part, or leave `part` out.",
        )
