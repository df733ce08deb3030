"""SimiFeat: Zhu, Dong and Liu, Detecting corrupted labels without training a model to predict, ICML 2022.

The ranking variant: every row's most similar rows (cosine) vote on its label, and the row is as suspicious as its given
label is unlike their votes. Votes are weighted by similarity, which also breaks ties. Where there are clean validation
rows they vote as well.
"""

import numpy as np

NEIGHBOURS = 10
BLOCK = 1000


def rank(task):
    n = len(task.y)
    X, y = task.X.reshape(n, -1), task.y
    if task.X_val is not None:
        X, y = np.concatenate([X, task.X_val.reshape(len(task.X_val), -1)]), np.concatenate([y, task.y_val])
    X = X - X.mean(axis=0)
    X /= np.maximum(np.linalg.norm(X, axis=1, keepdims=True), 1e-12)
    k = min(NEIGHBOURS, len(X) - 1)
    agreement = np.empty(n)
    for start in range(0, n, BLOCK):
        rows = np.arange(start, min(start + BLOCK, n))
        cosine = X[rows] @ X.T
        cosine[np.arange(len(rows)), rows] = -np.inf
        nearest = np.argpartition(-cosine, k - 1, axis=1)[:, :k]
        weight = (1 + np.take_along_axis(cosine, nearest, axis=1)) / 2
        votes = np.zeros((len(rows), task.n_classes))
        np.add.at(votes, (np.arange(len(rows))[:, None], y[nearest]), weight)
        agreement[rows] = votes[np.arange(len(rows)), y[rows]] / np.maximum(np.linalg.norm(votes, axis=1), 1e-12)
    return np.lexsort((task.rng.permutation(n), agreement))
