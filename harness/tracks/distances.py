"""Near-duplicates: Euclidean distances between sets of rows, in blocks so that memory stays flat."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.api import FloatArray
from harness.models.base import BoolArray

_BLOCK_ENTRIES = 8_000_000  # distances held at once: 32 MB of float32


def nearest(A: FloatArray, B: FloatArray) -> FloatArray:
    """Distance of every row of A [n, ...] to its nearest row of B [m, ...], m >= 1: float64 [n]."""
    flat_a, flat_b = _flat(A), _flat(B)
    found = np.empty(len(flat_a), np.int64)
    for rows, squared, _ in _blocks(flat_a, flat_b):
        found[rows] = squared.argmin(axis=1)
    return _exact(flat_a, flat_b[found])


def within(A: FloatArray, B: FloatArray, radius: FloatArray) -> BoolArray:
    """Which rows of A [n, ...] lie within ``radius[j]`` (inclusive) of some row j of B [m, ...]: [n].

    Candidates come from fast float32 products; what is compared with the radius [m] is exact in float64.
    """
    flat_a, flat_b = _flat(A), _flat(B)
    near = np.zeros(len(flat_a), bool)
    for rows, squared, error in _blocks(flat_a, flat_b):
        i, j = np.nonzero(squared <= radius**2 + error)
        near[rows.start + i[_exact(flat_a[rows][i], flat_b[j]) <= radius[j]]] = True
    return near


def _blocks(A: FloatArray, B: FloatArray) -> Iterator[tuple[slice, FloatArray, float]]:
    """Squared distances [rows, m] block by block, with a bound on their rounding error."""
    norms = np.einsum("ij,ij->i", B, B)
    step = max(1, _BLOCK_ENTRIES // max(len(B), 1))
    for start in range(0, len(A), step):
        block = A[start : start + step]
        own = np.einsum("ij,ij->i", block, block)
        squared = own[:, None] - 2 * (block @ B.T) + norms
        scale = float(own.max(initial=0) + norms.max(initial=0))
        yield slice(start, start + len(block)), squared, 1e-5 * scale


def _exact(A: FloatArray, B: FloatArray) -> FloatArray:
    """Row by row distance of A [n, d] and B [n, d], float64, without a float64 copy of either as a whole."""
    out = np.empty(len(A))
    for start in range(0, len(A), 1000):
        gap = A[start : start + 1000].astype(np.float64) - B[start : start + 1000]
        out[start : start + 1000] = np.sqrt(np.einsum("ij,ij->i", gap, gap))
    return out


def _flat(X: npt.NDArray[Any]) -> FloatArray:
    return np.ascontiguousarray(X, np.float32).reshape(len(X), -1)
