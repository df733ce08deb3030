"""Leave out rows whose label confident learning doubts.

Northcutt, Jiang and Chuang (2021), "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 70: a row is
doubted if a class other than its own reaches that class's mean self-confidence in 5-fold cross-validation.
"""

import numpy as np


def create_training_set(task):
    proba = cross_validate(task, folds=5)
    doubted = suggestion(proba, task.y) != task.y
    for c in np.unique(task.y):  # of a class that is doubted as a whole, keep the row believed most
        own = np.flatnonzero(task.y == c)
        doubted[own[proba[own, c].argmax()]] = False
    rows = task.rng.permutation(np.flatnonzero(~doubted))
    one_of_each = rows[np.unique(task.y[rows], return_index=True)[1]]
    rows = np.concatenate([one_of_each, np.setdiff1d(rows, one_of_each)])[: task.budget]
    return task.X[rows], task.y[rows]


def suggestion(proba, y):
    """The most probable class among those that reach their threshold; the given label where none does."""
    classes = np.arange(proba.shape[1])
    threshold = np.array([proba[y == c, c].mean() if (y == c).any() else np.inf for c in classes])
    confident = np.where(proba >= threshold, proba, -1.0)
    return np.where(confident.max(axis=1) >= 0, confident.argmax(axis=1), y)


def cross_validate(task, folds):
    """Probabilities [n, C] of the fixed model for rows it has not seen; repeats of a row share a fold."""
    _, group = np.unique(task.X.reshape(len(task.X), -1), axis=0, return_inverse=True)
    fold = (task.rng.permutation(group.max() + 1) % folds)[group.ravel()]
    fitted = task.model.fit_many(task.X, task.y, subsets=[np.flatnonzero(fold != f) for f in range(folds)])
    return fitted.predict_proba(task.X)[fold, np.arange(len(fold))]
