"""Every mean under each label in proportion to how it looks: soft labels by way of repetition, which the budget counts."""

import numpy as np


def distil(task):
    means = np.stack([task.X[task.y == c].mean(axis=0) for c in range(task.n_classes)])
    return np.repeat(means, task.n_classes, axis=0), np.tile(np.arange(task.n_classes), task.n_classes)
