"""Which official parts of a data set rows may come from: ``any``, or names joined by +."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import StringConstraints

from harness.api import IntArray
from harness.data.base import TEST, TRAIN, VALIDATION, Dataset
from harness.errors import ProtocolError

_PARTS = {"train": TRAIN, "validation": VALIDATION, "test": TEST}
_PART = "(train|validation|test)"
Source = Annotated[str, StringConstraints(pattern=rf"^(any|{_PART}(\+{_PART})*)$")]


def rows_of(dataset: Dataset, source: str) -> IntArray:
    """Rows of the parts named by ``source``, e.g. ``train+validation``, rising; all rows for ``any``.

    Raises ProtocolError if the data set has no official parts.
    """
    if source == "any":
        return np.arange(len(dataset.y))
    part = dataset.extras.get("part")
    if part is None:
        raise ProtocolError(f"{dataset.name} has no official parts.", "Draw from `any` in the track settings.")
    rows: IntArray = np.flatnonzero(np.isin(part, [_PARTS[name] for name in source.split("+")]))
    return rows
