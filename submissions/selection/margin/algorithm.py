"""Margin: the rows on which the fixed model, fitted on the whole pool, hesitates most between two classes.

Scheffer et al., Active hidden Markov models for information extraction, IDA 2001; used as in DeepCore (Guo et al.,
2022) to choose a coreset. The smallest margins of each class are taken, classes in turn.
"""

import numpy as np


def select(task):
    top = np.sort(task.model.fit(task.X, task.y).predict_proba(task.X), axis=1)
    margin = top[:, -1] - top[:, -2]
    order = np.lexsort((task.rng.permutation(len(margin)), margin))  # ties by chance
    turn = np.empty(len(order), np.int64)
    for c in range(task.n_classes):
        mine = np.flatnonzero(task.y[order] == c)
        turn[mine] = np.arange(len(mine))
    return order[np.argsort(turn, kind="stable")][: task.budget]
