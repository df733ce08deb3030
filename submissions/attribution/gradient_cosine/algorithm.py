"""Gradient cosines: Charpiat et al., Input similarity from the neural network perspective, NeurIPS 2019.

The angle between the gradient of a row's loss and that of a query's margin, with the length of neither: no outlier is near
everything. Gradients are those of the last layer, all there is to a logistic model.
"""

import numpy as np


def attribute(task):
    fitted = task.model.fit(task.X, task.y)
    on_rows, on_queries = (unit(with_constant(fitted.features(X))) for X in (task.X, task.X_query))
    pull = unit(np.eye(task.n_classes)[task.y] - fitted.predict_proba(task.X))
    push = unit(margin_push(fitted.predict_proba(task.X_query), task.y_query))
    return (on_queries @ on_rows.T) * (push @ pull.T)  # a gradient is an outer product: lengths multiply


def with_constant(features):
    return np.column_stack([features, np.ones(len(features))]).astype(np.float64)


def unit(rows):
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-30)


def margin_push(proba, y):
    """The gradient of log(p / (1 - p)) of each label with respect to the logits: [q, C]."""
    rows, others = np.arange(len(y)), proba.astype(np.float64)
    others[rows, y] = 0
    push = -others / np.maximum(others.sum(axis=1, keepdims=True), 1e-30)
    push[rows, y] = 1
    return push
