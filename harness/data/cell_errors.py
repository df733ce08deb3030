"""Errors planted into cells: what goes wrong between a measurement and a table. All draws from the caller's generator."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from harness.data.cells import CellColumn, Cells, number
from harness.errors import ProtocolError

Chance = float | npt.NDArray[np.float64]
_UNITS = (0.01, 0.1, 10.0, 100.0)
_WRITTEN = ("{} mm", "ca. {}", "{}*", "={}")


class ErrorRates(BaseModel):
    """Share of cells of each kind of column that go wrong in a way; a cell goes wrong in one way at most.

    Numbers and categories: ``missing`` completely at random. Numbers: ``missing_high``, not at random: the highest of a
    column twice as often as the middle, the lowest never; ``outliers``, 5 to 10 deviations off the mean; ``units``, 10 or
    100 times too much or too little; ``formats``, a number with something beside it; ``swaps`` with the next number of
    the row. Categories: ``typos``, one letter replaced. ``duplicates`` and ``labels`` are shares of rows: repeated ones, and
    ones with a wrong label.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    missing: float = Field(0.0, ge=0, le=0.5)
    missing_high: float = Field(0.0, ge=0, le=0.2)
    outliers: float = Field(0.0, ge=0, le=0.1)
    units: float = Field(0.0, ge=0, le=0.1)
    formats: float = Field(0.0, ge=0, le=0.1)
    swaps: float = Field(0.0, ge=0, le=0.1)
    typos: float = Field(0.0, ge=0, le=0.5)
    duplicates: float = Field(0.0, ge=0, lt=1)
    labels: float = Field(0.0, ge=0, lt=1)


def plant(clean: Cells, columns: Sequence[CellColumn], rates: ErrorRates, rng: np.random.Generator) -> Cells:
    """A copy of clean cells [n, d] with errors in it. Raises ProtocolError for a clean number that is none."""
    dirty = clean.astype(f"U{clean.dtype.itemsize // 4 + 12}")
    numbers = [j for j, column in enumerate(columns) if column.kind == "number"]
    for j, column in enumerate(columns):
        if column.kind == "category":
            way = _ways(rng, [rates.missing, rates.typos], len(clean))
            dirty[way == 0, j] = ""
            for i in np.flatnonzero(way == 1):
                dirty[i, j] = _misspelt(clean[i, j], rng)
            continue
        values = _numbers(clean[:, j], column.name)
        height = np.empty(len(values))
        height[np.argsort(values, kind="stable")] = np.linspace(0, 2, len(values))
        high = rates.missing_high * height
        odds: list[Chance] = [rates.missing, high, rates.outliers, rates.units, rates.formats, rates.swaps]
        way = _ways(rng, odds, len(clean))
        other = numbers[(numbers.index(j) + 1) % len(numbers)]
        for i in np.flatnonzero(way >= 0):
            off = rng.uniform(5, 10) * rng.choice([-1, 1])
            match way[i]:
                case 2:
                    dirty[i, j] = f"{values.mean() + off * values.std():.4g}"
                case 3:
                    dirty[i, j] = f"{values[i] * rng.choice(_UNITS):.6g}"
                case 4:
                    dirty[i, j] = rng.choice(_WRITTEN).format(clean[i, j])
                case 5:
                    dirty[i, j], dirty[i, other] = clean[i, other], clean[i, j]
                case _:
                    dirty[i, j] = ""
    return dirty


def _ways(rng: np.random.Generator, odds: Sequence[Chance], n: int) -> npt.NDArray[np.int64]:
    """Which of the ways each of n cells goes wrong, -1 for none: ``odds`` one chance a way, or one a cell."""
    bounds = np.cumsum([np.broadcast_to(chance, n) for chance in odds], axis=0)
    way = (rng.random(n) >= bounds).sum(axis=0)
    return np.where(way < len(bounds), way, -1)


def _misspelt(text: str, rng: np.random.Generator) -> str:
    """The text with one of its letters replaced by an x, or by a q where it was one."""
    place = int(rng.integers(len(text)))
    return text[:place] + ("q" if text[place] == "x" else "x") + text[place + 1 :]


def _numbers(cells: Cells, name: str) -> npt.NDArray[np.float64]:
    values = np.array([number(text) for text in cells.tolist()])
    if np.isnan(values).any():
        raise ProtocolError(
            f"Column {name} has {str(cells[np.isnan(values).argmax()])!r} among its clean cells; errors are planted into numbers."
        )
    return values
