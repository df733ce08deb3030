"""One data set as the logistic engine sees it: centred, turned on to its principal axes, with an intercept column.

Centring and rotation change neither the penalised objective nor its optimum (the intercept is free and the penalty
isotropic), but they make the pooled Hessian nearly diagonal, drop the directions in which no row varies (more
features than rows: at most n remain) and keep float32 accurate for features far from zero.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.api import FloatArray
from harness.errors import ProtocolError
from harness.models.backend import one_blas_thread
from harness.models.base import BoolArray
from harness.models.cache import Cache, digest

ROTATE_UP_TO = 2048  # smaller side of X beyond which an eigendecomposition costs more than it saves
DOUBLE_UP_TO = 20_000_000  # entries of X kept in float64: 160 MB


@dataclass
class Solution:
    """One solved model in the coordinates of its :class:`Design`."""

    theta: FloatArray  # [K, r + 1] float32
    gradient_norm: float


@dataclass
class Design:
    """Rows in working coordinates and the solutions already known for them."""

    Z: FloatArray  # [n, r + 1] float64 (float32 for very large X), last column ones
    mean: FloatArray  # [d] float64
    axes: FloatArray | None  # [d, r] float64, orthonormal columns; None: not rotated
    solved: Cache[Solution] = field(default_factory=Cache)

    @staticmethod
    def of(X: FloatArray) -> Design:
        """From X [n, d] float32; block by block, so that nothing but the result is as large as X."""
        n, d = X.shape
        mean = X.mean(axis=0, dtype=np.float64) if n else np.zeros(d)
        axes = None
        with one_blas_thread():
            if min(n, d) <= ROTATE_UP_TO:
                axes = _principal_axes(X, mean)
            Z = np.ones((n, (d if axes is None else axes.shape[1]) + 1), _working_dtype(n * d))
            for rows in _blocks(n):
                Z[rows, :-1] = _turned(X[rows], mean, axes)
        return Design(Z, mean, axes)

    def coordinates(self, X: FloatArray) -> FloatArray:
        """New rows X [m, d] in working coordinates, [m, r + 1] float32."""
        if X.shape[1] != len(self.mean):
            raise ProtocolError(f"X has {X.shape[1]} features, the model was fitted on {len(self.mean)}.")
        Z = np.ones((len(X), self.Z.shape[1]), np.float32)
        with one_blas_thread():
            for rows in _blocks(len(X)):
                Z[rows, :-1] = _turned(X[rows], self.mean, self.axes)
        return Z


def _turned(X: FloatArray, mean: FloatArray, axes: FloatArray | None) -> FloatArray:
    """Rows X [m, d] centred and rotated, [m, r] float64."""
    centred: FloatArray = X - mean
    return centred if axes is None else centred @ axes


def _working_dtype(entries: int) -> type[np.floating[Any]]:
    """Float64 while that is affordable: beyond, centred and rotated float32 is what the engine iterates in anyway."""
    return np.float64 if entries <= DOUBLE_UP_TO else np.float32


def _blocks(n: int) -> list[slice]:
    return [slice(i, i + 4096) for i in range(0, n, 4096)]


def _principal_axes(X: FloatArray, mean: FloatArray) -> FloatArray:
    """Orthonormal columns [d, r] spanning the centred rows of X [n, d], by the smaller of the two Gram matrices."""
    n, d = X.shape
    if d <= n:
        gram = np.zeros((d, d))
        for rows in _blocks(n):
            centred = X[rows] - mean
            gram += centred.T @ centred
        values, vectors = np.linalg.eigh(gram)
        kept: FloatArray = vectors[:, _live(values)]
        return kept
    centred = X - mean
    values, vectors = np.linalg.eigh(centred @ centred.T)
    axes, _ = np.linalg.qr(centred.T @ vectors[:, _live(values)])
    return axes


def _live(values: FloatArray) -> BoolArray:
    """Which eigenvalues (ascending) are more than rounding."""
    live: BoolArray = values > 1e-12 * max(values[-1], 1e-300) if len(values) else values > 0
    return live


class Designs:
    """The designs of the last few data sets, found by content."""

    def __init__(self, keep: int = 4) -> None:
        self.keep = keep
        self.known: OrderedDict[bytes, Design] = OrderedDict()

    def of(self, X: FloatArray) -> Design:
        """The design of X [n, d] float32, C-contiguous; made at most once while it is among the last few."""
        key = digest(X)
        design = self.known.pop(key, None) or Design.of(X)
        self.known[key] = design
        while len(self.known) > self.keep:
            self.known.popitem(last=False)
        return design
