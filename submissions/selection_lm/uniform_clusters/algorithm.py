"""Clusters in turn: k-means of hashed words, then a random document of each cluster after the other.

What is drawn by domain where domains are known, as in uniform mixtures of The Pile's parts (Gao et al., 2020), for a pool without
such labels.
"""

import numpy as np

CLUSTERS = 64
DIMENSION = 4096


def select(task):
    clusters = clustered(list(task.texts), min(CLUSTERS, len(task.texts)), seed=int(task.rng.integers(2**31)))
    order = task.rng.permutation(len(clusters))
    return order[np.lexsort((clusters[order], turn(clusters[order])))]


def clustered(documents, k, seed):
    """Cluster [n] of each document: spherical k-means of hashed words."""
    from sklearn.cluster import MiniBatchKMeans
    from sklearn.feature_extraction.text import HashingVectorizer

    X = HashingVectorizer(n_features=DIMENSION, alternate_sign=False, token_pattern=r"\w+|[^\w\s]").transform(documents)
    return MiniBatchKMeans(k, n_init=3, random_state=seed).fit_predict(X)


def turn(groups):
    """How many members of its group stand before each entry, [n]."""
    place = np.zeros(len(groups), np.int64)
    for group in np.unique(groups):
        of = groups == group
        place[of] = np.arange(of.sum())
    return place
