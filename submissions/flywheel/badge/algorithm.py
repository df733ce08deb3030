"""BADGE on a stream: k-means++ seeding on the gradients that the predicted labels would cause in the last layer.

Ash, Zhang, Krishnamurthy, Langford, Agarwal: Deep batch active learning by diverse, uncertain gradient lower bounds,
ICLR 2020. A row's embedding is (p - e_predicted) times its features.
"""

import numpy as np


def choose(task):
    rows = task.X.reshape(len(task.X), -1).astype(np.float64)
    rows = np.column_stack([rows, np.ones(len(rows))])  # the intercept's gradient too
    residual = task.proba.astype(np.float64)
    residual[np.arange(len(rows)), residual.argmax(axis=1)] -= 1
    size = (rows**2).sum(axis=1) * (residual**2).sum(axis=1)  # squared length of every embedding
    chosen, nearest = [int(size.argmax())], np.full(len(rows), np.inf)
    while len(chosen) < task.budget:
        last = chosen[-1]
        inner = (rows @ rows[last]) * (residual @ residual[last])
        nearest = np.minimum(nearest, np.maximum(size + size[last] - 2 * inner, 0))
        nearest[chosen] = 0
        total = nearest.sum()
        free = np.setdiff1d(np.arange(len(rows)), chosen)
        chosen.append(int(task.rng.choice(len(rows), p=nearest / total) if total > 0 else task.rng.choice(free)))
    return np.array(chosen)
