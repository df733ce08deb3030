"""The 95 % interval of a row's score.

Sources: Student's t on the seeds' scores; Clopper & Pearson, *The use of confidence or fiducial limits*, Biometrika 26
(1934), for scores that do not vary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite, sqrt

import numpy as np

from harness.api import FloatArray
from harness.statistics.bootstrap import Statistic, replicates, size
from harness.tracks.base import Arrays

LEVEL = 0.05
FEWEST_SEEDS = 3  # a t interval on two seeds is 12.7 standard errors wide on either side
MEASUREMENT_NOISE_ONLY = "measurement noise only"
_ROUNDING = 1e-12


def interval(
    scores: Mapping[int, float], items: Sequence[Arrays], statistic: Statistic, fingerprint: str
) -> tuple[float, float]:
    """Ends of the 95 % interval of the expected score; its width is never zero.

    Three seeds or more: mean ± t(.975, S - 1) sd / sqrt(S). One or two: percentiles of :func:`~.bootstrap.replicates`,
    which is measurement noise only. Scores that do not vary say nothing of their noise: then it is that percentile
    interval joined with an exact binomial bound, by which at most w = 1 - .025^(1/m) of the m items of a new draw
    would differ. The bound rests on the items of one seed, the fewest: different seeds may test the same items again.

    Parameters
    ----------
    scores: seed -> score; seeds that were not measured (nan) are left out.
    items: ``Score.items`` of each seed, read only where the scores alone do not give the interval.
    statistic, fingerprint: as in :func:`~.bootstrap.replicates`.

    Raises
    ------
    ValueError: no score, or no items where they are needed.
    """
    values = np.array([scores[seed] for seed in sorted(scores) if isfinite(scores[seed])])
    if not len(values):
        raise ValueError("an interval needs the score of at least one seed")
    varies = np.ptp(values) > _ROUNDING * max(1.0, float(np.abs(values).max()))
    if len(values) >= FEWEST_SEEDS and varies:
        return _student(values)
    low, high = _percentiles(replicates(items, statistic, fingerprint))
    if len(values) < FEWEST_SEEDS and high - low > _ROUNDING * max(1.0, abs(high)):
        return low, high
    return _joined((low, high), _exact(float(values.mean()), min(size(each) for each in items)))


def basis(seeds: int) -> str:
    """What the interval of a row with this many seeds measures, in a board's words."""
    return "seeds" if seeds >= FEWEST_SEEDS else MEASUREMENT_NOISE_ONLY


def _student(values: FloatArray) -> tuple[float, float]:
    from scipy.stats import t

    half = float(t.ppf(1 - LEVEL / 2, len(values) - 1) * values.std(ddof=1) / sqrt(len(values)))
    return float(values.mean()) - half, float(values.mean()) + half


def _percentiles(sample: FloatArray) -> tuple[float, float]:
    """Percentile interval of the replicates [n] that are defined; nan if none is."""
    defined = sample[np.isfinite(sample)]
    if not len(defined):
        return float("nan"), float("nan")
    low, high = np.quantile(defined, [LEVEL / 2, 1 - LEVEL / 2])
    return float(low), float(high)


def _exact(score: float, m: int) -> tuple[float, float]:
    """Clopper-Pearson: none of m items differed, so at most ``w`` of them do; inside [0, 1] for scores that are."""
    w = 1 - (LEVEL / 2) ** (1 / m)
    low, high = score - w, score + w
    return (max(0.0, low), min(1.0, high)) if 0 <= score <= 1 else (low, high)


def _joined(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    """The smallest interval that holds both; nan ends are ignored."""
    return float(np.fmin(one[0], other[0])), float(np.fmax(one[1], other[1]))
