"""The mean of each class; where the budget allows more rows than classes, the means again, in turn.

A row handed in twice counts twice: ten times the rows is a tenth of the penalty, no more than that.
"""

import numpy as np


def distil(task):
    classes = np.unique(task.y)
    means = np.stack([task.X[task.y == c].mean(axis=0, dtype=np.float64) for c in classes])
    turn = np.arange(task.budget) % len(classes)
    return np.clip(means[turn], task.low, task.high).astype(np.float32), classes[turn]
