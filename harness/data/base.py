"""The one shape every loader returns."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from harness.api import FloatArray, IntArray


@dataclass(frozen=True)
class Dataset:
    """Rows with labels; arrays are C-contiguous and read-only.

    ``extras`` holds what only some data sets have: human votes, annotators' labels, group columns, the official
    part each row belongs to (``part``: 0 train, 1 validation, 2 test), time stamps.
    """

    name: str
    X: FloatArray  # [n, d], [n, h, w] or [n, h, w, c] float32
    y: IntArray  # [n] int64 in 0..C-1
    class_names: tuple[str, ...]
    extras: Mapping[str, npt.NDArray[np.generic]] = field(default_factory=dict)

    @property
    def n_classes(self) -> int:
        return len(self.class_names)

    def digest(self) -> str:
        """SHA-256 over names, dtypes, shapes and bytes of all arrays: what a fingerprint relies on."""
        sha = hashlib.sha256()
        for name, array in [("X", self.X), ("y", self.y), *sorted(self.extras.items())]:
            array = np.ascontiguousarray(array)
            sha.update(f"{name}|{array.dtype.str}|{array.shape}|".encode())
            sha.update(array.tobytes() if array.dtype.kind == "U" else memoryview(array).cast("B"))
        sha.update("|".join(self.class_names).encode())
        return sha.hexdigest()
