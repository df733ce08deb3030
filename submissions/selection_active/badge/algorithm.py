"""BADGE: k-means++ seeding on the gradients that the predicted labels would cause in the last layer.

Ash, Zhang, Krishnamurthy, Langford, Agarwal: Deep batch active learning by diverse, uncertain gradient lower bounds,
ICLR 2020. A row's embedding is (p - e_predicted) times its features; being an outer product, its distances need
neither the product itself nor its memory.
"""

from __future__ import annotations

import numpy as np


def select(task):
    model = task.model.fit(task.X[task.labelled], task.y_labelled)
    unlabelled = np.setdiff1d(np.arange(len(task.X)), task.labelled)
    rows = task.X[unlabelled].reshape(len(unlabelled), -1).astype(np.float64)
    rows = np.column_stack([rows, np.ones(len(rows))])  # the intercept's gradient too
    residual = model.predict_proba(task.X[unlabelled]).astype(np.float64)
    residual[np.arange(len(rows)), residual.argmax(axis=1)] -= 1
    size = (rows**2).sum(axis=1) * (residual**2).sum(axis=1)  # squared length of every embedding
    chosen = [int(size.argmax())]
    nearest = np.full(len(rows), np.inf)
    while len(chosen) < task.batch:
        last = chosen[-1]
        inner = (rows @ rows[last]) * (residual @ residual[last])
        nearest = np.minimum(nearest, np.maximum(size + size[last] - 2 * inner, 0))
        nearest[chosen] = 0
        total = nearest.sum()
        if total > 0:
            chosen.append(int(task.rng.choice(len(rows), p=nearest / total)))
        else:  # every row left lies on a chosen one
            chosen.append(int(task.rng.choice(np.setdiff1d(np.arange(len(rows)), chosen))))
    return unlabelled[chosen]
