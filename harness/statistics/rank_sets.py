"""Confidence sets for ranks.

Source: Mogstad, Romano, Shaikh & Wilhelm, *Inference for Ranks with Applications to Mobility across Neighbourhoods and
Academic Achievement across Countries*, Review of Economic Studies 91 (2024), simultaneous sets by stepwise comparisons.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import Literal

import numpy as np

from harness.statistics.differences import LEVEL, adjusted, common, difference

MANY = 150  # rows: 11,000 pairs take three seconds
_BLOCK = 500  # rows whose pairs are held at once
_ROUNDING = 1e-9


def rank_sets(
    rows: Mapping[str, Mapping[int, float]], direction: Literal["max", "min"], level: float = LEVEL
) -> dict[str, tuple[int, int]]:
    """Best and worst rank that each row may have: all of the sets hold the true rank together with chance 1 - ``level``.

    [1 + rows significantly better, K - rows significantly worse], by :func:`~.differences.adjusted`. The true rank is
    1 + the number of rows with a better expected score. With one seed every set is (1, K). Of more than ``MANY`` rows
    the pairs are too many for that, and are tested on the seeds common to all rows, corrected after Bonferroni.

    Parameters
    ----------
    rows: seed -> score by name.
    direction: whether the higher score is the better one (``"max"``).

    Raises
    ------
    ValueError: another direction.
    """
    if direction not in ("max", "min"):
        raise ValueError(f"direction is max or min, not {direction!r}")
    if len(rows) > MANY:
        return _many(rows, direction, level)
    best = dict.fromkeys(rows, 1)
    worst = dict.fromkeys(rows, len(rows))
    for (a, b), p in adjusted(rows).items():
        if p < level:
            ahead = difference(rows[a], rows[b]).mean > 0
            better, worse = (a, b) if ahead == (direction == "max") else (b, a)
            best[worse] += 1
            worst[better] -= 1
    return {name: (best[name], worst[name]) for name in rows}


def _many(rows: Mapping[str, Mapping[int, float]], direction: str, level: float) -> dict[str, tuple[int, int]]:
    """The same from paired t tests of all K (K - 1) / 2 pairs, a block of rows at a time."""
    from scipy.stats import t

    seeds = common(*rows.values())
    k, n = len(rows), len(seeds)
    if n < 2:
        return dict.fromkeys(rows, (1, k))
    Y = np.array([[row[seed] for seed in seeds] for row in rows.values()])
    mean = Y.mean(axis=1)
    centred = Y - mean[:, None]
    square = (centred**2).sum(axis=1)
    bound = float(t.isf(level / (k * (k - 1)), n - 1)) / sqrt(n * (n - 1))  # of |mean| over root of the sum of squares
    ahead, behind = np.zeros(k, np.int64), np.zeros(k, np.int64)
    for start in range(0, k, _BLOCK):
        part, rest, beyond = slice(start, start + _BLOCK), slice(start, k), slice(start + _BLOCK, k)
        squares = square[part, None] + square[rest]
        spread = squares - 2 * centred[part] @ centred[rest].T  # of the differences, about their mean
        varies = spread > _ROUNDING * squares  # the same on so few seeds proves nothing of so many pairs
        lead = mean[part, None] - mean[rest]
        apart = varies & (np.abs(lead) > bound * np.sqrt(np.maximum(spread, 0.0)))
        over, under = apart & (lead > 0), apart & (lead < 0)
        behind[part] += over.sum(axis=1)
        ahead[part] += under.sum(axis=1)
        ahead[beyond] += over[:, _BLOCK:].sum(axis=0)  # pairs within a block were seen from both sides, these were not
        behind[beyond] += under[:, _BLOCK:].sum(axis=0)
    better, worse = (ahead, behind) if direction == "max" else (behind, ahead)
    return {name: (1 + int(better[i]), k - int(worse[i])) for i, name in enumerate(rows)}
