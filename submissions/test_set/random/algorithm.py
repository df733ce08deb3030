"""Floor: random rows under the label that the public models give them."""

import numpy as np


def create_test_set(task):
    return fill_slots(task.rng.permutation(len(task.X)), task.public_proba.mean(axis=0), task.budget, task.class_floor)


def fill_slots(order, proba, budget, class_floor):
    """Rows and their most probable labels: the floor of each class first, then the others in the order given.

    A class that too few rows have as their most probable one is claimed for the rows that come nearest to it.
    """
    labels, chosen = proba.argmax(axis=1), {}
    for c in range(proba.shape[1]):
        own = [row for row in order if labels[row] == c and row not in chosen]
        rest = [row for row in np.argsort(-proba[:, c], kind="stable") if row not in chosen and labels[row] != c]
        chosen |= dict.fromkeys((own + rest)[:class_floor], c)
    for row in order:
        if len(chosen) == budget:
            break
        chosen.setdefault(row, labels[row])
    return np.array(list(chosen)), np.array(list(chosen.values()))
