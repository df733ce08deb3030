"""Reads the texts: the one nearest each k-means centre of their latent semantic vectors, class by class.

Words weighted by tf-idf (Sparck Jones, 1972), their first 100 singular directions (Deerwester et al., 1990), unit length.
Of the same text several times, one is chosen before any other is chosen twice. Without labels the whole pool is clustered.
"""

import numpy as np
from sklearn.cluster import KMeans
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

DIRECTIONS = 100


def select(task):
    vectors = semantic(list(task.texts), int(task.rng.integers(2**31)))
    y = np.zeros(len(vectors), np.int64) if task.y is None else task.y
    rows, shares = spread(y, task.budget, task.rng)
    texts = np.array([" ".join(text.casefold().split()) for text in task.texts])
    chosen = [r[medoids(vectors[r], texts[r], k, task.rng)] for r, k in zip(rows, shares, strict=True)]
    turns = np.concatenate([np.arange(len(of_class)) for of_class in chosen])
    return np.concatenate(chosen)[np.argsort(turns, kind="stable")]  # classes in turn: any beginning is balanced too


def semantic(texts, state):
    """Latent semantic vectors [n, at most DIRECTIONS] of unit length, zeros where there is no known word."""
    if not any(text.split() for text in texts):
        return np.zeros((len(texts), 1))
    words = TfidfVectorizer(sublinear_tf=True, token_pattern=r"\S+").fit_transform(texts)
    k = min(DIRECTIONS, words.shape[1] - 1, words.shape[0] - 1)
    if k < 1:
        return words.toarray()
    return normalize(TruncatedSVD(k, random_state=state).fit_transform(words))


def medoids(V, texts, k, rng):
    """Indices [k] of distinct rows of V [n, d], one near each of k centres; texts that were not chosen yet go first."""
    first = np.sort(np.unique(texts, return_index=True)[1])
    again = np.setdiff1d(np.arange(len(V)), first)
    if k >= len(first):
        return np.concatenate([first, again[: k - len(first)]])
    if k == 0:
        return first[:0]
    far = KMeans(k, n_init=1, random_state=int(rng.integers(2**31))).fit_transform(V[first])
    chosen = []
    for c in range(k):
        best = int(far[:, c].argmin())
        chosen.append(best)
        far[best] = np.inf
    return first[np.array(chosen, np.int64)]


def spread(y, budget, rng):
    """Rows of each class and how many to take: equal shares, what a small class cannot use goes to the others."""
    rows = [np.flatnonzero(y == c) for c in np.unique(y)]
    shares = np.zeros(len(rows), np.int64)
    sizes = np.array([len(r) for r in rows])
    for _ in range(min(budget, len(y))):
        open_classes = np.flatnonzero(shares < sizes)
        least = open_classes[shares[open_classes] == shares[open_classes].min()]
        shares[rng.choice(least)] += 1
    return rows, shares
