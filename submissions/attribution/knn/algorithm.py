"""Nearness: a row of the query's class raises its margin, another row lowers it, the more the nearer it is.

The kernel is exp(-d^2 / s), d the Euclidean distance and s the median over queries of that of the K-th nearest row, squared:
a soft form of the k nearest neighbours (Cover and Hart, 1967), with no model at all. Rows are weighed within their side, so that
both have the same total.
"""

import numpy as np

K = 10


def attribute(task, k=K):
    A, Q = (X.reshape(len(X), -1).astype(np.float64) for X in (task.X, task.X_query))
    squares = np.maximum((Q**2).sum(axis=1)[:, None] + (A**2).sum(axis=1) - 2 * Q @ A.T, 0)
    nearest = np.partition(squares, min(k, squares.shape[1]) - 1, axis=1)[:, min(k, squares.shape[1]) - 1]
    near = np.exp(-squares / max(np.median(nearest), 1e-30))
    same = task.y_query[:, None] == task.y
    sides = [side * near / np.maximum((side * near).sum(axis=1, keepdims=True), 1e-300) for side in (same, ~same)]
    return sides[0] - sides[1]
