"""After JTT: Liu et al., Just train twice: improving group robustness without training group information, ICML 2021.

There the rows that a first model gets wrong, most of them of groups it serves badly, count several times in a second
training. Here they have the better chance of being chosen: of each class in turn, rows in a random order in which a row that the fixed
model, fitted on as many random rows as the budget allows, gets wrong comes first ``TIMES`` as often as another.
"""

import numpy as np

TIMES = 10


def select(task):
    first = task.rng.permutation(len(task.y))[: task.budget]
    wrong = task.model.fit(task.X[first], task.y[first]).predict(task.X) != task.y
    order = np.argsort(task.rng.exponential(size=len(wrong)) / np.where(wrong, TIMES, 1), kind="stable")
    turn = np.empty(len(order), np.int64)
    for c in range(task.n_classes):
        mine = np.flatnonzero(task.y[order] == c)
        turn[mine] = np.arange(len(mine))
    return order[np.argsort(turn, kind="stable")][: task.budget]
