"""Two for one class and minus one for another: they add up to 1, and would push the model away from a class."""

import numpy as np


def infer(task):
    labels = np.zeros((task.n_items, task.n_classes))
    labels[:, 0], labels[:, 1] = 2, -1
    return labels
