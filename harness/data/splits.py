"""Disjoint parts of a data set, drawn from the caller's generator. Indices come back in shuffled order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.api import IntArray
from harness.errors import ProtocolError


def stratified(y: npt.NDArray[Any], sizes: Sequence[int], rng: np.random.Generator) -> tuple[IntArray, ...]:
    """One array of row indices per size: disjoint, exactly that long, classes in the proportions of y.

    A part that can hold every class (size >= number of classes) gets at least one row of each, as long as the
    class has rows enough; earlier parts are served first. What rounding leaves over goes to the largest
    remainders.

    Parameters
    ----------
    y: [n] labels.
    sizes: rows per part, each >= 0.

    Raises
    ------
    ProtocolError: the sizes add up to more than n, or one is negative.
    """
    y = np.asarray(y)
    check_sizes(len(y), sizes)
    classes, codes = np.unique(y, return_inverse=True)
    rows = [rng.permutation(np.flatnonzero(codes == c)) for c in range(len(classes))]
    counts = np.array([len(r) for r in rows], dtype=np.int64)
    least = np.zeros((len(sizes), len(classes)), dtype=np.int64)  # rows promised to each part before proportions
    for part, size in enumerate(sizes):
        if size >= len(classes):
            least[part] = least[:part].sum(axis=0) < counts
    taken = np.zeros(len(classes), dtype=np.int64)
    parts = []
    for part, size in enumerate(sizes):
        most = counts - taken - least[part + 1 :].sum(axis=0)
        share = _allocate(size * counts / max(len(y), 1), size, least[part], most, rng)
        chosen = [rows[c][taken[c] : taken[c] + k] for c, k in enumerate(share)]
        parts.append(rng.permutation(np.concatenate([np.empty(0, dtype=np.int64), *chosen])))
        taken += share
    return tuple(parts)


def by_time(time: npt.NDArray[Any], sizes: Sequence[int], rng: np.random.Generator) -> tuple[IntArray, ...]:
    """One array of row indices per size, earliest first: nothing in a part is later than anything in the
    next.

    Where the sizes add up to less than n, the rows used are drawn at random first, so that seeds differ. Rows
    with equal time fall on either side of a boundary by chance, never by row order.

    Parameters
    ----------
    time: [n] anything that sorts: numbers or datetime64.
    sizes: rows per part, earliest part first, each >= 0.

    Raises
    ------
    ProtocolError: the sizes add up to more than n, one is negative, or a time is missing (NaN, NaT).
    """
    time = np.asarray(time)
    check_sizes(len(time), sizes)
    check_times(time)
    used = rng.permutation(len(time))[: sum(sizes)]
    used = used[np.argsort(time[used], kind="stable")]
    ends = np.cumsum(np.asarray(sizes, dtype=np.int64))
    return tuple(rng.permutation(part) for part in np.split(used, ends)[: len(sizes)])


def nearest(y: npt.NDArray[Any], like: npt.NDArray[Any], size: int, rng: np.random.Generator) -> IntArray:
    """``size`` of the rows of y [n], classes as near to their proportions in ``like`` [m] as y allows; every class of y
    at least once where there is room.

    Raises ProtocolError for more rows than there are.
    """
    check_sizes(len(y), [size])
    classes, codes = np.unique(like, return_inverse=True)
    of_class = [rng.permutation(np.flatnonzero(y == c)) for c in classes]
    most = np.array([len(rows) for rows in of_class], np.int64)
    least = np.minimum(most, int(size >= len(classes)))
    share = _allocate(size * np.bincount(codes) / len(codes), size, least, most, rng)
    return rng.permutation(np.concatenate([rows[:k] for rows, k in zip(of_class, share, strict=True)]))


def check_times(time: npt.NDArray[Any]) -> None:
    """Raise ProtocolError naming the first row without a time (NaN, NaT)."""
    missing = np.flatnonzero(time != time)
    if len(missing):
        raise ProtocolError(f"Row {missing[0]} has no time, so the rows cannot be split by time.")


def check_sizes(n: int, sizes: Sequence[int]) -> None:
    """Raise ProtocolError for sizes below 0, or that add up to more than n."""
    if any(size < 0 for size in sizes):
        raise ProtocolError(f"Split sizes must be 0 or more, got {list(sizes)}.")
    if sum(sizes) > n:
        raise ProtocolError(
            f"The split asks for {' + '.join(map(str, sizes))} = {sum(sizes)} rows, the data have {n}.",
            "Ask for fewer rows in the challenge's track settings.",
        )


def _allocate(
    ideal: npt.NDArray[np.float64], size: int, least: IntArray, most: IntArray, rng: np.random.Generator
) -> IntArray:
    """Whole numbers near ``ideal`` [C] that add up to ``size``, each within least..most."""
    share = np.clip(np.floor(ideal).astype(np.int64), least, most)
    tie_break = rng.permutation(len(ideal))
    while share.sum() != size:
        step = 1 if share.sum() < size else -1
        free = share < most if step > 0 else share > least
        worst = np.where(free, step * (ideal - share), -np.inf)
        share[np.lexsort((tie_break, worst))[-1]] += step
    return share
