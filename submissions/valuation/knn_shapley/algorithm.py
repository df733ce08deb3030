"""KNN-Shapley: the exact Shapley value of every row for a k-nearest-neighbour classifier.

Jia et al., Efficient task-specific data valuation for nearest neighbor algorithms, VLDB 2019, theorem 1. The utility of
a coalition is the share of the k nearest rows that carry the validation row's label; absent neighbours count as wrong.
"""

import numpy as np

K = 5
BLOCK = 500  # validation rows at a time


def value(task, k=K):
    X, X_val = (a.reshape(len(a), -1).astype(np.float64) for a in (task.X, task.X_val))
    n = len(X)
    values = np.zeros(n)
    place = np.arange(1, n)
    for start in range(0, len(X_val), BLOCK):
        rows = X_val[start : start + BLOCK]
        squared = (X * X).sum(axis=1) - 2 * rows @ X.T  # less the validation row's own norm, the same for all
        order = np.argsort(squared, axis=1, kind="stable")  # nearest first
        right = (task.y[order] == task.y_val[start : start + BLOCK, None]).astype(np.float64)
        shapley = np.empty_like(right)
        shapley[:, -1] = right[:, -1] / max(n, k)
        steps = (right[:, :-1] - right[:, 1:]) / k * np.minimum(k, place) / place
        shapley[:, :-1] = shapley[:, -1:] + np.cumsum(steps[:, ::-1], axis=1)[:, ::-1]  # farthest to nearest
        np.add.at(values, order, shapley)
    return values / len(X_val)
