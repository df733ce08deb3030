"""Several challenges, one overall score: the mean normalised score, its interval, and which entries it tells apart.

A suite's challenges are fixed and independent of each other; within a challenge the seeds are the random units, and two
entries are paired by seed number.

Sources: degrees of freedom of a sum of independent variance estimates, Welch, *The Generalization of 'Student's' Problem*,
Biometrika 34 (1947), and Satterthwaite, *An Approximate Distribution of Estimates of Variance Components*, Biometrics
Bulletin 2 (1946); rotation tests, Langsrud, *Rotation Tests*, Statistics and Computing 15 (2005); step-down tests over the
joint distribution of the statistics, Westfall & Young, *Resampling-Based Multiple Testing* (1993), and Romano & Wolf,
*Exact and Approximate Stepdown Methods for Multiple Hypothesis Testing*, JASA 100 (2005); confidence sets for ranks,
Mogstad, Romano, Shaikh & Wilhelm, *Inference for Ranks*, Review of Economic Studies 91 (2024).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np
import numpy.typing as npt

from harness.api import FloatArray, IntArray
from harness.randomness import generator

LEVEL = 0.05
N_DRAWS = 4000
FEWEST_SEEDS = 3  # with a challenge of two, Welch-Satterthwaite intervals miss nearly twice as often as they say
_CHUNK = 4_000_000  # numbers held at once

BoolArray = npt.NDArray[np.bool_]


class NoScale(ValueError):
    """Why scores of a challenge cannot be normalised, in words that follow its name."""


@dataclass(frozen=True)
class Entry:
    """What one submission reached on one challenge; ``seed_scores`` holds the measured seeds alone."""

    challenge: str
    submission: str
    seed_scores: Mapping[int, float]


@dataclass(frozen=True)
class Scale:
    """Normalised scores are (score - floor) / (skyline - floor), whichever of the two is larger."""

    floor: float
    skyline: float
    seeds: tuple[int, ...]  # measured by both references

    def __call__(self, score: float) -> float:
        return (score - self.floor) / (self.skyline - self.floor)


@dataclass(frozen=True)
class Panel:
    """Normalised scores of K entries on one challenge."""

    challenge: str
    seeds: tuple[int, ...]  # n
    values: FloatArray  # [n, K]; nan where not measured; 0 throughout where missing
    missing: BoolArray  # [K]: has no score here, counts as the floor


@dataclass(frozen=True)
class Overall:
    """Mean over challenges of K entries, each [K]. No interval (nan): too few seeds somewhere, or nothing varies."""

    score: FloatArray
    low: FloatArray
    high: FloatArray
    df: FloatArray


@dataclass(frozen=True)
class Pairs:
    """Differences of overall scores, first minus second, over the seeds that both measured: each [P]."""

    first: IntArray
    second: IntArray
    difference: FloatArray
    low: FloatArray  # of each pair by itself, as for Overall
    high: FloatArray
    p: FloatArray  # two-sided, of each pair by itself
    adjusted: FloatArray  # for all pairs at once


def scale(floor: Mapping[int, float], skyline: Mapping[int, float], direction: str, level: float = LEVEL) -> Scale:
    """The scale that two references' scores by seed give.

    Raises NoScale where the skyline is not better than the floor by more than chance: a two-sided paired t test over their
    common seeds (with one seed: not better at all).
    """
    common = sorted(set(floor) & set(skyline))
    if not common:
        raise NoScale("has no seed on which both references were measured")
    low, high = (np.array([scores[seed] for seed in common]) for scores in (floor, skyline))
    gain = (high - low) * (1.0 if direction == "max" else -1.0)
    mean, error = float(gain.mean()), float(gain.std(ddof=1) / len(gain) ** 0.5) if len(gain) > 1 else 0.0
    if mean <= 1e-9 * max(1.0, abs(float(low.mean()))):
        raise NoScale("has a skyline that is no better than the floor")
    if error > 0 and _two_sided(mean / error, len(gain) - 1.0) >= level:
        raise NoScale("has a skyline that is not better than the floor by more than chance")
    return Scale(float(low.mean()), float(high.mean()), tuple(common))


def panel(challenge: str, entries: Sequence[Entry], submissions: Sequence[str], on: Scale) -> Panel:
    """The normalised scores of ``submissions`` on a challenge, in their order; who has no entry counts as the floor."""
    found = {e.submission: e.seed_scores for e in entries if e.challenge == challenge and e.seed_scores}
    seeds = tuple(sorted({seed for scores in found.values() for seed in scores} or on.seeds))
    values = np.zeros((len(seeds), len(submissions)))
    for column, name in enumerate(submissions):
        if name in found:
            scores = found[name]
            values[:, column] = [on(scores[seed]) if seed in scores else np.nan for seed in seeds]
    return Panel(challenge, seeds, values, np.array([name not in found for name in submissions], dtype=bool))


def overall(panels: Sequence[Panel], level: float = LEVEL) -> Overall:
    """Mean normalised score of every entry with its two-sided t interval; at least FEWEST_SEEDS on every challenge."""
    measured = [np.isfinite(p.values) for p in panels]
    moments = [_moments(p.values, m, p.missing) for p, m in zip(panels, measured, strict=True)]
    score, error, df = _combined(moments)
    return Overall(score, *_interval(score, error, df, level), df)


def pairs(panels: Sequence[Panel], draws: int = N_DRAWS, level: float = LEVEL) -> Pairs:
    """All differences, with p-values that hold for all pairs at once, directions included.

    Step-down min-p test: the family holds both directions of every pair. Their joint distribution when nobody is better is
    drawn by turning each challenge's scores over its seeds at random, which changes nothing about normal scores of mean 0,
    after every entry's mean there is replaced by its overall score: equal overall need not be equal on each challenge. The
    draws are studentised as the scores are. On one challenge this is the exact rotation test, for two entries the paired t
    test; who enters a copy of a row changes no verdict. The draws depend on the challenges' names alone. A difference that is the same on every seed of every challenge has no
    t: its p-value is that of the exact sign test on the challenge of fewest seeds, corrected after Bonferroni.

    Parameters
    ----------
    panels: one a challenge, all of the same K entries.
    draws: an adjusted p-value is at least 1 / (draws + 1).
    """
    from scipy.special import stdtr

    first, second = np.triu_indices(len(panels[0].missing), 1)
    between = [_Between.of(panel, first, second) for panel in panels]
    difference, error, df = _combined([b.moments for b in between])
    t = _studentised(difference, error)
    p = np.ones(len(t))
    varies = np.isfinite(t) & (error > 0)
    p[varies] = 2 * stdtr(df[varies], -np.abs(t[varies]))
    constant = np.isinf(t)
    p[constant] = 2.0 ** (1.0 - _fewest_seeds(between)[constant])
    adjusted = np.minimum(1.0, p * len(p))  # of pairs whose difference does not vary
    tested = np.flatnonzero(varies)
    tested = tested[np.argsort(p[tested], kind="stable")]
    if len(tested):
        sign, exceeded = np.where(t[tested] < 0, -1.0, 1.0), np.zeros(len(tested))
        for mean, spread, freedom in _null(between, tested, overall(panels).score, draws):
            tail = stdtr(freedom, -sign * _studentised(mean, spread))
            least = np.minimum.accumulate(tail[:, ::-1], axis=1)[:, ::-1]  # over this pair and those less clear
            least = np.minimum(least, 1 - tail.max(axis=1, keepdims=True))  # the other directions are never rejected
            exceeded += (least <= p[tested] / 2).sum(axis=0)
        stepped = np.maximum.accumulate((exceeded + 1) / (draws + 1))
        adjusted[tested] = np.maximum(stepped, p[tested])
    return Pairs(first, second, difference, *_interval(difference, error, df, level), p, adjusted)


def rank_sets(found: Pairs, entries: int, level: float = LEVEL) -> list[tuple[int, int]]:
    """Ranks that each of K entries may have, all right at once with probability 1 - level: [lowest, highest].

    1 + the number of entries that are better for certain, K - the number of those that are worse for certain.
    """
    sets = np.tile([1, entries], (entries, 1))
    for first, second, gain, p in zip(found.first, found.second, found.difference, found.adjusted, strict=True):
        if p < level and gain != 0:
            better, worse = (first, second) if gain > 0 else (second, first)
            sets[better, 1] -= 1
            sets[worse, 0] += 1
    return [(int(low), int(high)) for low, high in sets]


_Moments = tuple[FloatArray, FloatArray, FloatArray]
"""Mean, variance of the mean and its degrees of freedom, each [..., columns], of one challenge."""


def _moments(values: FloatArray, measured: BoolArray, sure: BoolArray) -> _Moments:
    """Of values [..., n, columns] over n, where measured [n, columns]; ``sure`` columns [columns] do not vary."""
    count = measured.sum(axis=0)
    held = np.where(measured, values, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = held.sum(axis=-2) / count
        squares = np.where(measured, (held - mean[..., None, :]) ** 2, 0.0).sum(axis=-2)
        variance = squares / (count - 1) / count
    variance = np.where(sure, 0.0, np.where(count >= FEWEST_SEEDS, variance, np.nan))
    return mean, variance, np.broadcast_to(np.maximum(count - 1.0, 1.0), variance.shape)


def _combined(moments: Sequence[_Moments]) -> _Moments:
    """Mean over challenges, its standard error and Welch-Satterthwaite degrees of freedom."""
    total = np.sum([variance for _, variance, _ in moments], axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        df = total**2 / np.sum([variance**2 / freedom for _, variance, freedom in moments], axis=0)
    mean = np.mean([mean for mean, _, _ in moments], axis=0)
    error = np.sqrt(total) / len(moments)
    return mean, np.where(error <= 1e-12 * np.maximum(1.0, np.abs(mean)), 0.0, error), df


def _fewest_seeds(between: Sequence[_Between]) -> FloatArray:
    """Common seeds of every pair on the challenge where, of those with a difference, it has fewest: [P]."""
    seeds = [np.where(np.abs(b.moments[0]) > 1e-12, b.common.sum(axis=0), np.inf) for b in between]
    fewest: FloatArray = np.min(seeds, axis=0)
    return fewest


def _studentised(mean: FloatArray, error: FloatArray) -> FloatArray:
    """Mean over error: 0 where there is no difference and no error, infinite where there is one."""
    with np.errstate(invalid="ignore", divide="ignore"):
        t: FloatArray = np.where(np.abs(mean) <= 1e-12, np.where(np.isnan(error), np.nan, 0.0), mean / error)
    return t


def _interval(mean: FloatArray, error: FloatArray, df: FloatArray, level: float) -> tuple[FloatArray, FloatArray]:
    from scipy.special import stdtrit

    known = (error > 0) & np.isfinite(df)
    half = np.where(known, error * stdtrit(np.where(known, df, 1.0), 1 - level / 2), np.nan)
    return mean - half, mean + half


def _two_sided(t: float, df: float) -> float:
    from scipy.special import stdtr

    return float(2 * stdtr(df, -abs(t))) if isfinite(t) else 0.0


@dataclass(frozen=True)
class _Between:
    """Paired differences of one challenge, [n, P], and what null draws of them need."""

    panel: Panel
    first: IntArray
    second: IntArray
    common: BoolArray  # [n, P]: seeds that both measured
    sure: BoolArray  # [P]: both missing
    moments: _Moments

    @classmethod
    def of(cls, panel: Panel, first: IntArray, second: IntArray) -> _Between:
        measured = np.isfinite(panel.values)
        common = measured[:, first] & measured[:, second]
        sure = panel.missing[first] & panel.missing[second]
        differences = panel.values[:, first] - panel.values[:, second]
        return cls(panel, first, second, common, sure, _moments(differences, common, sure))

    def drawn(self, of: IntArray, score: FloatArray, normal: FloatArray) -> _Moments:
        """Moments of the pairs ``of`` when nobody is better, each [r, pairs].

        Parameters
        ----------
        score: overall [K], which takes the place of the mean on this challenge.
        normal: standard normal draws [r, n].
        """
        shape = (len(normal), len(of))
        mean, variance, freedom = np.zeros(shape), np.zeros(shape), np.ones(shape)
        patterns, which = np.unique(self.common[:, of], axis=1, return_inverse=True)
        for i, seeds in enumerate(patterns.T):  # one pattern, unless some entry has seeds that another has not
            here, m = np.flatnonzero((which.ravel() == i) & ~self.sure[of]), int(seeds.sum())
            if not len(here):
                continue
            values = self.panel.values[seeds]
            aligned = np.nan_to_num(values - values.mean(axis=0) + score)
            direction = normal[:, seeds] / np.linalg.norm(normal[:, seeds], axis=1, keepdims=True)
            turned = direction @ aligned
            a, b = self.first[of[here]], self.second[of[here]]
            along = turned[:, a] - turned[:, b]
            length = ((aligned[:, a] - aligned[:, b]) ** 2).sum(axis=0)
            mean[:, here] = along / m**0.5
            variance[:, here] = np.maximum(length - along**2, 0.0) / ((m - 1) * m)
            freedom[:, here] = m - 1
        return mean, variance, freedom


def _null(between: Sequence[_Between], of: IntArray, score: FloatArray, draws: int) -> Iterator[_Moments]:
    """Mean, error and degrees of freedom of the pairs ``of`` when nobody is better, a chunk of draws at a time."""
    streams = [generator(b.panel.challenge, 0, "suite rotations") for b in between]
    step = max(1, _CHUNK // (len(between) * len(of)))
    for start in range(0, draws, step):
        r = min(step, draws - start)
        yield _combined(
            [
                b.drawn(of, score, stream.standard_normal((r, len(b.panel.seeds))))
                for b, stream in zip(between, streams, strict=True)
            ]
        )
