"""Reads the texts: those with the most different words, in turns of the classes, no text twice before all are taken.

A plain heuristic to beat: who pays for a sentence's label gets more words with a long one.
"""

import numpy as np


def select(task):
    words = [frozenset(text.casefold().split()) for text in task.texts]
    seen, repeated = set(), np.zeros(len(words), bool)
    for row, text in enumerate(" ".join(text.casefold().split()) for text in task.texts):
        repeated[row] = text in seen
        seen.add(text)
    y = np.zeros(len(words), np.int64) if task.y is None else task.y
    best_first = np.lexsort((task.rng.permutation(len(words)), [-len(found) for found in words], repeated))
    turn = np.empty(len(words), np.int64)  # of each row within its class
    for c in np.unique(y):
        mine = best_first[y[best_first] == c]
        turn[mine] = np.arange(len(mine))
    return best_first[np.argsort(turn[best_first], kind="stable")][: task.budget]
