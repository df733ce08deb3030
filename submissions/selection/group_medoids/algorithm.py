"""The row nearest each k-means centre, class by class of each group: as many centres as the cell has rows to give.

k-means++ starts (Arthur and Vassilvitskii, 2007) and Lloyd's iterations, as in kmeans_medoids; the budget is spread evenly
over the cells, and what a small one cannot use goes to the others. Cells take turns in the list, so that its first rows are balanced.
"""

import numpy as np
from sklearn.cluster import KMeans


def select(task):
    X, cell = task.X.reshape(len(task.X), -1), task.group * task.n_classes + task.y
    rows = [np.flatnonzero(cell == c) for c in np.unique(cell)]
    shares = spread(np.array([len(r) for r in rows]), task.budget, task.rng)
    chosen = [r[medoids(X[r], k, task.rng)] for r, k in zip(rows, shares, strict=True)]
    turn = np.concatenate([task.rng.permutation(len(c)) for c in chosen])
    return np.concatenate(chosen)[np.argsort(turn, kind="stable")]


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


def spread(sizes, budget, rng):
    """How many rows of each cell: equal shares, what a small one cannot use goes to the others."""
    shares = np.zeros(len(sizes), np.int64)
    for _ in range(min(budget, sizes.sum())):
        open_cells = np.flatnonzero(shares < sizes)
        least = open_cells[shares[open_cells] == shares[open_cells].min()]
        shares[rng.choice(least)] += 1
    return shares
