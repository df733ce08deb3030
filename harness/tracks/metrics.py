"""Metrics under item weights: with all-ones weights the metric itself, with resampled ones its bootstrap."""

from __future__ import annotations

import numpy as np

from harness.api import FloatArray, IntArray


def per_class_f1(y_true: IntArray, y_pred: IntArray, n_classes: int, weights: FloatArray) -> FloatArray:
    """F1 of every class, 2 tp / (predicted + actual), as scikit-learn's ``f1_score(average=None)``.

    Parameters
    ----------
    y_true, y_pred: [m] classes in 0..C-1.
    weights: [r, m] >= 0, a row per resample.

    Returns
    -------
    [r, C] float64, nan for a class that neither occurs nor is predicted.
    """
    classes = np.arange(n_classes)
    actual, predicted = y_true[:, None] == classes, y_pred[:, None] == classes  # [m, C]
    weights = np.asarray(weights, np.float64)
    hits = weights @ (actual & predicted)
    mass = weights @ (actual.astype(np.float64) + predicted)
    f1: FloatArray = np.divide(2 * hits, mass, out=np.full(mass.shape, np.nan), where=mass > 0)
    return f1


def macro_f1(y_true: IntArray, y_pred: IntArray, n_classes: int, weights: FloatArray) -> FloatArray:
    """Mean F1 over the classes that occur or are predicted: weights [r, m] -> [r] float64."""
    mean: FloatArray = np.nanmean(per_class_f1(y_true, y_pred, n_classes, weights), axis=1)
    return mean


def recall(y_true: IntArray, y_pred: IntArray, n_classes: int) -> FloatArray:
    """Recall of every class [C] float64, nan for a class that does not occur; its mean is balanced accuracy."""
    actual = np.bincount(y_true, minlength=n_classes).astype(np.float64)
    hits = np.bincount(y_true[y_true == y_pred], minlength=n_classes)
    rate: FloatArray = np.divide(hits, actual, out=np.full(n_classes, np.nan), where=actual > 0)
    return rate


def average_precision(positive: FloatArray, listed: int) -> float:
    """Average precision of a ranking whose tail is tied (step-wise, as scikit-learn's ``average_precision_score``).

    Parameters
    ----------
    positive: [n] bool along the ranking, best first.
    listed: how many were really ranked; the others share the last place.

    nan where nothing is positive.
    """
    n, total = len(positive), int(np.sum(positive))
    if total == 0:
        return float("nan")
    at = np.flatnonzero(positive[:listed])
    precision = np.arange(1, len(at) + 1) / (at + 1)
    return float((precision.sum() + (total - len(at)) * total / n) / total)
