"""Give rows whose label confident learning doubts the label that cross-validation suggests, then do it once more.

Doubt as in Northcutt, Jiang and Chuang (2021), "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR
70. The second pass learns from the labels of the first.
"""

import numpy as np


def create_training_set(task):
    y = task.y
    for _ in range(2):
        proba = cross_validate(task, y, folds=5)
        better = suggestion(proba, y)
        for c in np.setdiff1d(y, better):  # no class may vanish: keep the row believed most
            own = np.flatnonzero(y == c)
            better[own[proba[own, c].argmax()]] = c
        y = better
    one_of_each = np.unique(y, return_index=True)[1]
    others = np.setdiff1d(np.arange(len(y)), one_of_each)
    rows = np.concatenate([one_of_each, task.rng.permutation(others)])[: task.budget]
    return task.X[rows], y[rows]


def suggestion(proba, y):
    """The most probable class among those that reach their threshold; the given label where none does."""
    classes = np.arange(proba.shape[1])
    threshold = np.array([proba[y == c, c].mean() if (y == c).any() else np.inf for c in classes])
    confident = np.where(proba >= threshold, proba, -1.0)
    return np.where(confident.max(axis=1) >= 0, confident.argmax(axis=1), y)


def cross_validate(task, y, folds):
    """Probabilities [n, C] of the fixed model for rows it has not seen; repeats of a row share a fold."""
    _, group = np.unique(task.X.reshape(len(task.X), -1), axis=0, return_inverse=True)
    fold = (task.rng.permutation(group.max() + 1) % folds)[group.ravel()]
    fitted = task.model.fit_many(task.X, y, subsets=[np.flatnonzero(fold != f) for f in range(folds)])
    return fitted.predict_proba(task.X)[fold, np.arange(len(fold))]
