"""k-center greedy: Sener and Savarese, Active learning for CNNs: a core-set approach, ICLR 2018.

Each next row is the one farthest from all rows chosen so far (Gonzalez, 1985: within a factor 2 of the best cover).
Distances are Euclidean between the features as given; labels are not used.
"""

import numpy as np


def select(task):
    X = task.X.reshape(len(task.X), -1)
    norms = np.einsum("ij,ij->i", X, X)
    chosen = [int(task.rng.integers(len(X)))]
    nearest = np.full(len(X), np.inf, np.float32)  # squared distance to the nearest chosen row
    while True:
        last = chosen[-1]
        np.minimum(nearest, norms - 2 * (X @ X[last]) + norms[last], out=nearest)
        nearest[last] = -np.inf
        if len(chosen) == task.budget:
            return np.array(chosen)
        chosen.append(int(nearest.argmax()))
