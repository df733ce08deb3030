"""k-center greedy: label the row farthest from all labelled ones, again and again.

Sener, Savarese: Active learning for convolutional neural networks: a core-set approach, ICLR 2018.
"""

from __future__ import annotations

import numpy as np


def select(task):
    rows = task.X.reshape(len(task.X), -1).astype(np.float64)
    square = (rows**2).sum(axis=1)

    def distance(centres):
        return np.maximum(square[:, None] + square[centres] - 2 * rows @ rows[centres].T, 0).min(axis=1)

    nearest = distance(task.labelled)
    nearest[task.labelled] = -1  # never a labelled row, even where rows coincide
    chosen = []
    for _ in range(task.batch):
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, distance(chosen[-1:]))
        nearest[chosen] = -1
    return np.array(chosen)
