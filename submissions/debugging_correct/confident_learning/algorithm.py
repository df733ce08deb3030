"""Confident learning with relabelling: Northcutt, Jiang and Chuang, Confident learning, JAIR 2021.

A class's threshold is the mean out-of-fold probability of that class among the rows that carry it. A row is counted in
the most probable class of those above their thresholds; where that is not its label, it gets it. The widest margins
between the two come first.
"""

import numpy as np

FOLDS = 5


def correct(task):
    n = len(task.y)
    fold = task.rng.permutation(n) % FOLDS
    fitted = task.model.fit_many(task.X, task.y, subsets=[np.flatnonzero(fold != f) for f in range(FOLDS)])
    proba = fitted.predict_proba(task.X)[fold, np.arange(n)]
    label = suggested(proba, task.y)
    margin = proba[np.arange(n), label] - proba[np.arange(n), task.y]
    rows = np.lexsort((task.rng.permutation(n), -margin, label == task.y))[: task.budget]
    doubted = rows[label[rows] != task.y[rows]]
    rows = doubted if len(doubted) else rows[:1]  # something must be returned
    return rows, label[rows]


def suggested(proba, y):
    """The class of the confident joint that each row is counted in, its own label where in none: [n]."""
    classes = range(proba.shape[1])
    threshold = np.array([proba[y == c, c].mean() if (y == c).any() else np.inf for c in classes])
    confident = np.where(proba >= threshold, proba, -1.0)
    return np.where(confident.max(axis=1) >= 0, confident.argmax(axis=1), y)
