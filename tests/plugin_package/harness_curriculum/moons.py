"""Two interleaving half circles: the least that a straight line cannot part."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from harness.data import Dataset, DatasetSettings


class Moons(DatasetSettings):
    """X [rows, 2], y [rows] in {0, 1}: points of two half circles with normal noise, from a pinned generator."""

    name: Literal["moons"] = "moons"
    rows: int = Field(400, ge=20)
    spread: float = Field(0.25, ge=0)

    def load(self) -> Dataset:
        rng = np.random.default_rng(0)
        y = np.arange(self.rows, dtype=np.int64) % 2
        angle = np.pi * rng.random(self.rows)
        x = np.where(y == 0, np.cos(angle), 1 - np.cos(angle))
        height = np.where(y == 0, np.sin(angle), 0.5 - np.sin(angle))
        X = np.column_stack([x, height]) + rng.normal(0, self.spread, (self.rows, 2))
        return Dataset("moons", X.astype(np.float32), y, ("upper", "lower"))
