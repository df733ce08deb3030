"""The one shape every loader returns, and the settings every loader has."""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, PrivateAttr

from harness.api import FloatArray, IntArray, Texts

if TYPE_CHECKING:
    from harness.data.fetch import DataFile

TRAIN, VALIDATION, TEST = 0, 1, 2
"""Values of ``extras["part"]``: the official part a row belongs to."""


@dataclass(frozen=True)
class Dataset:
    """Rows with labels; arrays are C-contiguous and read-only.

    ``extras`` holds what only some data sets have: human votes, annotators' labels, group columns, the
    official part each row belongs to (``part``: 0 train, 1 validation, 2 test), time stamps. Each has one
    entry a row. ``texts`` are the documents that the rows of X were made from, where the data are text; ``notes`` are
    sentences about the data for who organises with them, and no part of the digest. Raises ValueError where lengths
    differ or a label is outside 0..C-1 (a loader's own mistake).
    """

    name: str
    X: FloatArray  # [n, d], [n, h, w] or [n, h, w, c] float32
    y: IntArray  # [n] int64 in 0..C-1
    class_names: tuple[str, ...]
    extras: Mapping[str, npt.NDArray[np.generic]] = field(default_factory=dict)
    texts: Texts | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "X", _frozen(self.X, np.float32))
        object.__setattr__(self, "y", _frozen(self.y, np.int64))
        object.__setattr__(self, "extras", {k: _frozen(v) for k, v in self.extras.items()})
        for name, array in [("X", self.X), *self.extras.items(), *([("texts", self.texts)] if self.texts else [])]:
            if len(array) != len(self.y):
                raise ValueError(f"{self.name}: {name} has {len(array)} rows, y has {len(self.y)}")
        if len(self.y) and not 0 <= self.y.min() <= self.y.max() < self.n_classes:
            raise ValueError(f"{self.name}: labels must lie in 0..{self.n_classes - 1}")

    @property
    def n_classes(self) -> int:
        return len(self.class_names)

    def digest(self) -> str:
        """SHA-256 over names, dtypes, shapes and bytes of all arrays: what a fingerprint relies on."""
        return self._digest

    @cached_property  # the arrays are read-only, and hashing half a gigabyte takes a moment
    def _digest(self) -> str:
        sha = hashlib.sha256()
        arrays = [("X", self.X), ("y", self.y), *sorted(self.extras.items())]
        if self.texts is not None:
            arrays += [("texts", self.texts.data), ("texts.offsets", self.texts.offsets)]
        for name, array in arrays:
            sha.update(f"{name}|{array.dtype.str}|{array.shape}|".encode())
            sha.update(array.tobytes() if array.dtype.kind == "U" else array.reshape(-1).view(np.uint8).data)
        sha.update("|".join(self.class_names).encode())
        return sha.hexdigest()


class DatasetSettings(BaseModel, ABC):
    """Everything under ``dataset:`` in a challenge. Unknown keys are refused; only ``load`` reads."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    whereabouts: ClassVar[frozenset[str]] = (
        frozenset()
    )  # keys that say where the data are, not what: they change no score
    offensive: ClassVar[bool] = False  # its texts are such as nobody should meet unasked: no command prints them
    _root: Path | None = PrivateAttr(None)

    @property
    def pinned(self) -> bool:
        """Whether the data can only be what they are now, by their checksums or because scikit-learn ships them."""
        return True

    @property
    def has_texts(self) -> bool:
        """Whether what it loads has ``texts``, so that submissions which read them fit."""
        return False

    def model_post_init(self, context: Any) -> None:
        """Remember the config directory (``root`` of the validation context) that relative paths start from."""
        self._root = (context or {}).get("root")

    @classmethod
    def files(cls) -> tuple[DataFile, ...]:
        """All files the data set may need; none for those bundled with scikit-learn."""
        return ()

    @classmethod
    def fetch(cls) -> list[Path]:
        """Bring all files onto this machine, checked; raises ProtocolError where one cannot be had."""
        from harness.data.fetch import get

        return [get(file, cls.model_fields["name"].default) for file in cls.files()]

    @abstractmethod
    def load(self) -> Dataset:
        """Read the data. Raises ProtocolError where files are missing or not the pinned ones."""


def standardized(X: npt.NDArray[Any], reference: slice | IntArray = slice(None)) -> FloatArray:
    """Columns of X [n, d] less their mean, over their population standard deviation: float32 [n, d].

    The constants come from the rows in ``reference`` (default: all) and from no label. They are summed
    exactly (``math.fsum``), so that the result, and with it the digest, is the same to the bit on every
    machine. A constant column becomes 0.
    """
    X = np.asarray(X, dtype=np.float64)
    n = len(X[reference])
    mean = np.array([math.fsum(column) / n for column in X[reference].T])
    centred = X - mean
    std = np.array([math.sqrt(math.fsum(column * column) / n) for column in centred[reference].T])
    scaled: FloatArray = (centred / np.where(std == 0, 1.0, std)).astype(np.float32)
    return scaled


def _frozen(array: npt.NDArray[Any], dtype: type[np.generic] | None = None) -> npt.NDArray[Any]:
    """A read-only C-contiguous view (or copy, where needed); the caller's own array stays as it was."""
    view = np.ascontiguousarray(array, dtype=dtype).view()
    view.flags.writeable = False
    return view
