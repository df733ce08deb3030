"""The row nearest each k-means centre, class by class: as many centres as the class has rows to give.

k-means++ starts (Arthur and Vassilvitskii, 2007) and Lloyd's iterations. Without labels the whole pool is clustered.
"""

import numpy as np

ITERATIONS = 25


def select(task):
    X = task.X.reshape(len(task.X), -1).astype(np.float32)
    y = np.zeros(len(X), np.int64) if task.y is None else task.y
    rows, shares = spread(y, task.budget, task.rng)
    return np.concatenate([r[medoids(X[r], k, task.rng)] for r, k in zip(rows, shares, strict=True)])


def medoids(X, k, rng):
    """Indices [k] of distinct rows of X [n, d], one near each of k centres."""
    if k == 0 or k == len(X):
        return np.arange(k)
    centres = X[plus_plus(X, k, rng)]
    for _ in range(ITERATIONS):
        nearest = distances(X, centres).argmin(axis=1)
        member = np.zeros((k, len(X)), np.float32)
        member[nearest, np.arange(len(X))] = 1
        counts = member.sum(axis=1, keepdims=True)
        centres = np.where(counts > 0, member @ X / np.maximum(counts, 1), centres)
    far = distances(X, centres)
    chosen = []
    for c in range(k):
        best = int(far[:, c].argmin())
        chosen.append(best)
        far[best] = np.inf
    return np.array(chosen, np.int64)


def plus_plus(X, k, rng):
    """k starting rows, each drawn in proportion to the squared distance from those before it."""
    chosen = [int(rng.integers(len(X)))]
    nearest = distances(X, X[chosen])[:, 0]
    while len(chosen) < k:
        total = nearest.sum()
        probability = nearest / total if total > 0 else None  # only duplicates left
        chosen.append(int(rng.choice(len(X), p=probability)))
        nearest = np.minimum(nearest, distances(X, X[chosen[-1:]])[:, 0])
    return chosen


def distances(A, B):
    """Squared Euclidean distances, float64 [len(A), len(B)]."""
    squared = (A * A).sum(axis=1)[:, None] - 2.0 * (A @ B.T) + (B * B).sum(axis=1)
    return np.maximum(squared.astype(np.float64), 0)


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
