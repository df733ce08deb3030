"""DSIR (Xie et al., NeurIPS 2023) for each sampled domain by itself; the rankings give a document in turn.

Samples of all domains together favour the largest of them; in turn, each gets the same room.
"""

import numpy as np

BUCKETS = 10_000
LEAST = 1e-8  # added to a probability, as in the paper's code


def select(task):
    pool, samples = counted(list(task.texts)), counted(list(task.samples))
    rankings = []
    for target in np.unique(task.sample_target):
        weights = log_weights(pool, samples[task.sample_target == target])
        rankings.append(np.argsort(-(weights + task.rng.gumbel(size=len(weights))), kind="stable"))
    return in_turn(rankings)


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


def in_turn(rankings):
    """One order of all documents: the best one left of each ranking after the other."""
    order = np.stack(rankings, axis=1).ravel()
    _, first = np.unique(order, return_index=True)
    return order[np.sort(first)]
