"""What is least like anything labelled comes first: k-center greedy over the stream.

Sener and Savarese, Active learning for convolutional neural networks: a core-set approach, ICLR 2018. In a stream that
drifts, the farthest rows are those of the new kind.
"""

import numpy as np


def choose(task):
    rows = task.X.reshape(len(task.X), -1).astype(np.float64)
    known = task.X_labelled.reshape(len(task.X_labelled), -1).astype(np.float64)
    nearest = distance(rows, known).min(axis=1)
    chosen = []
    for _ in range(task.budget):
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, distance(rows, rows[chosen[-1:]])[:, 0])
        nearest[chosen] = -1
    return np.array(chosen)


def distance(a, b):
    """Squared Euclidean distances of a [n, d] and b [m, d]: [n, m]."""
    return np.maximum((a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T, 0)
