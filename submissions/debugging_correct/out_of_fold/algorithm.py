"""Relabel by cross-validation: a row whose label a model contradicts that has not seen it gets that model's class.

Filtering by cross-validation is Brodley and Friedl, Identifying mislabeled training data, JAIR 1999; here the row stays,
with the predicted label. The widest margins between predicted and given class come first. Clean rows, where there are
any, are trained on in every fold.
"""

import numpy as np

FOLDS = 5


def correct(task):
    proba, n = out_of_fold(task), len(task.y)
    label = proba.argmax(axis=1)
    margin = proba[np.arange(n), label] - proba[np.arange(n), task.y]
    rows = np.lexsort((task.rng.permutation(n), -margin))[: task.budget]
    contradicted = rows[label[rows] != task.y[rows]]
    rows = contradicted if len(contradicted) else rows[:1]  # something must be returned
    return rows, label[rows]


def out_of_fold(task):
    """Probabilities [n, C] of rows that the model has not seen, mean of three ways to fold."""
    n, clean = len(task.y), 0 if task.X_val is None else len(task.X_val)
    X = task.X if not clean else np.concatenate([task.X, task.X_val])
    y = task.y if not clean else np.concatenate([task.y, task.y_val])
    always, total = np.arange(n, n + clean), 0.0
    for _ in range(3):
        fold = task.rng.permutation(n) % FOLDS
        parts = [np.concatenate([np.flatnonzero(fold != f), always]) for f in range(FOLDS)]
        total = total + task.model.fit_many(X, y, subsets=parts).predict_proba(task.X)[fold, np.arange(n)]
    return total / 3
