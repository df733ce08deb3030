"""k-means on the errors: clusters of the misclassified validation rows, the largest first.

The common first step of error analysis; see the clustering baselines in d'Eon et al., The Spotlight, FAccT 2022. A test
row belongs to a cluster as a Gaussian of the cluster's own spread has it. Scores are scaled so that those of the
validation rows nearest to a centre average their error rate: a cluster of errors amid many right rows is no slice.
"""

import numpy as np
from sklearn.cluster import KMeans

NEAR = 25


def find_slices(task):
    X, X_test = (a.reshape(len(a), -1).astype(np.float64) for a in (task.X_val, task.X_test))
    wrong = task.proba_val.argmax(axis=1) != task.y_val
    errors = X[wrong]
    if not len(errors):
        return np.zeros((len(X_test), 1))
    k = min(task.max_slices, len(errors))
    centres = KMeans(k, n_init=1, random_state=int(task.rng.integers(2**31))).fit(errors).cluster_centers_
    spread = squared_distances(errors, centres).min(axis=1).mean() + 1e-12
    away = squared_distances(X, centres)
    near = np.argsort(away, axis=0, kind="stable")[:NEAR]
    closeness = np.exp(-np.take_along_axis(away, near, axis=0) / (2 * spread)).mean(axis=0)
    scale = wrong[near].mean(axis=0) / np.maximum(closeness, 1e-12)
    return np.exp(-squared_distances(X_test, centres) / (2 * spread)) * scale


def squared_distances(a, b):
    return np.maximum((a * a).sum(axis=1)[:, None] - 2 * a @ b.T + (b * b).sum(axis=1), 0)
