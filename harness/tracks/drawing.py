"""Which rows a seed puts into the training part, the clean validation part and the hidden test part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from harness.api import IntArray
from harness.data import groups, splits
from harness.data.base import TEST, TRAIN, VALIDATION, Dataset
from harness.errors import ProtocolError

Parts = Literal["random", "official", "time"]


def draw_parts(
    dataset: Dataset, train: int, validation: int, test: int, rng: np.random.Generator, parts: Parts = "random"
) -> tuple[IntArray, IntArray, IntArray]:
    """Disjoint row indices of the three parts, in shuffled order; stratified unless they are parts of time.

    Parameters
    ----------
    train, validation: how many rows; validation may be 0.
    test: how many rows, 0 for all that remain.
    parts: ``"random"`` draws from all rows. ``"official"`` respects ``extras["part"]``: test rows come from the
        official test part, validation rows from the official validation part (from the training part where there
        is none), training rows from the training part. ``"time"`` goes by ``extras["time"]``: no training row is
        later than a validation row, none of these later than a test row.

    Where the data have ``extras["group"]``, no group has rows in two parts; by time, a group goes by its latest row.

    Raises
    ------
    ProtocolError: more rows asked for than there are or than whole groups can give, no test row left, official parts or
        times the data do not have.
    """
    if parts != "official":
        rest = len(dataset.y) - train - validation
        if test == 0 and rest < 1:
            raise ProtocolError(
                f"{dataset.name} has {len(dataset.y)} rows; {train} for training and {validation} for validation "
                "leave none to test on.",
                "Ask for fewer rows in the challenge's track settings.",
            )
        first, second, third = _drawn(dataset, np.arange(len(dataset.y)), (train, validation, test or None), rng, parts)
        return first, second, third
    part = dataset.extras.get("part")
    if part is None:
        raise ProtocolError(f"{dataset.name} has no official parts.", "Set track.parts to random.")
    of_train, of_validation, of_test = (np.flatnonzero(part == which) for which in (TRAIN, VALIDATION, TEST))
    (tested,) = draw(dataset, of_test, (test or len(of_test),), rng)
    if len(of_validation):
        (trained,) = draw(dataset, of_train, (train,), rng)
        (validated,) = draw(dataset, of_validation, (validation,), rng)
        return trained, validated, tested
    trained, validated = draw(dataset, of_train, (train, validation), rng)
    return trained, validated, tested


def draw(dataset: Dataset, rows: IntArray, sizes: Sequence[int], rng: np.random.Generator) -> tuple[IntArray, ...]:
    """Disjoint parts of these rows, exactly that long, classes in their proportions; no group in two of them.

    Raises ProtocolError for more rows than there are, or than whole groups can give.
    """
    return _drawn(dataset, rows, sizes, rng, "random")


def apart(dataset: Dataset, rows: IntArray, taken: IntArray) -> IntArray:
    """The rows, rising, that are neither taken nor of a group of which a row is taken."""
    return groups.apart(rows, taken, dataset.extras.get("group"))


def _drawn(
    dataset: Dataset, rows: IntArray, sizes: Sequence[int | None], rng: np.random.Generator, parts: Parts
) -> tuple[IntArray, ...]:
    """``sizes``: None for a last part of all that remains."""
    group, y = dataset.extras.get("group"), dataset.y[rows]
    if group is None:
        given = sum(size or 0 for size in sizes)
        whole = [len(rows) - given if size is None else size for size in sizes]
        drawn = (
            splits.by_time(_time(dataset)[rows], whole, rng) if parts == "time" else splits.stratified(y, whole, rng)
        )
    elif parts == "time":
        drawn = groups.by_time(_time(dataset)[rows], group[rows], sizes, rng)
    else:
        drawn = groups.grouped(y, group[rows], sizes, rng)
    return tuple(rows[part] for part in drawn)


def _time(dataset: Dataset) -> npt.NDArray[np.generic]:
    if "time" not in dataset.extras:
        raise ProtocolError(f"{dataset.name} has no times of its rows.", "Set track.parts to random.")
    return dataset.extras["time"]
