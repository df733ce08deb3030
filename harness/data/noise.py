"""Wrong labels on purpose: uniform, or by class at the rates at which people err. All draws from the caller's
generator.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from harness.api import FloatArray, IntArray
from harness.errors import ProtocolError


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
