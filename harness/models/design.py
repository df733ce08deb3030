"""One data set as the logistic engine sees it: centred, turned on to its principal axes, with an intercept column.

Centring and rotation change neither the penalised objective nor its optimum (the intercept is free and the penalty
isotropic), but they make the pooled Hessian nearly diagonal, drop the directions in which no row varies (more
features than rows: at most n remain) and keep float32 accurate for features far from zero.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np

from harness.api import FloatArray
from harness.errors import ProtocolError
from harness.models.backend import blas_threads

ROTATE_UP_TO = 1024  # smaller side of X beyond which an eigendecomposition costs more than it saves
_CACHE_BYTES = 256 * 2**20


@dataclass
class Solution:
    """One solved model in the coordinates of its :class:`Design`."""

    theta: FloatArray  # [K, r + 1] float32
    gradient_norm: float


@dataclass
class Design:
    """Rows in working coordinates and the solutions already known for them."""

    Z: FloatArray  # [n, r + 1] float64, last column ones
    mean: FloatArray  # [d] float64
    axes: FloatArray | None  # [d, r] float64, orthonormal columns; None: not rotated
    solved: OrderedDict[bytes, Solution] = field(default_factory=OrderedDict)
    held: int = 0  # bytes of the solutions

    @staticmethod
    def of(X: FloatArray) -> Design:
        """From X [n, d] float32."""
        flat = X.astype(np.float64)
        mean = flat.mean(axis=0) if len(flat) else np.zeros(flat.shape[1])
        flat -= mean
        n, d = flat.shape
        axes = None
        if min(n, d) <= ROTATE_UP_TO:
            with blas_threads(2.0 * n * d * min(n, d)):
                axes = _principal_axes(flat)
                flat = flat @ axes
        return Design(np.hstack([flat, np.ones((n, 1))]), mean, axes)

    def coordinates(self, X: FloatArray) -> FloatArray:
        """New rows X [m, d] in working coordinates, [m, r + 1] float32."""
        if X.shape[1] != len(self.mean):
            raise ProtocolError(f"X has {X.shape[1]} features, the model was fitted on {len(self.mean)}.")
        Z = X.astype(np.float64) - self.mean
        if self.axes is not None:
            Z = Z @ self.axes
        return np.hstack([Z, np.ones((len(Z), 1))]).astype(np.float32)

    def remember(self, key: bytes, solution: Solution) -> None:
        """Keep a solution; the oldest ones go when 256 MiB are full."""
        self.solved[key] = solution
        self.held += solution.theta.nbytes
        while self.held > _CACHE_BYTES:
            self.held -= self.solved.popitem(last=False)[1].theta.nbytes


def _principal_axes(centred: FloatArray) -> FloatArray:
    """Orthonormal columns [d, r] spanning the rows of centred [n, d], by the smaller of the two Gram matrices."""
    n, d = centred.shape
    if d <= n:
        values, vectors = np.linalg.eigh(centred.T @ centred)
        kept: FloatArray = vectors[:, values > 1e-12 * max(values[-1], 1e-300)] if d else vectors
        return kept
    values, vectors = np.linalg.eigh(centred @ centred.T)
    live = values > 1e-12 * max(values[-1], 1e-300) if n else np.zeros(0, bool)
    axes, _ = np.linalg.qr(centred.T @ vectors[:, live])
    return axes


class Designs:
    """The designs of the last few data sets, found by content."""

    def __init__(self, keep: int = 4) -> None:
        self.keep = keep
        self.known: OrderedDict[bytes, Design] = OrderedDict()

    def of(self, X: FloatArray) -> Design:
        """The design of X [n, d] float32, C-contiguous; made at most once while it is among the last few."""
        key = hashlib.blake2b(X.data if X.size else b"", digest_size=16).digest() + repr(X.shape).encode()
        design = self.known.pop(key, None) or Design.of(X)
        self.known[key] = design
        while len(self.known) > self.keep:
            self.known.popitem(last=False)
        return design
