"""Random rows, as many of each class as possible: the floor."""

import numpy as np


def distil(task):
    order = task.rng.permutation(len(task.y))
    turn = np.empty(len(order), np.int64)
    for c in range(task.n_classes):
        mine = np.flatnonzero(task.y[order] == c)
        turn[mine] = np.arange(len(mine))
    rows = order[np.argsort(turn, kind="stable")][: task.budget]
    return task.X[rows], task.y[rows]
