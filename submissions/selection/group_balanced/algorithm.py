"""Random rows, as many of each group as possible, whatever their class.

Rows are shuffled and numbered within their group; the budget takes all first rows, then all second rows, and so on.
"""

import numpy as np


def select(task):
    order = task.rng.permutation(len(task.group))
    turn = np.empty(len(order), np.int64)
    for g in np.unique(task.group):
        mine = np.flatnonzero(task.group[order] == g)
        turn[mine] = np.arange(len(mine))
    return order[np.argsort(turn, kind="stable")][: task.budget]
