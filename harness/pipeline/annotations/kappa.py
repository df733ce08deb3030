"""Cohen's kappa of every two annotators that share items, all pairs at once by sparse products.

Source: Cohen, *A coefficient of agreement for nominal scales*, Educational and Psychological Measurement 20 (1960).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.api import FloatArray, IntArray
from harness.pipeline.annotations.ballots import Cast

_MOST_PAIRS = 30_000_000  # beyond it they are not worth their memory


@dataclass(frozen=True)
class Pairs:
    """P pairs of annotators with ``shared`` items >= 1; ``kappa`` is NaN where both say one and the same label alone (0/0)."""

    first: IntArray
    second: IntArray
    shared: IntArray
    kappa: FloatArray

    @property
    def mean(self) -> float:
        """Mean over the pairs whose kappa is defined; NaN if there is none."""
        defined = self.kappa[~np.isnan(self.kappa)]
        return float(defined.mean()) if len(defined) else float("nan")


def pairwise(cast: Cast, n: int, n_classes: int) -> Pairs | None:
    """All pairs, those with the most shared items first; None where there are more than 30 million.

    n: items; expected agreement of a pair comes from its shared items alone.
    """
    from scipy.sparse import csr_array, triu

    people = len(cast.annotators)
    a_item = np.bincount(cast.item, minlength=n).astype(np.float64)
    if min(people**2, float(a_item @ a_item)) > _MOST_PAIRS:
        return None

    def votes(which: IntArray) -> csr_array:
        ones = np.ones(len(which), np.int64)
        return csr_array((ones, (cast.item[which], cast.annotator[which])), shape=(n, people))

    everything = votes(np.arange(len(cast)))
    shared = everything.T @ everything
    agreed, chance = csr_array((people, people), dtype=np.int64), csr_array((people, people), dtype=np.int64)
    for c in range(n_classes):
        said = votes(np.flatnonzero(cast.label == c))
        agreed = agreed + said.T @ said
        of_first = csr_array(said.T @ everything)  # how often each said c among the items shared with each other one
        chance = chance + of_first.multiply(of_first.T)
    upper = triu(shared, k=1).tocoo()
    i, j = upper.row.astype(np.int64), upper.col.astype(np.int64)
    m, both, expected = (_at(matrix, i, j) for matrix in (shared, agreed, chance))
    possible = m * m - expected
    kappa = np.divide(m * both - expected, possible, out=np.full(len(m), np.nan), where=possible > 0)
    order = np.lexsort((j, i, -m))
    return Pairs(i[order], j[order], m[order], kappa[order])


def _at(matrix: object, i: IntArray, j: IntArray) -> IntArray:
    """Entries of a sparse matrix at (i, j), as integers that hold the square of any number of items."""
    from scipy.sparse import csr_array

    found: IntArray = np.asarray(csr_array(matrix)[i, j]).ravel().astype(np.int64)
    return found
