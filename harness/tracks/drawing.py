"""Which rows a seed puts into the training part, the clean validation part and the hidden test part."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from harness.api import IntArray
from harness.data import splits
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

    Raises
    ------
    ProtocolError: more rows asked for than there are, no test row left, official parts or times the data do not have.
    """
    if parts != "official":
        rest = len(dataset.y) - train - validation
        if test == 0 and rest < 1:
            raise ProtocolError(
                f"{dataset.name} has {len(dataset.y)} rows; {train} for training and {validation} for validation "
                "leave none to test on.",
                "Ask for fewer rows in the challenge's track settings.",
            )
        sizes = (train, validation, test or rest)
        if parts == "time":
            first, second, third = splits.by_time(_time(dataset), sizes, rng)
        else:
            first, second, third = splits.stratified(dataset.y, sizes, rng)
        return first, second, third
    part = dataset.extras.get("part")
    if part is None:
        raise ProtocolError(f"{dataset.name} has no official parts.", "Set track.parts to random.")
    of_train, of_validation, of_test = (np.flatnonzero(part == which) for which in (TRAIN, VALIDATION, TEST))
    (tested,) = splits.stratified(dataset.y[of_test], (test or len(of_test),), rng)
    if len(of_validation):
        (trained,) = splits.stratified(dataset.y[of_train], (train,), rng)
        (validated,) = splits.stratified(dataset.y[of_validation], (validation,), rng)
        return of_train[trained], of_validation[validated], of_test[tested]
    trained, validated = splits.stratified(dataset.y[of_train], (train, validation), rng)
    return of_train[trained], of_train[validated], of_test[tested]


def _time(dataset: Dataset) -> npt.NDArray[np.generic]:
    if "time" not in dataset.extras:
        raise ProtocolError(f"{dataset.name} has no times of its rows.", "Set track.parts to random.")
    return dataset.extras["time"]
