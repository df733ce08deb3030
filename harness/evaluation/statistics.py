"""Intervals and ranks: hierarchical bootstrap over seeds and test items, paired tests, shared ranks.

All rows of a board are resampled with the same draws, which depend on the fingerprint alone; the difference of two
rows' replicates is therefore a paired replicate of their difference.

Sources: hierarchical bootstrap, Davison & Hinkley, *Bootstrap Methods and their Application* (1997), section 3.8;
narrowness of percentile intervals for few seeds and its correction, Hesterberg, *What Teachers Should Know About the
Bootstrap*, The American Statistician 69 (2015), section 5.3; Holm, *A Simple Sequentially Rejective Multiple Test
Procedure* (1979).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from math import inf, sqrt

import numpy as np

from harness.api import FloatArray, IntArray
from harness.errors import ProtocolError
from harness.randomness import generator
from harness.tracks.base import Arrays

N_REPLICATES = 2000
LEVEL = 0.05
_CHUNK = 2_000_000  # weights held at once

Statistic = Callable[[Arrays, FloatArray], FloatArray]
"""items (each [m, ...]), weights [r, m] -> [r]: ``Track.statistic``."""


def replicates(
    items_per_seed: Sequence[Arrays], statistic: Statistic, fingerprint: str, n: int = N_REPLICATES
) -> FloatArray:
    """Bootstrap replicates [n] float64 of the mean score over seeds.

    Each replicate draws S seeds with replacement and, anew for every seed drawn, its m test items with replacement.
    With one seed only the items are drawn. A seed on which the statistic is not defined (nan) leaves the mean of that
    replicate.

    Parameters
    ----------
    items_per_seed: ``Score.items`` of every seed, in the order of the seeds; first axis of every array m items.
    statistic: recomputes the score under item weights.
    fingerprint: of the challenge; the only source of the draws.
    """
    seeds = len(items_per_seed)
    if seeds == 0:
        raise ValueError("replicates needs at least one seed")
    drawn = generator(fingerprint, 0, "bootstrap seeds").integers(0, seeds, (n, seeds))
    values = np.empty((n, seeds))
    for seed, items in enumerate(items_per_seed):
        slots = np.flatnonzero(drawn.ravel() == seed)
        rng = generator(fingerprint, seed, "bootstrap items")
        values.ravel()[slots] = _resampled(items, statistic, len(slots), rng)
    defined = np.isfinite(values)
    counts = defined.sum(axis=1)
    sums = np.where(defined, values, 0.0).sum(axis=1)
    means: FloatArray = np.divide(sums, counts, out=np.full(n, np.nan), where=counts > 0)
    return means


def interval(sample: FloatArray, seeds: int | None = None, level: float = LEVEL) -> tuple[float, float]:
    """Percentile interval of replicates [n], 95 % by default.

    With the number of ``seeds`` (two or more) it is Hesterberg's expanded interval: plain percentiles over few seeds
    are too narrow, by the ratio of a normal to a Student quantile and of S - 1 to S.
    """
    tail = level / 2
    if seeds is not None and seeds > 1:
        from scipy.stats import norm, t

        tail = float(norm.cdf(sqrt(seeds / (seeds - 1)) * t.ppf(tail, seeds - 1)))
    low, high = np.nanquantile(sample, [tail, 1 - tail])
    return float(low), float(high)


def paired_p_value(a: FloatArray, b: FloatArray, seeds: int) -> float:
    """Two-sided p-value that two rows with paired replicates [n] have the same expected score.

    Mean of the differences over their bootstrap standard error, against Student's t with S - 1 degrees of freedom
    (normal for one seed). Counting replicates beyond zero could not go below 2 / (n + 1), so that on a board of a dozen
    rows nothing would survive Holm's correction.
    """
    from scipy.stats import t

    if a.shape != b.shape:
        raise ProtocolError(f"Replicates of two rows differ in number ({len(a)} and {len(b)}): they are not paired.")
    difference = a - b
    difference = difference[np.isfinite(difference)]
    if len(difference) < 2:
        return 1.0
    widened = sqrt(seeds / (seeds - 1)) if seeds > 1 else 1.0
    error = float(difference.std(ddof=1)) * widened
    mean = float(difference.mean())
    if error <= 1e-12 * max(1.0, abs(mean)):  # the same difference on every seed and item, down to rounding
        return 1.0 if abs(mean) <= 1e-12 else 0.0
    return float(2 * t.sf(abs(mean) / error, seeds - 1 if seeds > 1 else inf))


def holm(p_values: Sequence[float]) -> FloatArray:
    """Holm's adjusted p-values, in the order given: [k] -> [k]."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    scaled = p[order] * (len(p) - np.arange(len(p)))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(scaled))
    return adjusted


def separated(rows: Mapping[str, FloatArray], seeds: int, level: float = LEVEL) -> dict[tuple[str, str], float]:
    """Adjusted p-value of every pair of rows that the paired test tells apart at ``level``.

    Parameters
    ----------
    rows: replicates [n] by row.
    seeds: number of seeds behind each of them.
    """
    pairs = list(combinations(sorted(rows), 2))
    adjusted = holm([paired_p_value(rows[a], rows[b], seeds) for a, b in pairs])
    return {pair: float(p) for pair, p in zip(pairs, adjusted, strict=True) if p < level}


def ranks(rows: Mapping[str, FloatArray], scores: Mapping[str, float], direction: str, seeds: int) -> dict[str, int]:
    """Rank of every row, best score first; rows that the paired test does not separate share one.

    Best to worst, a row shares the rank above it unless it is separated from a row of that rank; then it opens its
    own: 1 + the number of rows above. So separated rows never share a rank and a better score never ranks lower. Being
    tied is not transitive: a row may be tied with some rows of the rank above as well.
    """
    sign = 1.0 if direction == "max" else -1.0
    apart = separated(rows, seeds)
    placed: dict[str, int] = {}
    sharing: list[str] = []
    for row in sorted(rows, key=lambda name: (-sign * scores[name], name)):
        if any((min(row, other), max(row, other)) in apart for other in sharing):
            sharing = []
        placed[row] = placed[sharing[0]] if sharing else len(placed) + 1
        sharing.append(row)
    return placed


def _resampled(items: Arrays, statistic: Statistic, rows: int, rng: np.random.Generator) -> FloatArray:
    """The statistic under ``rows`` bootstrap resamples of the items: [rows] float64."""
    m = len(next(iter(items.values())))
    out = np.empty(rows)
    chunk = max(1, _CHUNK // m)
    for start in range(0, rows, chunk):
        r = min(chunk, rows - start)
        out[start : start + r] = statistic(items, item_weights(rng, r, m))
    return out


def item_weights(rng: np.random.Generator, rows: int, m: int) -> FloatArray:
    """How often each of m items is drawn in m draws with replacement: [rows, m] float32."""
    drawn: IntArray = rng.integers(0, m, (rows, m))
    drawn += m * np.arange(rows)[:, None]
    return np.bincount(drawn.ravel(), minlength=rows * m).reshape(rows, m).astype(np.float32)
