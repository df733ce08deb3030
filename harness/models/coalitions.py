"""Values of rows from utilities of coalitions: O(n) per fit, and the same to the last bit in any order of arrival.

Sums are kept as integers in units of 2**-36, so adding them is exact and parallel and serial runs agree. A utility is
rounded to that unit (1.5e-11) once, when it arrives; it must lie within -1000..1000 (accuracies, probabilities, log
losses do).
"""

from __future__ import annotations

import numpy as np

from harness.api import FloatArray, IntArray, Model
from harness.errors import ProtocolError
from harness.models.base import BoolArray

_UNIT = 2.0**36


def utilities(
    model: Model,
    X: FloatArray,
    y: IntArray,
    weights: FloatArray,
    X_val: FloatArray,
    y_val: IntArray,
    chunk: int = 1024,
) -> FloatArray:
    """Accuracy [B] on validation rows of the model fitted with each row of ``weights`` [B, n]; memory bounded."""
    parts = [
        (model.fit_many(X, y, weights=weights[i : i + chunk]).predict(X_val) == y_val).mean(axis=1)
        for i in range(0, len(weights), chunk)
    ]
    return np.concatenate(parts) if parts else np.zeros(0)


def prefixes(permutation: IntArray, sizes: IntArray | None = None) -> FloatArray:
    """Weights [k, n] float32 of the coalitions of the first ``sizes`` [k] rows of a permutation [n]; by default 1..n."""
    sizes = np.arange(1, len(permutation) + 1) if sizes is None else sizes
    return (np.argsort(permutation) < sizes[:, None]).astype(np.float32)


def _units(utility: FloatArray) -> IntArray:
    utility = np.asarray(utility, np.float64)
    if not (np.isfinite(utility).all() and (abs(utility) <= 1000).all()):
        raise ProtocolError("A utility is not finite or beyond 1000 in size.")
    units: IntArray = np.rint(utility * _UNIT).astype(np.int64)
    return units


def beta_weights(n: int, alpha: float, beta: float) -> FloatArray:
    """Weights [n] of a row's marginal contribution by coalition size 0..n-1 for the Beta(alpha, beta) semivalue.

    They average to 1, so (1, 1) is the Shapley value. Source: Kwon and Zou 2022 (AISTATS), arXiv:2110.14049.
    """
    from scipy.special import betaln, gammaln

    j = np.arange(1, n + 1)
    log = np.log(n) + betaln(j + beta - 1, n - j + alpha) - betaln(alpha, beta)
    log += gammaln(n) - gammaln(j) - gammaln(n - j + 1)
    weights: FloatArray = np.exp(log)
    return weights


class Permutations:
    """Shapley values, or any semivalue, from permutations (Ghorbani and Zou 2019, arXiv:1904.02868).

    ``weights`` [n] scales the marginal at each coalition size, e.g. :func:`beta_weights`.
    """

    def __init__(self, n: int, weights: FloatArray | None = None) -> None:
        self.weights = weights
        self.total = np.zeros(n, np.int64)
        self.count = 0

    def add(self, permutation: IntArray, utility: FloatArray) -> None:
        """``utility`` [n + 1]: of the empty coalition, then after each row of ``permutation`` [n] has joined."""
        marginal = np.diff(np.asarray(utility, np.float64))
        self.total[permutation] += _units(marginal if self.weights is None else marginal * self.weights)
        self.count += 1

    def values(self) -> FloatArray:
        """Mean weighted marginal contribution of each row, [n]; zeros before anything was added."""
        return self.total / (_UNIT * max(self.count, 1))


class Banzhaf:
    """Banzhaf values by maximum sample reuse: every coalition informs every row (Wang and Jia 2023, arXiv:2205.15466)."""

    def __init__(self, n: int) -> None:
        self.inside, self.everywhere = np.zeros(n, np.int64), 0
        self.members, self.count = np.zeros(n, np.int64), 0

    def add(self, coalitions: BoolArray, utility: FloatArray) -> None:
        """Coalitions [B, n] bool, drawn with each row in or out by a fair coin, and their utilities [B]."""
        coalitions, units = np.asarray(coalitions, bool), _units(utility)
        for members, unit in zip(coalitions, units, strict=True):
            self.inside[members] += unit
        self.everywhere += int(units.sum())
        self.members += coalitions.sum(axis=0)
        self.count += len(units)

    def values(self) -> FloatArray:
        """Mean utility with the row minus mean utility without it, [n]; 0 where one of the two was never seen."""
        outside = self.count - self.members
        with_row = self.inside / (_UNIT * np.maximum(self.members, 1))
        without = (self.everywhere - self.inside) / (_UNIT * np.maximum(outside, 1))
        values: FloatArray = np.where((self.members > 0) & (outside > 0), with_row - without, 0.0)
        return values


class OutOfBag:
    """Data-OOB: how often models fitted without a row get it right (Kwon and Zou 2023, arXiv:2304.07718)."""

    def __init__(self, n: int) -> None:
        self.hits, self.seen = np.zeros(n, np.int64), np.zeros(n, np.int64)

    def add(self, counts: IntArray, right: BoolArray) -> None:
        """``counts`` [B, n]: how often each bag holds each row; ``right`` [B, n]: whether its model gets it right."""
        outside = np.asarray(counts) == 0
        self.hits += (outside & np.asarray(right, bool)).sum(axis=0)
        self.seen += outside.sum(axis=0)

    def values(self) -> FloatArray:
        """Share of right answers out of bag, [n]; 0 for a row that was in every bag."""
        values: FloatArray = self.hits / np.maximum(self.seen, 1)
        return values
