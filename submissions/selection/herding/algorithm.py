"""Herding: Welling, Herding dynamical weights to learn, ICML 2009; class by class as in iCaRL (Rebuffi et al., 2017).

Greedily keeps the mean of the chosen rows as near as possible to the mean of their class. Classes take turns, so that
the budget is spread evenly. Without labels the whole pool is herded as one class.
"""

import numpy as np


def select(task):
    X = task.X.reshape(len(task.X), -1).astype(np.float64)
    y = np.zeros(len(X), np.int64) if task.y is None else task.y
    rows, shares = spread(y, task.budget, task.rng)
    chosen = [r[herd(X[r], k)] for r, k in zip(rows, shares, strict=True)]
    turns = np.concatenate([np.arange(len(of_class)) for of_class in chosen])
    return np.concatenate(chosen)[np.argsort(turns, kind="stable")]  # classes in turn: any beginning is balanced too


def herd(X, k):
    """Indices [k] of the rows of X [n, d] whose running mean follows the mean of X."""
    mean, chosen, free = X.mean(axis=0), [], np.ones(len(X), bool)
    weight = mean.copy()
    for _ in range(k):
        best = int(np.where(free, X @ weight, -np.inf).argmax())
        chosen.append(best)
        free[best] = False
        weight += mean - X[best]
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
