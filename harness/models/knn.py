"""k nearest neighbours: the fixed model ``knn`` and the closed-form Shapley values of its accuracy, both in blocks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from harness.api import FloatArray, IntArray
from harness.errors import ProtocolError
from harness.models.backend import Backend
from harness.models.base import Batch, FittedModels, FixedModel, ModelSettings, flat_rows, rows_array

BLOCK_FLOATS = 2_000_000  # distances held at once by one thread: 16 MB


class KnnSettings(ModelSettings):
    """``k`` neighbours in Euclidean distance, equal distances by row index. Always on the CPU."""

    version: ClassVar[int] = 1
    name: Literal["knn"] = "knn"
    k: int = Field(5, ge=1)

    def build(self, *, device: str, n_classes: int | None) -> Knn:
        return Knn(self, device=device, n_classes=n_classes)


class Knn(FixedModel):
    """Shares of the classes among the nearest rows.

    A row of weight w stands for w copies of itself: the nearest rows vote until their weights sum to k, the last one
    with what is left. Where a model has less weight than k in all, all its rows vote. Nothing is trained.
    """

    settings: KnnSettings

    def _fit(self, batch: Batch) -> FittedModels:
        fitted = FittedKnn(batch, self.settings.k)
        fitted.fits = batch.size
        return fitted


class FittedKnn(FittedModels):
    """The batch itself. A model without any row answers 1/C for every class."""

    def __init__(self, batch: Batch, k: int) -> None:
        self.batch, self.k = batch, k
        self.size, self.classes = batch.size, batch.classes
        self.gradient_norm = np.full(batch.size, np.nan)

    def _proba(self, X: FloatArray) -> FloatArray:
        out = np.empty((self.size, len(X), self.classes), np.float32)
        train = flat_rows(self.batch.X)
        flat = flat_rows(X)
        if flat.shape[1] != train.shape[1]:
            raise ProtocolError(f"X has {flat.shape[1]} features, the model was fitted on {train.shape[1]}.")
        for rows, order in neighbours(train, flat):
            for b in range(self.size):
                out[b, rows] = self._votes(b, order)
        return out

    def _votes(self, b: int, order: IntArray) -> FloatArray:
        """Class shares [m, C] of model b from neighbours [m, n], nearest first."""
        weights, labels = self.batch.row(b)
        live = np.count_nonzero(weights)
        if not live:
            return np.full((len(order), self.classes), 1 / self.classes, np.float32)
        depth = min(order.shape[1], 4 * self.k * order.shape[1] // live + 1)
        wanted = min(float(self.k), float(weights.sum(dtype=np.float64)))
        while True:
            near = order[:, :depth]
            passed = np.minimum(np.cumsum(weights[near], axis=1, dtype=np.float64), self.k)
            if depth == order.shape[1] or passed[:, -1].min() >= wanted:
                break
            depth = min(2 * depth, order.shape[1])
        votes = np.diff(passed, axis=1, prepend=0.0)
        shares = np.stack([(votes * (labels[near] == c)).sum(axis=1) for c in range(self.classes)], axis=1)
        answer: FloatArray = (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)
        return answer


def squared_norms(X: FloatArray) -> FloatArray:
    """[n] of rows [n, d], a block at a time."""
    return np.concatenate([np.square(X[i : i + 1024]).sum(axis=1) for i in range(0, max(len(X), 1), 1024)])


def squared_distances(X: FloatArray, norms: FloatArray, to: FloatArray) -> FloatArray:
    """Squared Euclidean distances [m, n] from rows ``to`` [m, d] to rows X [n, d] of squared norms [n], all float64.

    Float64 makes them exact for float32 features on a grid (pixels, counts), where ties are common.
    """
    found: FloatArray = to @ X.T
    found *= -2
    found += norms
    found += np.square(to).sum(axis=1)[:, None]
    return found


def neighbours(X: FloatArray, to: FloatArray) -> Iterator[tuple[slice, IntArray]]:
    """Blocks of rows of ``to`` [m, d] with the rows of X [n, d] in order of distance, [block, n], nearest first.

    Equal distances keep the order of rows.
    """
    X, to = X.astype(np.float64), to.astype(np.float64)
    norms = squared_norms(X)
    size = max(1, BLOCK_FLOATS // max(len(X), 1))
    for start in range(0, len(to), size):
        rows = slice(start, min(start + size, len(to)))
        yield rows, np.argsort(squared_distances(X, norms, to[rows]), axis=1, kind="stable")


def knn_shapley(X: FloatArray, y: IntArray, X_val: FloatArray, y_val: IntArray, k: int = 5) -> FloatArray:
    """Exact Shapley values of the k-NN classifier's mean probability of the true class (Jia et al. 2019).

    The utility of a coalition S is the mean over validation rows of (1/k) * number of its min(k, |S|) nearest rows
    in S with the validation row's label. Memory stays bounded by blocks of validation rows; cost O(m n log n).

    Parameters
    ----------
    X, y: [n, ...] float and [n] int, training rows. X_val, y_val: [m, ...] and [m], validation rows.
    k: neighbours, >= 1.

    Returns
    -------
    values [n] float64; they sum to the utility of all rows. Raises ProtocolError for wrong shapes or NaN.

    Source: Jia et al., "Efficient task-specific data valuation for nearest neighbor algorithms", PVLDB 12 (2019),
    theorem 1.
    """
    train, val = (flat_rows(rows_array(a, name)).astype(np.float64) for a, name in ((X, "X"), (X_val, "X_val")))
    y, y_val = np.asarray(y), np.asarray(y_val)
    n, m = len(train), len(val)
    if y.shape != (n,) or y_val.shape != (m,) or train.shape[1] != val.shape[1] or k < 1 or not n or not m:
        raise ProtocolError(
            "knn_shapley takes X [n, d] with y [n], X_val [m, d] with y_val [m] and k >= 1, none of them empty; "
            f"got {train.shape}, {y.shape}, {val.shape}, {y_val.shape}, k = {k}."
        )
    rank = np.arange(1, n)
    step = np.minimum(k, rank) / (k * rank)  # [n - 1]: worth of swapping rank i for rank i + 1
    last = min(k, n) / (k * n)
    size = max(1, BLOCK_FLOATS // n)
    norms = squared_norms(train)

    def block(start: int) -> FloatArray:
        part = slice(start, start + size)
        order = np.argsort(squared_distances(train, norms, val[part]), axis=1, kind="stable")
        match = (y[order] == y_val[part, None]).astype(np.float64)
        match[:, :-1] = (match[:, :-1] - match[:, 1:]) * step
        match[:, -1] *= last
        values = np.cumsum(match[:, ::-1], axis=1)[:, ::-1]
        sums: FloatArray = np.bincount(order.ravel(), weights=values.ravel(), minlength=n).astype(np.float64)
        return sums

    total = np.sum(Backend.of("cpu").map(block, range(0, m, size)), axis=0)
    values: FloatArray = total / m
    return values
