"""What a board of K rows and S seeds can tell apart: the power of :func:`~.differences.adjusted`, before any run.

Assumes rows whose scores are independent and normal given the seed, the case with most to correct for; what rows have in
common on a seed leaves every difference and so changes nothing.
"""

from __future__ import annotations

from functools import lru_cache
from math import sqrt

import numpy as np

from harness.api import FloatArray
from harness.randomness import generator

LEVEL = 0.05
MOST_SEEDS = 1000
_BOARDS = 8000
_FEWEST_BOARDS = 1000
_CELLS = 1_000_000  # numbers held at once
_NODES = 2000
_ROUNDING = 1e-30  # squared: two rows of a large board may scatter alike to the last digit


@lru_cache(maxsize=256)
def critical_value(rows: int, seeds: int) -> float:
    """95 % quantile of the largest |t| over all pairs of ``rows`` equal rows on ``seeds`` seeds.

    Student's own for two rows, otherwise from 8,000 simulated boards; of more than a hundred rows, fewer, at least 1,000.

    Raises
    ------
    ValueError: fewer than two rows or seeds.
    """
    if rows < 2 or seeds < 2:
        raise ValueError(f"comparing needs two rows and two seeds, not {rows} and {seeds}")
    if rows == 2:
        from scipy.stats import t

        return float(t.ppf(1 - LEVEL / 2, seeds - 1))
    rng = generator("critical value", seeds, f"{rows} rows")
    chunk = max(1, _CELLS // rows**2)
    boards = max(_FEWEST_BOARDS, min(_BOARDS, _BOARDS * 100**2 // rows**2))
    largest = [_largest_t(rng, min(chunk, boards - start), rows, seeds) for start in range(0, boards, chunk)]
    return float(np.quantile(np.concatenate(largest), 1 - LEVEL))


def resolved(sd_of_difference: float, rows: int, seeds: int, power: float = 0.8) -> float:
    """Smallest difference between two of the rows that is told apart with at least this power; inf for one seed.

    By the noncentral t distribution at :func:`critical_value`. The real power is between ``power`` and a tenth above
    it: differences that are there make the rotation test's bound lower (docs/statistics.md).

    Parameters
    ----------
    sd_of_difference: over the seeds, of the two rows' difference of scores; the unit of the answer.
    """
    if seeds < 2:
        return float("inf")
    from scipy.optimize import brentq
    from scipy.stats import chi2, norm

    # P(Z + shift > bound sqrt(chi2 / df)) by the midpoint rule; scipy's noncentral t fails for few degrees of freedom
    df = seeds - 1
    quantiles = chi2.ppf((np.arange(_NODES) + 0.5) / _NODES, df)
    bounds = critical_value(rows, seeds) * np.sqrt(quantiles / df)
    shift = brentq(lambda nc: float(norm.cdf(nc - bounds).mean()) - power, 0.0, float(bounds.max()) + 10)
    return float(shift * sd_of_difference / sqrt(seeds))


def seeds_for(difference: float, sd_of_difference: float, rows: int, power: float = 0.8) -> int | None:
    """Fewest seeds that resolve a difference; None if a thousand do not."""
    few, enough = 1, 2
    while resolved(sd_of_difference, rows, enough, power) > abs(difference):
        if enough == MOST_SEEDS:
            return None
        few, enough = enough, min(2 * enough, MOST_SEEDS)
    while enough - few > 1:
        middle = (few + enough) // 2
        if resolved(sd_of_difference, rows, middle, power) > abs(difference):
            few = middle
        else:
            enough = middle
    return enough


def _largest_t(rng: np.random.Generator, boards: int, rows: int, seeds: int) -> FloatArray:
    """Largest |t| of each board [boards], from the rows' means and scatter, which are independent of each other."""
    df = seeds - 1
    if df > rows:  # Bartlett: the scatter's Cholesky factor, rows x rows however many seeds there are
        root = np.triu(rng.standard_normal((boards, rows, rows)), 1)
        root[:, range(rows), range(rows)] = np.sqrt(rng.chisquare(df - np.arange(rows), (boards, rows)))
    else:
        root = rng.standard_normal((boards, df, rows))
    scatter = np.swapaxes(root, 1, 2) @ root
    of_row = np.diagonal(scatter, axis1=1, axis2=2)
    of_difference = of_row[:, :, None] + of_row[:, None, :] - 2 * scatter
    of_difference[:, range(rows), range(rows)] = 1.0
    np.maximum(of_difference, _ROUNDING, out=of_difference)
    means = rng.standard_normal((boards, rows))
    t2 = df * (means[:, :, None] - means[:, None, :]) ** 2 / of_difference
    largest: FloatArray = np.sqrt(t2.max(axis=(1, 2)))
    return largest
