"""A score between floor (0) and skyline (1), with the interval of that ratio.

Source: Fieller, *Some problems in interval estimation*, Journal of the Royal Statistical Society B 16 (1954).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt

import numpy as np

from harness.statistics.differences import LEVEL, common

_ROUNDING = 1e-12


@dataclass(frozen=True)
class Normalised:
    """Where a score lies between floor (0) and skyline (1); ``ci95`` is None where nothing varies over the seeds."""

    value: float
    ci95: tuple[float, float] | None


def normalised(
    scores: Mapping[int, float], floor: Mapping[int, float], skyline: Mapping[int, float], apart: bool = False
) -> Normalised | None:
    """(mean score - mean floor) / (mean skyline - mean floor) over the seeds that all three have.

    None unless skyline and floor differ by more than chance: by the paired t test at 5 %, or with one seed as the caller
    says by ``apart``, who has the items. Interval: Fieller's with paired seeds, the values theta for which
    ``score - floor - theta (skyline - floor)`` is not significantly different from zero. It is bounded exactly where
    skyline and floor differ significantly, so every interval given is.
    """
    seeds = common(scores, floor, skyline)
    if not seeds:
        return None
    part = np.array([scores[seed] - floor[seed] for seed in seeds])
    whole = np.array([skyline[seed] - floor[seed] for seed in seeds])
    n, mean_part, mean_whole = len(seeds), float(part.mean()), float(whole.mean())
    if abs(mean_whole) <= _ROUNDING:
        return None
    value = mean_part / mean_whole
    if n == 1:
        return Normalised(value, None) if apart else None
    from scipy.stats import t

    # theta^2 a - 2 theta b + c <= 0, from (mean_part - theta mean_whole)^2 <= t^2 var(part - theta whole) / n
    (var_part, both), (_, var_whole) = np.cov(part, whole) * float(t.ppf(1 - LEVEL / 2, n - 1)) ** 2 / n
    a = mean_whole**2 - var_whole
    if a <= 0:
        return None
    b, c = mean_part * mean_whole - both, mean_part**2 - var_part
    half = sqrt(max(0.0, b * b - a * c)) / a
    return Normalised(value, (b / a - half, b / a + half) if half > _ROUNDING else None)
