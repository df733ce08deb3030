"""Wrong labels on purpose: uniform, by class at the rates at which people err, or where classes come near each other. All draws from the caller's
generator.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from harness.api import FloatArray, IntArray
from harness.errors import ProtocolError

SHARPNESS = 4  # of boundary_flips, see there
_FARTHEST = 10.0  # ratios of distances beyond it count as that
_ROWS = 1000  # whose distances are held at once


def uniform_flips(y: IntArray, rate: float, n_classes: int, rng: np.random.Generator) -> IntArray:
    """A copy of y [n] in which exactly round(rate * n) rows carry another class, each other class equally
    likely.

    Raises
    ------
    ProtocolError: rate outside 0..1, or fewer than two classes.
    """
    if not 0 <= rate <= 1:
        raise ProtocolError(f"The noise rate must lie in 0..1, got {rate!r}.")
    if n_classes < 2:
        raise ProtocolError(f"Labels can only be flipped among two or more classes, got {n_classes}.")
    noisy = np.array(y, dtype=np.int64)
    wrong = rng.permutation(len(noisy))[: round(rate * len(noisy))]
    noisy[wrong] = (noisy[wrong] + rng.integers(1, n_classes, size=len(wrong))) % n_classes
    return noisy


def one_class_flips(y: IntArray, rate: float, becomes: IntArray, rng: np.random.Generator) -> tuple[IntArray, int]:
    """A copy of y [n] in which exactly round(rate * n) rows, all of one class c that is drawn, carry ``becomes[c]``.

    Class-conditional noise as Natarajan et al. (NeurIPS 2013) study it, at its most one-sided. Of the classes one is drawn
    that has enough rows; c is returned too.

    Raises
    ------
    ProtocolError: rate outside 0..1, or no class has so many rows.
    """
    if not 0 <= rate <= 1:
        raise ProtocolError(f"The noise rate must lie in 0..1, got {rate!r}.")
    wrong = round(rate * len(y))
    sizes = np.bincount(y, minlength=len(becomes))
    large = np.flatnonzero(sizes >= max(wrong, 1))
    if not len(large):
        raise ProtocolError(
            f"{wrong} wrong labels of one class are asked for, and the largest class has {sizes.max(initial=0)} rows.",
            "Lower the noise rate, or spread it over the classes (noise_kind: class_dependent).",
        )
    of = int(rng.choice(large))
    noisy = np.array(y, dtype=np.int64)
    noisy[rng.permutation(np.flatnonzero(y == of))[:wrong]] = becomes[of]
    return noisy, of


def class_dependent_flips(y: IntArray, transition: npt.NDArray[np.floating], rng: np.random.Generator) -> IntArray:
    """A copy of y [n] in which class a became class b for a share ``transition[a, b]`` of its rows.

    Shares are met exactly up to rounding (largest remainders); which rows is drawn at random. Features play
    no part: this is what separates it from human noise of the same rates.

    Parameters
    ----------
    transition: [C, C], rows >= 0 that add up to 1; :func:`confusion` estimates it from people's labels.

    Raises
    ------
    ProtocolError: transition is not such a matrix, or y has classes beyond it.
    """
    transition = np.asarray(transition, dtype=np.float64)
    n_classes = len(transition)
    if transition.shape != (n_classes, n_classes) or not np.isfinite(transition).all():
        raise ProtocolError(f"The transition matrix must be finite and square, got shape {transition.shape}.")
    bad = np.flatnonzero((transition < 0).any(axis=1) | (np.abs(transition.sum(axis=1) - 1) > 1e-6))
    if len(bad):
        raise ProtocolError(f"Row {bad[0]} of the transition matrix is not a distribution: {transition[bad[0]]}.")
    if len(y) and not 0 <= np.min(y) <= np.max(y) < n_classes:
        raise ProtocolError(f"Labels must lie in 0..{n_classes - 1} for this transition matrix.")
    noisy = np.array(y, dtype=np.int64)
    for a in range(n_classes):
        rows = rng.permutation(np.flatnonzero(y == a))
        ideal = transition[a] * len(rows)
        counts = np.floor(ideal).astype(np.int64)
        left = len(rows) - counts.sum()
        by_remainder = np.lexsort((rng.permutation(n_classes), ideal - counts))[::-1]
        counts[by_remainder[:left]] += 1
        noisy[rows] = np.repeat(np.arange(n_classes), counts)
    return noisy


def boundary_flips(X: FloatArray, y: IntArray, rate: float, rng: np.random.Generator) -> IntArray:
    """A copy of y [n] in which exactly round(rate * n) rows carry another class, likelier the nearer that class comes.

    Boundary-consistent noise (Menon, van Rooyen and Natarajan, *Learning from binary labels with instance-dependent noise*,
    Machine Learning 2018): a row is mistaken for the class of its nearest row of another class. Rows are drawn without
    replacement with the weight (nearest row of its class / nearest of another class) ** SHARPNESS, distances being Euclidean
    and among these rows alone. No model has a part in it, so none is favoured.

    Parameters
    ----------
    X: [n, ...] features of the rows.

    Raises
    ------
    ProtocolError: rate outside 0..1, or all rows of one class.
    """
    if not 0 <= rate <= 1:
        raise ProtocolError(f"The noise rate must lie in 0..1, got {rate!r}.")
    if len(np.unique(y)) < 2:
        raise ProtocolError("Labels can only be mistaken for another class where there are two; these rows have one.")
    same, other, becomes = _nearest(X.reshape(len(X), -1).astype(np.float64), y)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(np.isfinite(same), np.nan_to_num(same / other, nan=1.0, posinf=_FARTHEST), 1.0)
    weight = np.clip(ratio, 1 / _FARTHEST, _FARTHEST) ** SHARPNESS
    # The first of exponential times with these rates are a weighted sample without replacement (Efraimidis and Spirakis, 2006).
    first = np.argsort(rng.exponential(size=len(y)) / weight, kind="stable")[: round(rate * len(y))]
    noisy = np.array(y, dtype=np.int64)
    noisy[first] = becomes[first]
    return noisy


def _nearest(X: FloatArray, y: IntArray) -> tuple[FloatArray, FloatArray, IntArray]:
    """Of each row the distance to the nearest other row of its class (inf: none), to the nearest of another, and that one's class."""
    square = (X * X).sum(axis=1)
    same, other, becomes = np.empty(len(y)), np.empty(len(y)), np.empty(len(y), np.int64)
    for start in range(0, len(y), _ROWS):
        block = slice(start, start + _ROWS)
        far = np.maximum(square[block, None] + square - 2 * X[block] @ X.T, 0)
        at = np.arange(len(far))
        alike = y[block, None] == y
        else_ = np.where(alike, np.inf, far)
        becomes[block] = y[else_.argmin(axis=1)]
        other[block] = np.sqrt(else_.min(axis=1))
        far[at, at + start] = np.inf
        same[block] = np.sqrt(np.where(alike, far, np.inf).min(axis=1))
    return same, other, becomes


def confusion(y_true: IntArray, y_human: IntArray, n_classes: int) -> FloatArray:
    """How people err: [C, C] float64, row a the distribution of human labels among rows of true class a.

    A class without rows keeps its label (identity row).
    """
    counts = np.zeros((n_classes, n_classes))
    np.add.at(counts, (y_true, y_human), 1)
    empty = counts.sum(axis=1) == 0
    counts[empty, empty] = 1  # the diagonal
    rates: FloatArray = counts / counts.sum(axis=1, keepdims=True)
    return rates
