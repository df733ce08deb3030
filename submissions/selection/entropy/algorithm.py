"""Entropy: the rows on whose class the fixed model, fitted on the whole pool, is least decided.

Uncertainty sampling (Lewis and Gale, 1994) by entropy, as DeepCore (Guo et al., 2022) uses it for coresets. The highest
entropies of each class are taken, classes in turn.
"""

import numpy as np


def select(task):
    p = np.maximum(task.model.fit(task.X, task.y).predict_proba(task.X).astype(np.float64), 1e-12)
    return highest_in_turn(-(p * np.log(p)).sum(axis=1), task)


def highest_in_turn(score, task):
    """The budget's worth of rows: the highest score of every class, then the second highest, ...; ties by chance."""
    order = np.lexsort((task.rng.permutation(len(score)), -score))
    turn = np.empty(len(order), np.int64)
    for c in range(task.n_classes):
        mine = np.flatnonzero(task.y[order] == c)
        turn[mine] = np.arange(len(mine))
    return order[np.argsort(turn, kind="stable")][: task.budget]
