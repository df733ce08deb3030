"""LAVA: Just et al., LAVA: data valuation without pre-specified learning algorithms, ICLR 2023.

Training and validation rows are two clouds; moving one onto the other costs the distance between features plus the
distance between the two classes (that of their clouds of rows). A row's value is how much more mass at the row would
lower the optimal-transport distance: less its dual potential, relative to the mean of the others (calibrated gradient).
No model is trained. Here all transport is entropic (Sinkhorn).
"""

import numpy as np

BLUR = 0.05  # entropy, as a share of the mean cost
STEPS = 200


def value(task):
    X, X_val = (a.reshape(len(a), -1).astype(np.float64) for a in (task.X, task.X_val))
    cost = distances(X, X_val)
    between = np.zeros((task.n_classes, task.n_classes))
    for a in np.unique(task.y):
        for b in np.unique(task.y_val):
            block = cost[np.ix_(task.y == a, task.y_val == b)]
            between[a, b] = transport(block)[1]
    potential = transport(cost + between[np.ix_(task.y, task.y_val)])[0]
    n = len(potential)
    return -(potential - (potential.sum() - potential) / max(n - 1, 1))


def distances(a, b):
    squared = (a * a).sum(axis=1)[:, None] - 2 * a @ b.T + (b * b).sum(axis=1)
    return np.sqrt(np.maximum(squared, 0))


def transport(cost):
    """Sinkhorn in the log domain with uniform masses: dual potential of the rows [n] and the transport cost."""
    blur = BLUR * max(cost.mean(), 1e-12)
    n, m = cost.shape
    f, g = np.zeros(n), np.zeros(m)
    for _ in range(STEPS):
        f = -blur * log_mean_exp((g - cost) / blur, axis=1)
        g = -blur * log_mean_exp((f[:, None] - cost) / blur, axis=0)
    plan = np.exp((f[:, None] + g - cost) / blur) / (n * m)
    return f, float((plan * cost).sum())


def log_mean_exp(z, axis):
    top = z.max(axis=axis, keepdims=True)
    return np.log(np.exp(z - top).mean(axis=axis)) + top.squeeze(axis)
