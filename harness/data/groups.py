"""Parts of a data set whose rows belong together in groups: no group has rows in two parts."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.api import IntArray
from harness.data import splits
from harness.errors import ProtocolError

_ORDERS = 20  # random orders tried for parts that have rows of every class


def grouped(
    y: npt.NDArray[Any], group: npt.NDArray[Any], sizes: Sequence[int | None], rng: np.random.Generator
) -> tuple[IntArray, ...]:
    """One array of row indices per size, exactly that long; None: every row of the groups that the others leave.

    Whole groups in random order go to the part that still needs most of what they have, class by class in the proportions of
    y, until each part has rows enough; then the asked number is drawn from each part's groups, as near to those proportions
    as its rows allow. Of 20 orders the first is taken in which no part lacks a class.

    Parameters
    ----------
    y: [n] labels; group: [n] what each row belongs to.
    sizes: rows per part, each >= 0 or None, at most one of them None.

    Raises
    ------
    ProtocolError: the sizes add up to more than n, one is negative, or whole groups do not fill the parts.
    """
    y = np.asarray(y)
    asked = np.array([size or 0 for size in sizes], np.int64)
    splits.check_sizes(len(y), asked.tolist())
    classes, codes = np.unique(y, return_inverse=True)
    names, of_row = np.unique(group, return_inverse=True)
    counts = np.zeros((len(names), len(classes)), np.int64)
    np.add.at(counts, (of_row, codes), 1)
    spare = sizes.index(None) if None in sizes else len(sizes)
    best: tuple[int, IntArray] | None = None
    for _ in range(_ORDERS):
        part_of = _assigned(counts, asked, spare, rng)
        lacking = _lacking(counts, part_of, sizes)
        if lacking is not None and (best is None or lacking < best[0]):
            best = lacking, part_of
        if best is not None and best[0] == 0:
            break
    if best is None:
        raise _too_few(asked, counts)
    parts = []
    for part, size in enumerate(sizes):
        rows = np.flatnonzero(best[1][of_row] == part)
        parts.append(rng.permutation(rows) if size is None else rows[splits.nearest(codes[rows], codes, size, rng)])
    return tuple(parts)


def by_time(
    time: npt.NDArray[Any], group: npt.NDArray[Any], sizes: Sequence[int | None], rng: np.random.Generator
) -> tuple[IntArray, ...]:
    """As :func:`grouped`, but a group goes by its latest row, earliest groups to the first part.

    Rows of a later part that are earlier than the last row of the part before are not used, so that also nothing in a part
    is later than anything in the next. Where the sizes leave rows over, every part has its share of them to draw from.

    Raises
    ------
    ProtocolError: as :func:`grouped`, or a time is missing.
    """
    time = np.asarray(time)
    asked = [size or 0 for size in sizes]
    splits.check_sizes(len(time), asked)
    splits.check_times(time)
    _, of_row = np.unique(group, return_inverse=True)
    order = np.argsort(time, kind="stable")
    latest = np.zeros(of_row.max(initial=-1) + 1, np.int64)  # rank of each group's last row
    rank = np.empty(len(time), np.int64)
    rank[order] = np.arange(len(time))
    np.maximum.at(latest, of_row, rank)
    in_order = [np.flatnonzero(of_row == g) for g in np.argsort(latest)]
    if None not in sizes and sum(asked) < len(time):
        with suppress(ProtocolError):  # a share each is more than whole groups give; then as few as each part needs
            return _in_turn(time, in_order, sizes, len(time) / max(sum(asked), 1), rng)
    return _in_turn(time, in_order, sizes, 1.0, rng)


def _in_turn(
    time: npt.NDArray[Any],
    in_order: Sequence[IntArray],
    sizes: Sequence[int | None],
    surplus: float,
    rng: np.random.Generator,
) -> tuple[IntArray, ...]:
    """Groups to parts in their order; every part takes ``surplus`` times the rows it needs, the last all that are left."""
    rows_of = list(in_order)
    parts: list[IntArray] = []
    begin: Any = None
    for part, size in enumerate(sizes):
        pool = np.empty(0, np.int64)
        least = 1 if size is None else size
        last = part == len(sizes) - 1
        while rows_of and (last or len(pool) < (size or 0) * surplus):
            rows = rows_of.pop(0)
            pool = np.concatenate([pool, rows if begin is None else rows[time[rows] >= begin]])
        if len(pool) < least:
            raise ProtocolError(
                f"Part {part + 1} of {len(sizes)} needs {least} rows; whole groups in the order of time leave it "
                f"{len(pool)}, rows earlier than the part before aside.",
                "Ask for fewer rows in the challenge's track settings.",
            )
        drawn = rng.permutation(pool)[: len(pool) if size is None else size]
        parts.append(drawn)
        begin = time[drawn].max() if len(drawn) else begin
    return tuple(parts)


def apart(rows: IntArray, taken: IntArray, group: npt.NDArray[Any] | None) -> IntArray:
    """The rows, rising, that are not among ``taken`` and, where there are groups [n], share none with them."""
    left: IntArray = np.setdiff1d(rows, taken)
    return left if group is None else left[~np.isin(group[left], group[taken])]


def _assigned(counts: IntArray, asked: IntArray, spare: int, rng: np.random.Generator) -> IntArray:
    """The part of each group; ``spare`` of those that are left when every part is full."""
    shares = counts.sum(axis=0) / counts.sum()
    missing = asked[:, None] * shares  # [parts, C] rows each part still wants of each class
    left = asked.copy()
    part_of = np.full(len(counts), spare, np.int64)
    order = rng.permutation(len(counts))
    for least in (0.5, 0.0):  # first the groups most of whose rows some part wants, then whatever fills
        for g in order[part_of[order] == spare]:
            if not (left > 0).any():
                return part_of
            use = np.where(left > 0, np.minimum(counts[g], np.maximum(missing, 0)).sum(axis=1), -1)
            part = np.lexsort((left, use))[-1]
            if use[part] >= least * counts[g].sum():
                part_of[g] = part
                missing[part] -= counts[g]
                left[part] -= counts[g].sum()
    return part_of


def _lacking(counts: IntArray, part_of: IntArray, sizes: Sequence[int | None]) -> int | None:
    """How many classes are in no row of a part that could hold them, all parts together; None: a part is not full."""
    lacking = 0
    for part, size in enumerate(sizes):
        have = counts[part_of == part].sum(axis=0)
        if have.sum() < (1 if size is None else size):
            return None
        if size is None or size >= len(have):
            lacking += int((have == 0).sum())
    return lacking


def _too_few(asked: IntArray, counts: IntArray) -> ProtocolError:
    rows = counts.sum(axis=1)
    return ProtocolError(
        f"Parts of {', '.join(map(str, asked))} rows cannot be made of whole groups: there are {len(rows)} groups, the "
        f"largest of {rows.max()} rows, {rows.sum()} rows in all.",
        "Ask for fewer rows in the challenge's track settings, or leave dataset.group out if rows stand alone.",
    )
