"""KNN-Shapley: the exact Shapley value of every row for a k-nearest-neighbour classifier, lowest first.

Jia et al., Efficient task-specific data valuation for nearest neighbor algorithms, VLDB 2019, theorem 1. Without a
clean validation set every training row, with the label given, is asked about all the others.
"""

import numpy as np

K = 5
BLOCK = 500  # validation rows at a time


def rank(task):
    X = task.X.reshape(len(task.X), -1)
    if task.X_val is None:
        values = knn_shapley(X, task.y, X, task.y, leave_self_out=True)
    else:
        values = knn_shapley(X, task.y, task.X_val.reshape(len(task.X_val), -1), task.y_val)
    return np.lexsort((task.rng.permutation(len(values)), values))  # ties by chance


def knn_shapley(X, y, X_val, y_val, leave_self_out=False):
    """Mean over the validation rows of the Shapley values [n] of the rows of X [n, d]."""
    n = len(X) - leave_self_out
    values = np.zeros(len(X))
    place = np.arange(1, n)  # 1 .. n-1
    for start in range(0, len(X_val), BLOCK):
        rows = X_val[start : start + BLOCK]
        squared = (rows * rows).sum(axis=1)[:, None] - 2 * (rows @ X.T) + (X * X).sum(axis=1)
        if leave_self_out:
            squared[np.arange(len(rows)), start + np.arange(len(rows))] = np.inf  # last, and then cut off
        order = np.argsort(squared, axis=1, kind="stable")[:, :n]  # nearest first
        right = (y[order] == y_val[start : start + BLOCK, None]).astype(np.float64)
        steps = (right[:, :-1] - right[:, 1:]) / K * np.minimum(K, place) / place
        shapley = np.empty_like(right)
        shapley[:, -1] = right[:, -1] / max(n, K)
        shapley[:, :-1] = shapley[:, -1:] + np.cumsum(steps[:, ::-1], axis=1)[:, ::-1]
        np.add.at(values, order, shapley)
    return values / len(X_val)
