"""The row nearest each k-means centre, class by class: as many centres as the class has rows to give.

k-means++ starts (Arthur and Vassilvitskii, 2007) and Lloyd's iterations. Without labels the whole pool is clustered.
"""

import numpy as np
from sklearn.cluster import KMeans


def select(task):
    X = task.X.reshape(len(task.X), -1).astype(np.float32)
    y = np.zeros(len(X), np.int64) if task.y is None else task.y
    rows, shares = spread(y, task.budget, task.rng)
    chosen = [r[medoids(X[r], k, task.rng)] for r, k in zip(rows, shares, strict=True)]
    turns = np.concatenate([np.arange(len(of_class)) for of_class in chosen])
    return np.concatenate(chosen)[np.argsort(turns, kind="stable")]  # classes in turn: any beginning is balanced too


def medoids(X, k, rng):
    """Indices [k] of distinct rows of X [n, d], one near each of k centres."""
    if k == 0 or k == len(X):
        return np.arange(k)
    far = KMeans(k, n_init=1, random_state=int(rng.integers(2**31))).fit_transform(X)
    chosen = []
    for c in range(k):
        best = int(far[:, c].argmin())
        chosen.append(best)
        far[best] = np.inf
    return np.array(chosen, np.int64)


def spread(y, budget, rng):
    """Rows of each class and how many to take: equal shares, what a small class cannot use goes to the others."""
    rows = [np.flatnonzero(y == c) for c in np.unique(y)]
    shares = np.zeros(len(rows), np.int64)
    sizes = np.array([len(r) for r in rows])
    for _ in range(min(budget, len(y))):
        open_classes = np.flatnonzero(shares < sizes)
        least = open_classes[shares[open_classes] == shares[open_classes].min()]
        shares[rng.choice(least)] += 1
    return rows, shares
