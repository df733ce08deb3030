"""Half of what looks like the samples, half of everything: a guard against targets of which there are no samples.

A document of the order of quality_classifier (Brown et al., 2020) and one of that of uniform_clusters, in turn.
"""

import numpy as np

CLUSTERS = 64
DIMENSION = 4096
WORDS = 2**16


def select(task):
    return in_turn([wanted(task), of_all_kinds(task)])


def in_turn(rankings):
    """One order of all documents: the best one left of each ranking after the other."""
    order = np.stack(rankings, axis=1).ravel()
    _, first = np.unique(order, return_index=True)
    return order[np.sort(first)]


def wanted(task):
    """Documents that look most like a sample first."""
    from sklearn.linear_model import LogisticRegression

    pool, samples = hashed(list(task.texts)), hashed(list(task.samples))
    X, y = stacked(pool, samples), np.repeat([0, 1], [pool.shape[0], samples.shape[0]])
    model = LogisticRegression(C=10.0, class_weight="balanced", max_iter=1000, tol=1e-6).fit(X, y)
    return np.argsort(-model.decision_function(pool), kind="stable")


def hashed(documents):
    """Words of documents, sparse [n, WORDS], of unit length."""
    from sklearn.feature_extraction.text import HashingVectorizer

    return HashingVectorizer(n_features=WORDS, alternate_sign=False, token_pattern=r"\w+|[^\w\s]").transform(documents)


def stacked(*parts):
    """Sparse matrices one below the other."""
    from scipy.sparse import vstack

    return vstack(parts).tocsr()


def of_all_kinds(task):
    """A document of each cluster in turn."""
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
