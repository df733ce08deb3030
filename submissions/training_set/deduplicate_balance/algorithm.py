"""Merge repeated rows under the majority of their labels, then repeat rows of scarce classes until all are equal.

Random oversampling as in Japkowicz and Stephen (2002), "The class imbalance problem: a systematic study".
"""

import numpy as np


def create_training_set(task):
    X, y = deduplicate(task)
    classes, counts = np.unique(y, return_counts=True)
    per_class = min(counts.max(), task.budget // len(classes))
    rows = []
    for c in classes:
        own = task.rng.permutation(np.flatnonzero(y == c))
        rows.append(np.resize(own, per_class))  # cuts, or goes round as often as needed
    rows = np.concatenate(rows)
    return X[rows], y[rows]


def deduplicate(task):
    """Distinct rows, each with the commonest of its labels; ties are broken by chance, no class is lost."""
    flat = task.X.reshape(len(task.X), -1)
    _, first, group = np.unique(flat, axis=0, return_index=True, return_inverse=True)
    votes = np.zeros((len(first), task.n_classes))
    np.add.at(votes, (group.ravel(), task.y), 1.0)
    y = (votes + 0.5 * task.rng.random(votes.shape) * (votes > 0)).argmax(axis=1)
    for c in np.setdiff1d(task.y, y):
        y[group.ravel()[np.flatnonzero(task.y == c)[0]]] = c
    return task.X[first], y
