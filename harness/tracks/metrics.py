"""The metrics of all tracks.

Those that take ``weights`` give the metric itself for all-ones weights, its bootstrap for resampled ones.
"""

from __future__ import annotations

import re

import numpy as np

from harness.api import FloatArray, IntArray
from harness.models.base import BoolArray


def per_class_f1(y_true: IntArray, y_pred: IntArray, n_classes: int, weights: FloatArray) -> FloatArray:
    """F1 of every class, 2 tp / (predicted + actual), as scikit-learn's ``f1_score(average=None)``.

    Parameters
    ----------
    y_true, y_pred: [m] classes in 0..C-1.
    weights: [r, m] >= 0, a row per resample.

    Returns
    -------
    [r, C] float64, nan for a class that neither occurs nor is predicted. Source: van Rijsbergen, Information retrieval,
    1979, chapter 7.
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


def macro_f1_curve(y_true: IntArray, y_pred: IntArray, n_classes: int, weights: FloatArray) -> FloatArray:
    """Macro-F1 at every point of a curve: y_pred [m, p], weights [r, m] -> [r, p] float64."""
    return np.stack([macro_f1(y_true, column, n_classes, weights) for column in y_pred.T], axis=1)


def mean_height(heights: FloatArray) -> FloatArray:
    """Area by trapezoids over equal steps, divided by its width: heights [r, p] -> [r]."""
    areas: FloatArray = (heights[:, :-1] + heights[:, 1:]).mean(axis=1) / 2
    return areas


def recall(y_true: IntArray, y_pred: IntArray, n_classes: int) -> FloatArray:
    """Recall of every class: y_true, y_pred [m] in 0..C-1 -> [C] float64, nan for a class that does not occur.

    Its mean is balanced accuracy (Brodersen et al., The balanced accuracy and its posterior distribution, ICPR 2010).
    """
    actual = np.bincount(y_true, minlength=n_classes).astype(np.float64)
    hits = np.bincount(y_true[y_true == y_pred], minlength=n_classes)
    rate: FloatArray = np.divide(hits, actual, out=np.full(n_classes, np.nan), where=actual > 0)
    return rate


def f1(flagged: BoolArray, positive: BoolArray) -> float:
    """F1 of flagged [n] for positive [n]; 0 where nothing is flagged, nan where nothing is positive."""
    if not positive.any():
        return float("nan")
    return float(2 * (flagged & positive).sum() / (flagged.sum() + positive.sum()))


def auroc(scores: FloatArray, positive: BoolArray) -> float:
    """Area under the ROC curve: how often a positive row outscores a negative one, ties counted half.

    scores [n], higher = more suspicious; positive [n]. nan where all rows are of one kind. Source: Hanley
    and McNeil, The meaning and use of the area under a ROC curve, Radiology 1982.
    """
    hits, others = int(positive.sum()), int((~positive).sum())
    if not hits or not others:
        return float("nan")
    return float((midranks(scores)[positive].sum() - hits * (hits - 1) / 2) / (hits * others))


def average_precision(scores: FloatArray, positive: BoolArray) -> float:
    """Area under the precision-recall steps, tied rows entering together (scikit-learn's ``average_precision_score``).

    scores [n], higher = more suspicious; positive [n]. nan where nothing is positive. Source: Buckley and Voorhees,
    Evaluating evaluation measure stability, SIGIR 2000.
    """
    total = int(positive.sum())
    if not total:
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)  # end of each run of equal scores
    found = np.cumsum(positive[order])[last]
    return float(np.diff(found, prepend=0) @ (found / (last + 1)) / total)


def ranking_average_precision(positive: BoolArray, listed: int) -> float:
    """Average precision of a ranking whose tail is tied.

    positive [n] along the ranking, best first; ``listed``: how many were really ranked, the others share the last
    place. nan where nothing is positive.
    """
    n = len(positive)
    return average_precision(np.maximum(n - np.arange(n), n - listed), positive)


def average_precisions(member: BoolArray, order: IntArray) -> FloatArray:
    """Average precision of k full rankings for s sets of rows: member [m, s], order [m, k] -> [k, s]; 0 for an empty set."""
    places = np.arange(1, len(order) + 1)[:, None]
    out = np.zeros((order.shape[1], member.shape[1]))
    for column, rows in enumerate(order.T):
        hit = member[rows]
        out[column] = (hit * np.cumsum(hit, axis=0) / places).sum(axis=0) / np.maximum(hit.sum(axis=0), 1)
    return out


def lower_cluster(values: FloatArray) -> BoolArray:
    """Rows in the lower of the two clusters that 2-means finds in values [n]; nobody where all values are equal.

    In one dimension the best split is a threshold, so it is found exactly. This is how OpenDataVal (Jiang et al.,
    2023) turns values into a verdict before it takes F1.
    """
    span = max(float(np.abs(values).max()), 1e-300)
    ordered = np.sort(values / span)  # scaled, so that squares of huge values do not overflow
    cuts = np.flatnonzero(np.diff(ordered)) + 1  # sizes of the lower cluster
    if not len(cuts):
        return np.zeros(len(values), bool)
    total = np.cumsum(ordered)
    below, above = total[cuts - 1], total[-1] - total[cuts - 1]
    best = cuts[np.argmax(below**2 / cuts + above**2 / (len(values) - cuts))]  # least spread within the clusters
    lower: BoolArray = values / span < ordered[best]
    return lower


def shuffled_order(scores: FloatArray, shuffle: IntArray) -> IntArray:
    """Rows from the highest score to the lowest, ties in the order of ``shuffle``, a permutation of the rows.

    scores [n] or [n, k] -> the same shape, each column an order.
    """
    order: IntArray = shuffle[np.argsort(-scores[shuffle], axis=0, kind="stable")]
    return order


def midranks(values: FloatArray) -> FloatArray:
    """Ranks 0..n-1 of values [n], tied ones sharing the mean of theirs; float64."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: FloatArray = (np.cumsum(counts) - (counts + 1) / 2)[inverse]
    return ranks


def spearman(a: FloatArray, b: FloatArray) -> float:
    """Spearman's rank correlation of a [n] and b [n]; nan where one of them is constant (Spearman, 1904)."""
    x, y = midranks(a), midranks(b)
    x, y = x - x.mean(), y - y.mean()
    scale = np.sqrt((x @ x) * (y @ y))
    return float(x @ y / scale) if scale > 0 else float("nan")


def rank_correlation(predicted: FloatArray, measured: FloatArray, weights: FloatArray) -> FloatArray:
    """Spearman's correlation (1904) of the columns of two tables [m, t] under row weights [r, m]: [r, t]; 0 of a constant.

    A weight counts a row that many times: the midrank of a value is the weight below it and half of that at it.
    """
    out = np.empty((len(weights), predicted.shape[1]))
    total = weights.sum(axis=1, keepdims=True)
    for column in range(predicted.shape[1]):
        a, b = (
            _weighted_midranks(table[:, column], weights) - total / 2 for table in (predicted, measured)
        )  # means are half of all
        scale = np.sqrt((weights * a * a).sum(axis=1) * (weights * b * b).sum(axis=1))
        covariance = (weights * a * b).sum(axis=1)
        out[:, column] = np.where(scale > 0, covariance / np.where(scale > 0, scale, 1), 0.0)
    return out


def _weighted_midranks(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Weighted midranks of values [m] under each row of weights [r, m]: [r, m]."""
    group: IntArray
    _, group = np.unique(values, return_inverse=True)
    onto = np.zeros((int(group.max()) + 1, len(weights)))
    np.add.at(onto, group, weights.T)  # [groups, r]
    ranks: FloatArray = (np.cumsum(onto, axis=0) - onto / 2)[group].T
    return ranks


def adjusted_mutual_information(a: IntArray, b: IntArray) -> float:
    """Agreement of two partitions of n rows, labels a [n] and b [n]: 1 if equal, about 0 by chance.

    Mutual information less its expectation under random partitions of the same sizes, over the mean entropy less the
    same (Vinh, Epps and Bailey, 2010; the arithmetic mean, as in scikit-learn). Equal partitions have 1 by definition:
    where both are one part, or all parts single rows, the ratio is 0 / 0.
    """
    from scipy.special import gammaln

    n = len(a)
    _, a = np.unique(a, return_inverse=True)
    _, b = np.unique(b, return_inverse=True)
    table = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(table, (a, b), 1)
    rows, columns = table.sum(axis=1), table.sum(axis=0)
    if np.count_nonzero(table) == len(rows) == len(columns):
        return 1.0

    def information(count: FloatArray, r: FloatArray, c: FloatArray) -> FloatArray:
        term: FloatArray = count / n * np.log(np.maximum(count, 1) * n / (r * c))
        return term

    mutual = float(information(table, rows[:, None], columns).sum())
    entropy = -float(sum((s / n * np.log(s / n)).sum() for s in (rows, columns))) / 2
    expected = 0.0
    for r in rows:
        for c in columns:  # sizes of the overlap follow the hypergeometric distribution
            k = np.arange(max(1.0, r + c - n), min(r, c) + 1)
            log_p = gammaln(r + 1) + gammaln(c + 1) + gammaln(n - r + 1) + gammaln(n - c + 1) - gammaln(n + 1)
            log_p = log_p - gammaln(k + 1) - gammaln(r - k + 1) - gammaln(c - k + 1) - gammaln(n - r - c + k + 1)
            expected += float((information(k, r, c) * np.exp(log_p)).sum())
    return (mutual - expected) / max(entropy - expected, 1e-15)


def first_reached(x: FloatArray, heights: FloatArray, target: float) -> float:
    """Where a curve first comes up to a target, linear between its points: x [p] rising, heights [p]; nan if never."""
    above = np.flatnonzero(heights >= target)
    if not len(above):
        return float("nan")
    i = above[0]
    if i == 0:
        return float(x[0])
    return float(x[i - 1] + (x[i] - x[i - 1]) * (target - heights[i - 1]) / (heights[i] - heights[i - 1]))


def named(name: str) -> str:
    """A name for a metric; signs that would make two classes one are spelled out."""
    for sign, word in (("<=", "at_most_"), (">=", "at_least_"), ("<", "under_"), (">", "over_")):
        name = name.replace(sign, word)
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", name)
