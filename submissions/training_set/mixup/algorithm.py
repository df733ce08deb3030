"""Raw rows, then convex combinations of random pairs of them up to the budget.

Zhang, Cisse, Dauphin and Lopez-Paz (2018), "mixup: Beyond Empirical Risk Minimization", ICLR. Labels must be classes
here, so a mixture takes the label of either parent with the probability of its share: the expected loss is the same.
"""

import numpy as np

ALPHA = 0.4


def create_training_set(task):
    n = len(task.y)
    one_of_each = np.unique(task.y, return_index=True)[1]
    others = task.rng.permutation(np.setdiff1d(np.arange(n), one_of_each))
    kept = np.concatenate([one_of_each, others])[: task.budget]
    made = task.budget - len(kept)
    first, second = task.rng.integers(n, size=(2, made))
    share = task.rng.beta(ALPHA, ALPHA, size=made)
    weight = share.reshape(-1, *[1] * (task.X.ndim - 1)).astype(np.float32)
    X = weight * task.X[first] + (1 - weight) * task.X[second]
    y = np.where(task.rng.random(made) < share, task.y[first], task.y[second])
    return np.concatenate([task.X[kept], np.clip(X, task.low, task.high)]), np.concatenate([task.y[kept], y])
