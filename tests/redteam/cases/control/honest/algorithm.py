"""Honest: the rows nearest to their class's mean. The test computes the same by hand."""

import numpy as np


def select(task):
    means = np.stack([task.X[task.y == c].mean(0) for c in range(task.n_classes)])
    return np.argsort(((task.X - means[task.y]) ** 2).sum(1), kind="stable")[: task.budget]
