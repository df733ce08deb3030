"""A pytest plug-in for cleanlab's tests: the confident joint, the order of issues and KNN-Shapley by our baselines.

Several labels a row, thresholds given by the caller and neighbours without features stay with the library.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from cleanlab import count, data_valuation, filter, rank
from ours import algorithm

_their_joint, _their_order, _their_values = (
    count.compute_confident_joint,
    rank.order_label_issues,
    data_valuation.data_shapley_knn,
)


def _joint(
    labels: Any, pred_probs: Any, *, thresholds: Any = None, calibrate: bool = True, multi_label: bool = False,
    return_indices_of_off_diagonals: bool = False,
) -> Any:  # fmt: skip
    """Rows counted in the class that ``debugging_correct/confident_learning`` suggests."""
    y, proba = np.asarray(labels) if not multi_label else None, np.asarray(pred_probs, float)
    if y is None or thresholds is not None or y.ndim != 1 or len(set(y.tolist())) < proba.shape[1]:
        return _their_joint(
            labels, pred_probs, thresholds=thresholds, calibrate=calibrate, multi_label=multi_label,
            return_indices_of_off_diagonals=return_indices_of_off_diagonals,
        )  # fmt: skip
    suggested = algorithm("debugging_correct", "confident_learning").suggested(proba, y)
    threshold = np.array([proba[y == c, c].mean() for c in range(proba.shape[1])])
    counted = (proba >= threshold - 1e-6).any(axis=1)
    joint = np.zeros((proba.shape[1],) * 2, int)
    np.add.at(joint, (y[counted], suggested[counted]), 1)
    np.fill_diagonal(joint, np.maximum(joint.diagonal(), 1))  # as the library promises
    off = np.flatnonzero(suggested != y)
    joint = count.calibrate_confident_joint(joint, y) if calibrate else joint
    return (joint, off) if return_indices_of_off_diagonals else joint


class _Told:
    def __init__(self, proba: Any) -> None:
        self.proba = proba

    def fit_many(self, X: Any, y: Any, weights: Any) -> Any:
        return self

    def predict_proba(self, X: Any) -> Any:
        return np.tile(self.proba, (5, 1, 1))


def _order(
    label_issues_mask: Any,
    labels: Any,
    pred_probs: Any,
    *,
    rank_by: str = "self_confidence",
    rank_by_kwargs: Any = None,
) -> Any:
    """Issues in the order of ``debugging/self_confidence``."""
    if rank_by != "self_confidence" or rank_by_kwargs:
        return _their_order(label_issues_mask, labels, pred_probs, rank_by=rank_by, rank_by_kwargs=rank_by_kwargs or {})
    proba, y = np.asarray(pred_probs), np.asarray(labels)
    task = SimpleNamespace(X=None, y=y, rng=np.random.default_rng(0), model=_Told(proba))
    order = algorithm("debugging", "self_confidence").rank(task)
    return order[np.asarray(label_issues_mask)[order]]


def _values(labels: Any, *, features: Any = None, knn_graph: Any = None, metric: Any = None, k: int = 10) -> Any:
    """Mean exact KNN-Shapley values, every row in turn being the one that is predicted from the others; 0 to 1 as theirs."""
    if features is None or knn_graph is not None or metric is not None:
        return _their_values(labels, features=features, knn_graph=knn_graph, metric=metric, k=k)
    X, y = np.asarray(features), np.asarray(labels)
    value, total = algorithm("valuation", "knn_shapley").value, np.zeros(len(y))
    for i in range(len(y)):
        rest = np.arange(len(y)) != i
        total[rest] += value(SimpleNamespace(X=X[rest], y=y[rest], X_val=X[i : i + 1], y_val=y[i : i + 1]), k=k)
    return 0.5 * (total / len(y) + 1)


count.compute_confident_joint = filter.compute_confident_joint = _joint
rank.order_label_issues = filter.order_label_issues = _order
data_valuation.data_shapley_knn = _values
