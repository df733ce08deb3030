"""How like real rows synthetic ones are, and what they add. Shown, never ranked by: copies and mean pictures would win.

Of a training set handed in, a row is synthetic where it is none of the raw rows, bit for bit.
"""

from __future__ import annotations

import numpy as np

from harness.api import FloatArray
from harness.models.base import BoolArray
from harness.tracks.distances import nearest

NEIGHBOURS = 5  # of a real row, as in the paper
REAL_ROWS = 500  # at most: what distances are taken to
_NEAR = 0.1  # share of the usual distance of a raw row to the next, within which a row is a copy


def density_and_coverage(real: FloatArray, made: FloatArray) -> tuple[float, float]:
    """Density and coverage of made rows [m, ...] against real ones [n, ...], n > 5; nan where nothing is made.

    Each real row has a ball, as wide as the way to its fifth nearest real row. Density: a fifth of the number of balls that a
    made row lies in, 1 for fresh real rows. Coverage: the share of balls with a made row in them; n fresh real rows cover
    1 - (n - 1) ... (n - 5) / ((2n - 1) ... (2n - 5)), about .969. Naeem et al., Reliable Fidelity and Diversity Metrics for
    Generative Models, ICML 2020.
    """
    if not len(made) or len(real) <= NEIGHBOURS:
        return float("nan"), float("nan")
    radius = np.sort(_distances(real, real), axis=1)[:, NEIGHBOURS]  # the row itself comes first
    inside = _distances(real, made) <= radius[:, None]
    return float(inside.sum() / (NEIGHBOURS * len(made))), float(inside.any(axis=1).mean())


def known(rows: FloatArray, raw: FloatArray) -> BoolArray:
    """Which rows [m, ...] are among the raw ones [n, ...], bit for bit but for the sign of zero."""
    there = {row.tobytes() for row in raw + np.float32(0)}
    return np.array([row.tobytes() in there for row in rows + np.float32(0)], bool)


def copies(rows: FloatArray, raw: FloatArray) -> BoolArray:
    """Which rows [m, ...] equal a raw one [n, ...] or lie within a tenth of the median way from a raw row to the next."""
    distinct = np.unique(raw.reshape(len(raw), -1), axis=0)
    if len(distinct) < 2:
        return known(rows, raw)
    some = distinct[np.linspace(0, len(distinct) - 1, min(len(distinct), REAL_ROWS)).astype(int)]
    usual = np.median(np.sort(_distances(some, distinct), axis=1)[:, 1])
    near: BoolArray = nearest(rows, raw) <= _NEAR * usual
    return near | known(rows, raw)


def _distances(A: FloatArray, B: FloatArray) -> FloatArray:
    """Euclidean distances [n, m] of A [n, ...] and B [m, ...], float64 and exact for equal rows."""
    from scipy.spatial.distance import cdist

    apart: FloatArray = cdist(A.reshape(len(A), -1).astype(np.float64), B.reshape(len(B), -1).astype(np.float64))
    return apart
