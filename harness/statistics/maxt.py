"""Step-down max-t over pairs of rows, its null distribution by rotation of the differences.

Differences D [S, P] of P pairs on S seeds whose rows are independent N(0, Sigma), Sigma unknown, have the distribution
of R D for every orthogonal R. Given D'D, the t statistics of D are therefore one draw from those of R D with R uniform,
whatever Sigma is and however S and P compare: the test is exact, and nothing is estimated. The t of R D depends on R
through R'1 / sqrt(S) alone, a uniform point u of the sphere, and is a monotone function of |u'd| / |d|.

Sources: Langsrud, *Rotation tests*, Statistics and Computing 15 (2005); Solari, Finos & Goeman, *Rotation-based multiple
testing in the multivariate linear model*, Biometrics 70 (2014); step-down max-t, Westfall & Young, *Resampling-Based
Multiple Testing* (1993).
"""

from __future__ import annotations

from functools import lru_cache
from math import sqrt

import numpy as np

from harness.api import FloatArray, IntArray
from harness.randomness import generator

N_ROTATIONS = 20_000
_CELLS = 30_000  # statistics held at once: what a core has in its cache
_ROUNDING = 1e-12


def step_down(Y: FloatArray, pairs: IntArray) -> FloatArray:
    """Adjusted p-values [P] float64 of ``Y[:, i] = Y[:, j]`` in expectation, for ``pairs`` [P, 2] of columns of ``Y`` [S, K].

    Identical columns of Y are one hypothesis, so that copies of a row cost nothing; two of them have p-value 1. Pairs
    whose difference is the same on every seed have no t: they are tested by sign flips (:func:`_sign_flips`).
    """
    rows, row_of = np.unique(Y, axis=1, return_inverse=True)
    between, place = np.unique(np.sort(row_of.ravel()[pairs], axis=1), axis=0, return_inverse=True)
    D = rows[:, between[:, 0]] - rows[:, between[:, 1]]
    scale = _ROUNDING * max(1.0, float(np.abs(Y).max()))
    p = np.ones(len(between))
    differs = np.abs(D).max(axis=0) > scale
    varies = np.ptp(D, axis=0) > scale
    if (differs & ~varies).any():
        p[differs & ~varies] = _sign_flips(D[:, differs])
    if varies.any():
        p[varies] = _rotations(rows, between[varies])
    return p[place.ravel()]


def raw(D: FloatArray) -> FloatArray:
    """Two-sided p-values [P] of the paired t test, one for each column of differences [S, P] that vary."""
    from scipy.stats import t

    statistic = np.abs(D.mean(axis=0)) * sqrt(len(D)) / D.std(axis=0, ddof=1)
    p: FloatArray = 2 * t.sf(statistic, len(D) - 1)
    return p


def _rotations(Y: FloatArray, pairs: IntArray) -> FloatArray:
    """Adjusted p-values [P]: step-down over the largest |u'd| / |d| of the hypotheses not yet rejected."""
    i, j = pairs.T
    D = Y[:, i] - Y[:, j]
    single = raw(D)
    if len(pairs) < 2:
        return single
    norm = np.linalg.norm(D, axis=0)
    observed = np.abs(D.sum(axis=0)) / (sqrt(len(Y)) * norm)
    order = np.argsort(observed, kind="stable")  # ascending: a running maximum is that of the hypotheses left
    i, j, norm, bound = i[order], j[order], norm[order, None], observed[order, None]
    reached = np.ones(len(pairs))  # what was observed is itself one of the equally likely rotations
    for start in range(0, N_ROTATIONS, step := max(1, _CELLS // len(pairs))):
        turned = Y.T @ _sphere(len(Y))[:, start : start + step]
        largest = np.abs(turned[i] - turned[j])
        largest /= norm
        np.maximum.accumulate(largest, axis=0, out=largest)
        reached += (largest >= bound).sum(axis=1)
    adjusted = np.maximum(reached / (N_ROTATIONS + 1), single[order])
    adjusted[0] = single[order[0]]  # the last hypothesis left: its t test, without simulation error
    p = np.empty(len(pairs))
    p[order] = np.maximum.accumulate(adjusted[::-1])[::-1]
    return p


def _sign_flips(D: FloatArray) -> float:
    """The adjusted p-value that columns of differences [S, P] share in which nothing varies: their |t| is infinite.

    Of the 2^S equally likely ways to flip the signs of whole seeds, those that make |t| infinite for some column are two
    for every pattern of signs found among the columns of constant size. Rows that do not vary have one pattern.
    """
    size = np.abs(D)
    of_one_size = np.ptp(size, axis=0) <= _ROUNDING * max(1.0, float(size.max()))
    signs = np.sign(D[:, of_one_size])
    patterns = np.unique(signs * signs[0], axis=1).shape[1]
    return float(min(1.0, patterns * 2.0 ** (1 - len(D))))


@lru_cache(maxsize=4)
def _sphere(seeds: int) -> FloatArray:
    """Uniform points of the sphere as columns [S, N_ROTATIONS]; they depend on the number of seeds alone."""
    u: FloatArray = generator("max-t", seeds, "rotations").standard_normal((N_ROTATIONS, seeds)).T
    u /= np.linalg.norm(u, axis=0)
    return u
