"""DSIR: Xie et al., Data selection for language models via importance resampling, NeurIPS 2023.

Words and pairs of words are hashed into 10,000 buckets; a document weighs what the samples' distribution over buckets gives
its grams, over what the pool's gives them. The order is a draw without replacement by these weights (Gumbel top-k).
"""

import numpy as np

BUCKETS = 10_000
LEAST = 1e-8  # added to a probability, as in the paper's code


def select(task):
    pool = counted(list(task.texts))
    weights = log_weights(pool, counted(list(task.samples)))
    return np.argsort(-(weights + task.rng.gumbel(size=len(weights))), kind="stable")


def counted(documents):
    """How often each bucket is hit, sparse [n, BUCKETS]."""
    from sklearn.feature_extraction.text import HashingVectorizer

    hashing = {"n_features": BUCKETS, "alternate_sign": False, "norm": None, "ngram_range": (1, 2)}
    return HashingVectorizer(token_pattern=r"\w+|[^\w\s]", **hashing).transform(documents)


def log_weights(pool, samples):
    """Log of each pool document's importance weight, [n]."""
    target, source = (np.asarray(counts.sum(axis=0)).ravel() for counts in (samples, pool))
    ratio = np.log(target / max(target.sum(), 1) + LEAST) - np.log(source / max(source.sum(), 1) + LEAST)
    return pool @ ratio
