"""Facility location: the rows that together lie nearest to all rows, class by class.

Maximises sum_i max_{j chosen} s_ij with s = largest distance - distance, by the lazy greedy of Minoux (1978), within a
factor 1 - 1/e of the best; for training sets: Wei, Iyer and Bilmes, Submodularity in data subset selection, ICML 2015.
Without labels the whole pool is one class; memory is 4 bytes for each pair of rows of a class.
"""

import heapq

import numpy as np


def select(task):
    X = task.X.reshape(len(task.X), -1)
    y = np.zeros(len(X), np.int64) if task.y is None else task.y
    rows, shares = spread(y, task.budget, task.rng)
    chosen = [r[lazy_greedy(similarity(X[r]), k)] for r, k in zip(rows, shares, strict=True)]
    turns = np.concatenate([np.arange(len(of_class)) for of_class in chosen])
    return np.concatenate(chosen)[np.argsort(turns, kind="stable")]  # classes in turn: any beginning is balanced too


def similarity(X):
    """s [n, n] float32: the largest distance less the distance."""
    norms = (X * X).sum(axis=1)
    s = norms[:, None] - 2 * (X @ X.T) + norms
    np.sqrt(np.maximum(s, 0, out=s), out=s)
    return s.max() - s


def lazy_greedy(s, k):
    """Indices [k]: each adds the most to sum_i max_{j chosen} s_ij. Old gains are upper bounds, so few are recomputed."""
    covered = np.zeros(len(s), np.float32)
    bounds = [(-gain, j) for j, gain in enumerate(s.sum(axis=0, dtype=np.float64).tolist())]
    heapq.heapify(bounds)
    chosen = []
    while len(chosen) < k:
        _, j = heapq.heappop(bounds)
        gain = float(np.maximum(s[j] - covered, 0).sum(dtype=np.float64))
        if bounds and gain < -bounds[0][0]:
            heapq.heappush(bounds, (-gain, j))
            continue
        chosen.append(j)
        np.maximum(covered, s[j], out=covered)
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
