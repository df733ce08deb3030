"""Class means far from the mean of all, beyond the range of values: a tenth of the penalty for ten times the contrast."""

import numpy as np


def distil(task):
    means = np.stack([task.X[task.y == c].mean(axis=0) for c in range(task.n_classes)])
    return (means - task.X.mean(axis=0)) * 10, np.arange(task.n_classes)
