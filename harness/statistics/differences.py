"""Paired comparisons of rows: Student's t on the differences of two, step-down max-t over all pairs of a board."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from math import isfinite, sqrt

import numpy as np

from harness.api import FloatArray
from harness.statistics.maxt import step_down

LEVEL = 0.05
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Difference:
    """How much a row scores above another on the seeds that both measured.

    ``mean`` is nan without a common seed. ``ci95`` and ``p`` are None where the seeds cannot give them: for fewer than
    two, and ``ci95`` as well where the difference does not vary.
    """

    mean: float
    ci95: tuple[float, float] | None
    p: float | None
    seeds: tuple[int, ...]


def common(*rows: Mapping[int, float]) -> tuple[int, ...]:
    """Seed numbers, ascending, on which every row has a score (nan is none)."""
    return tuple(seed for seed in sorted(rows[0]) if all(isfinite(row.get(seed, float("nan"))) for row in rows))


def difference(a: Mapping[int, float], b: Mapping[int, float]) -> Difference:
    """``a - b`` with its 95 % interval and two-sided p-value, uncorrected for looking at several pairs.

    Where the difference is the same on every seed, t is not defined: without a difference p is 1, otherwise that of the
    exact sign test, 2 * 2^-S.
    """
    seeds = common(a, b)
    d = np.array([a[seed] - b[seed] for seed in seeds])
    mean = float(d.mean()) if len(d) else float("nan")
    if len(d) < 2:
        return Difference(mean, None, None, seeds)
    if np.ptp(d) <= _ROUNDING * max(1.0, *(abs(a[seed]) for seed in seeds)):
        return Difference(mean, None, 1.0 if abs(mean) <= _ROUNDING else 2.0 ** (1 - len(d)), seeds)
    from scipy.stats import t

    error = float(d.std(ddof=1)) / sqrt(len(d))
    half = float(t.ppf(1 - LEVEL / 2, len(d) - 1)) * error
    p = float(2 * t.sf(abs(mean) / error, len(d) - 1))
    return Difference(mean, (mean - half, mean + half), p, seeds)


def adjusted(rows: Mapping[str, Mapping[int, float]]) -> dict[tuple[str, str], float]:
    """Adjusted two-sided p-value of every pair of rows, its two names in alphabetical order.

    Rejecting all pairs with p < .05 makes one or more false rejections with a chance of at most 5 %, whichever pairs are
    really equal (:mod:`~.maxt`). For two rows it is the p-value of :func:`difference`; no adjusted p-value is below that.
    A copy of a row changes none. Pairs are tested together on the seeds both rows have, pairs with other common seeds
    apart, and p-values multiplied by the number of such groups. Pairs with fewer than two common seeds have 1.
    """
    groups: dict[tuple[int, ...], list[tuple[str, str]]] = {}
    for a, b in combinations(sorted(rows), 2):
        groups.setdefault(common(rows[a], rows[b]), []).append((a, b))
    told: dict[tuple[str, str], float] = {}
    families = 0
    for seeds, pairs in groups.items():
        p = _group(rows, seeds, pairs) if len(seeds) > 1 else np.ones(len(pairs))
        families += bool((p < 1).any())
        told |= {pair: float(value) for pair, value in zip(pairs, p, strict=True)}
    return {pair: min(1.0, told[pair] * max(1, families)) for pair in combinations(sorted(rows), 2)}


def _group(rows: Mapping[str, Mapping[int, float]], seeds: tuple[int, ...], pairs: list[tuple[str, str]]) -> FloatArray:
    """Adjusted p-values [P] of pairs that have these seeds in common."""
    names = sorted({name for pair in pairs for name in pair})
    Y = np.array([[rows[name][seed] for name in names] for seed in seeds])
    place = {name: column for column, name in enumerate(names)}
    return step_down(Y, np.array([[place[a], place[b]] for a, b in pairs]))
