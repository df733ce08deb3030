"""Bootstrap over test items: the noise of measuring on finitely many of them, and nothing else.

Source: Davison & Hinkley, *Bootstrap Methods and their Application* (1997), chapter 2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from harness.api import FloatArray, IntArray
from harness.randomness import generator
from harness.tracks.base import Arrays

N_REPLICATES = 2000
_CHUNK = 2_000_000  # weights held at once

Statistic = Callable[[Arrays, FloatArray], FloatArray]
"""items (each [m, ...]), weights [r, m] -> [r]: ``Track.statistic``."""


def replicates(
    items_per_seed: Sequence[Arrays], statistic: Statistic, fingerprint: str, n: int = N_REPLICATES
) -> FloatArray:
    """Bootstrap replicates [n] float64 of the mean score over the seeds given.

    Every seed's m items are drawn anew, m times with replacement; the seeds themselves are not, since what differs
    between seeds (split, noise, algorithm) is seen in their scores and would be counted twice. A seed on which the
    statistic is not defined (nan) leaves the mean of that replicate.

    Parameters
    ----------
    items_per_seed: ``Score.items`` of every seed, in the order of the seeds; first axis of every array m items.
    statistic: recomputes the score under item weights.
    fingerprint: of the challenge; the only source of the draws.

    Raises
    ------
    ValueError: no seed is given.
    """
    if not items_per_seed:
        raise ValueError("replicates needs the items of at least one seed")
    values = np.stack(
        [
            _resampled(items, statistic, n, generator(fingerprint, position, "bootstrap items"))
            for position, items in enumerate(items_per_seed)
        ]
    )
    defined = np.isfinite(values)
    counts = defined.sum(axis=0)
    sums = np.where(defined, values, 0.0).sum(axis=0)
    means: FloatArray = np.divide(sums, counts, out=np.full(n, np.nan), where=counts > 0)
    return means


def item_weights(rng: np.random.Generator, rows: int, m: int) -> FloatArray:
    """How often each of m items is drawn in m draws with replacement: [rows, m] float32."""
    drawn: IntArray = rng.integers(0, m, (rows, m))
    drawn += m * np.arange(rows)[:, None]
    return np.bincount(drawn.ravel(), minlength=rows * m).reshape(rows, m).astype(np.float32)


def size(items: Arrays) -> int:
    """Number m of items."""
    return len(next(iter(items.values())))


def _resampled(items: Arrays, statistic: Statistic, rows: int, rng: np.random.Generator) -> FloatArray:
    """The statistic under ``rows`` bootstrap resamples of the items: [rows] float64."""
    m = size(items)
    out = np.empty(rows)
    chunk = max(1, _CHUNK // m)
    for start in range(0, rows, chunk):
        r = min(chunk, rows - start)
        out[start : start + r] = statistic(items, item_weights(rng, r, m))
    return out
