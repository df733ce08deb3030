"""Tables as they were found: cells as text, a clean and perhaps a dirty form of each, and what may stand in a column.

A cell has no type of its own. A column does, and :func:`code` reads cells by it: numbers as float64, levels as positions
in a list. :class:`Encoder` makes of coded cells what a fixed model takes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from harness.api import FloatArray, IntArray
from harness.data.base import Dataset
from harness.data.own.roles import NUMBER

Cells = npt.NDArray[np.str_]
Levels = Sequence[Sequence[str]]
_FARTHEST = 10.0  # standard deviations: beyond it a standardised number says no more


@dataclass(frozen=True)
class CellColumn:
    """What may stand in a column: numbers from ``least`` to ``most``, or one of the levels ``values``."""

    name: str
    kind: Literal["number", "category"]
    least: float = -np.inf
    most: float = np.inf
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class CellTable(Dataset):
    """A data set whose rows are cells; X [n, e] are the clean ones, encoded.

    ``clean`` and ``dirty`` [n, d] hold text as it stands in the files; ``dirty`` is empty where errors have to be planted.
    ``markers`` stand for a cell that is missing.
    """

    columns: tuple[CellColumn, ...] = ()
    clean: Cells = field(default_factory=lambda: np.empty((0, 0), "U1"))
    dirty: Cells = field(default_factory=lambda: np.empty((0, 0), "U1"))
    markers: tuple[str, ...] = ("",)

    @cached_property
    def _digest(self) -> str:
        sha = hashlib.sha256(super()._digest.encode())
        for part in (self.columns, self.markers, self.clean.shape, self.dirty.shape):
            sha.update(repr(part).encode())
        for cells in (self.clean, self.dirty):
            sha.update("\x1f".join(cells.ravel().tolist()).encode())
        return sha.hexdigest()


def table(
    name: str,
    columns: Sequence[CellColumn],
    clean: Cells,
    y: IntArray,
    class_names: tuple[str, ...],
    dirty: Cells | None = None,
    markers: tuple[str, ...] = ("",),
) -> CellTable:
    """The table, with X made from its clean cells by constants of all rows."""
    levels = [column.values for column in columns]
    coded = code(clean, columns, levels, markers)
    X = Encoder(coded, columns)(coded)
    found = np.empty((0, len(columns)), "U1") if dirty is None else dirty
    return CellTable(name, X, y, class_names, columns=tuple(columns), clean=clean, dirty=found, markers=markers)


def levels_of(cells: Cells, columns: Sequence[CellColumn], markers: Sequence[str]) -> list[list[str]]:
    """Levels of each column: those of its domain in their order, then what else is found in ``cells``, sorted."""
    found = []
    for column, text in zip(columns, cells.T, strict=True):
        others = set(text.tolist()) - set(column.values) - set(markers) if column.kind == "category" else set()
        found.append([*column.values, *sorted(others)])
    return found


def code(cells: Cells, columns: Sequence[CellColumn], levels: Levels, markers: Sequence[str]) -> FloatArray:
    """Coded cells [n, d] float64 of texts [n, d].

    nan stands for a cell that is missing or whose text is no number; -1 for a level that is not in the list.
    """
    coded = np.empty(cells.shape)
    for j, (column, known) in enumerate(zip(columns, levels, strict=True)):
        texts, inverse = np.unique(cells[:, j], return_inverse=True)
        place = {level: float(i) for i, level in enumerate(known)}
        values = [number(text) if column.kind == "number" else place.get(text, -1.0) for text in texts.tolist()]
        coded[:, j] = np.where(np.isin(texts, markers), np.nan, values)[inverse]
    return coded


def number(text: str) -> float:
    """The number a text is, or nan."""
    return float(text) if NUMBER.fullmatch(text) and abs(float(text)) < 1e100 else np.nan  # larger ones have no square


class Encoder:
    """Features of coded cells, with constants of the rows it is made from and of no label.

    Numbers are standardised by the population's deviation (a constant column becomes 0) and cut at ten of them; every
    level that occurs has a column of 0 and 1. A missing number is the mean, a missing or unknown level all zeros.
    """

    def __init__(self, cells: FloatArray, columns: Sequence[CellColumn]) -> None:
        self.number = np.array([column.kind == "number" for column in columns])
        numbers = np.asarray(cells, np.float64)[:, self.number]
        known = np.isfinite(numbers)
        count = np.maximum(known.sum(axis=0), 1)
        self.mean = np.where(known, numbers, 0.0).sum(axis=0) / count
        spread = np.sqrt((np.where(known, numbers - self.mean, 0.0) ** 2).sum(axis=0) / count)
        self.spread = np.where(spread > 0, spread, np.inf)
        occurring = [np.unique(column[column >= 0]) for column in np.asarray(cells)[:, ~self.number].T]
        self.levels: list[FloatArray] = occurring

    def __call__(self, cells: FloatArray) -> FloatArray:
        """cells [m, d] -> [m, e] float32: all numbers in the order of their columns, then the levels."""
        cells = np.asarray(cells, np.float64)
        numbers = np.nan_to_num((cells[:, self.number] - self.mean) / self.spread, nan=0.0)
        blocks: list[npt.NDArray[Any]] = [numbers.clip(-_FARTHEST, _FARTHEST)]
        blocks += [
            column[:, None] == levels for column, levels in zip(cells[:, ~self.number].T, self.levels, strict=True)
        ]
        encoded: FloatArray = np.concatenate(blocks, axis=1, dtype=np.float32)
        return encoded
