"""Gradient products: Charpiat et al., Input similarity from the neural network perspective, NeurIPS 2019; TracIn's last step.

A step along row i's gradient of the loss raises a query's margin by the product of the two gradients. Both are those of the
last layer, all there is to a logistic model: the product of what it reads of row and query, times that of two vectors of C numbers.
"""

import numpy as np


def attribute(task):
    fitted = task.model.fit(task.X, task.y)
    on_rows, on_queries = (with_constant(fitted.features(X)) for X in (task.X, task.X_query))
    pull = loss_pull(fitted.predict_proba(task.X), task.y)
    push = margin_push(fitted.predict_proba(task.X_query), task.y_query)
    return (on_queries @ on_rows.T) * (push @ pull.T)


def with_constant(features):
    return np.column_stack([features, np.ones(len(features))]).astype(np.float64)


def loss_pull(proba, y):
    """Minus the gradient of each row's loss with respect to its logits: [n, C]."""
    return np.eye(proba.shape[1])[y] - proba


def margin_push(proba, y):
    """The gradient of log(p / (1 - p)) of each label with respect to the logits: [q, C]."""
    rows, others = np.arange(len(y)), proba.astype(np.float64)
    others[rows, y] = 0
    push = -others / np.maximum(others.sum(axis=1, keepdims=True), 1e-30)
    push[rows, y] = 1
    return push
