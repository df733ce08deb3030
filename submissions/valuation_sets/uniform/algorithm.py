"""The same gain for every set: what the base set's own learning curve promises for a set of average size.

Frey, Fisher: Modeling decision tree performance with the power law, AISTATS 1999, on reading accuracy off a learning
curve; here a straight line in the logarithm of the number of rows.
"""

from __future__ import annotations

import numpy as np


def value(task):
    _, slope = learning_curve(task)
    mean_size = len(task.X_sets) / task.n_sets
    return np.full(task.n_sets, np.clip(slope * np.log1p(mean_size / len(task.X)), -1, 1))


def learning_curve(task, repeats=20):
    """Accuracy on held-out base rows, read as a + b log(rows trained on): returns a, b by least squares."""
    n = len(task.X)
    orders = [task.rng.permutation(n) for _ in range(repeats)]
    sizes = [max(1, n * quarters // 4) for quarters in (1, 2, 3)]
    subsets = [order[:size] for order in orders for size in sizes]
    predicted = task.model.fit_many(task.X, task.y, subsets=subsets).predict(task.X)
    held_out = np.stack(
        [order[min(sizes[-1], n - 1) :] for order in orders for _ in sizes]
    )  # one test set for all sizes
    right = np.take_along_axis(predicted, held_out, axis=1) == task.y[held_out]
    rows, accuracy = np.log([len(s) for s in subsets]), right.mean(axis=1)
    centred = rows - rows.mean()
    b = centred @ accuracy / max(centred @ centred, 1e-12)  # 0 where there are too few rows for several sizes
    return accuracy.mean() - b * rows.mean(), b
