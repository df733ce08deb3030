"""Correlation matching: a set is worth what it does to bring the base set's correlations to those of all rows.

After Sun, Feng, Saenko: Return of frustratingly easy domain adaptation, AAAI 2016, whose distance between feature
correlations is used here to value sets. All rows offered together stand for the rows that the model will meet; a set
that closes the whole distance is given all the accuracy that seems to be missing.
"""

from __future__ import annotations

import numpy as np


def value(task):
    target = correlations(np.concatenate([task.X, task.X_sets]))
    before = np.linalg.norm(correlations(task.X) - target)
    closed = np.empty(task.n_sets)
    for j in range(task.n_sets):
        after = correlations(np.concatenate([task.X, task.X_sets[task.set_of == j]]))
        closed[j] = (before - np.linalg.norm(after - target)) / max(before, 1e-12)  # 0 where nothing is to be closed
    missing = 1 - task.model.fit(task.X, task.y).predict_proba(task.X_sets).max(axis=1).mean()
    return np.clip(missing * closed, -1, 1)


def correlations(X):
    """Correlations of the features of X [n, d], 0 where a feature is constant: [d, d]."""
    centred = X.reshape(len(X), -1).astype(np.float64)
    centred = centred - centred.mean(axis=0)
    length = np.sqrt((centred**2).sum(axis=0))
    scaled = centred / np.where(length > 0, length, 1)
    return scaled.T @ scaled
