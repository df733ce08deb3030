"""Confusion cells: the (true class, predicted class) pairs that hold the most validation errors, a slice each.

The simplest way to name a failure, and Domino's starting point (Eyuboglu et al., ICLR 2022). A test row's true class is
not known: a row predicted as b belongs to cell (a, b) the more, the closer a came to winning.
"""

import numpy as np


def find_slices(task):
    classes = task.n_classes
    predicted = task.proba_val.argmax(axis=1)
    errors = np.bincount(task.y_val * classes + predicted, minlength=classes**2).reshape(classes, classes)
    np.fill_diagonal(errors, 0)
    a, b = np.unravel_index(np.argsort(-errors, axis=None, kind="stable")[: task.max_slices], errors.shape)
    runner_up, winner = task.proba_test[:, a], task.proba_test[:, b]
    return np.where(task.proba_test.argmax(axis=1)[:, None] == b, runner_up / np.maximum(winner, 1e-12), 0.0)
