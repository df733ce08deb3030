"""TypiClust on a stream: Hacohen, Dekel and Weinshall, Active learning on a budget, ICML 2022.

Labelled rows and this period's are clustered together; the largest clusters with the fewest labels each give their most
typical new row, the one nearest to its neighbours within the cluster.
"""

import numpy as np

NEIGHBOURS = 20
CLUSTERS = 100  # at most


def choose(task):
    from sklearn.cluster import KMeans

    known, n = len(task.X_labelled), len(task.X)
    X = np.concatenate([task.X_labelled, task.X]).reshape(known + n, -1).astype(np.float64)
    k = min(known // 4 + task.budget, CLUSTERS, len(np.unique(X, axis=0)))
    cluster = KMeans(k, n_init=1, random_state=int(task.rng.integers(2**31))).fit_predict(X)
    labels = np.bincount(cluster[:known], minlength=k)
    free, chosen = np.ones(n, bool), []
    for _ in range(task.budget):
        size = np.bincount(cluster[known:][free], minlength=k)
        best = np.lexsort((-size, labels, size == 0))[0]  # fewest labels, then most rows; it has a new row
        members = np.flatnonzero(free & (cluster[known:] == best))
        row = members[typicality(X[known + members]).argmax()]
        chosen.append(row)
        free[row] = False
        labels[best] += 1
    return np.array(chosen)


def typicality(X):
    """Inverse mean distance to the nearest other rows of X [n, d]: [n]."""
    norms = (X * X).sum(axis=1)
    distance = np.sqrt(np.maximum(norms[:, None] + norms - 2 * X @ X.T, 0))
    nearest = np.sort(distance, axis=1)[:, 1 : NEIGHBOURS + 1]  # the first is the row itself
    return 1 / np.maximum(nearest.sum(axis=1) / max(nearest.shape[1], 1), 1e-12)
