"""Moore and Lewis, Intelligent selection of language model training data, ACL 2010.

The fixed model is trained on the samples, and on as many bytes of the pool. Documents that cost the first less than the second,
a byte, come first. Two such parts of the pool are drawn, so that no document is judged by a model that has learned it.
"""

import numpy as np


def select(task):
    size = np.diff(task.texts.offsets)
    inside = task.model.fit(task.samples).bits(task.texts)
    outside = of_the_pool(task.model, task.texts, len(task.samples.data), task.rng)
    return np.argsort((inside - outside) / np.maximum(size, 1), kind="stable")


def of_the_pool(model, texts, budget, rng):
    """Bits [n] that each document costs a model of other documents, ``budget`` bytes of them or half the pool."""
    order = rng.permutation(len(texts))
    halves = [half[: fits(half, texts, budget)] for half in np.array_split(order, 2)]
    bits = model.fit_many(texts, subsets=halves).bits(texts)
    judge = np.zeros(len(texts), np.int64)
    judge[halves[0]] = 1
    return bits[judge, np.arange(len(texts))]


def fits(rows, texts, budget):
    """How many of the rows make up the budget, one at least."""
    return max(1, np.searchsorted(np.cumsum(np.diff(texts.offsets)[rows]), budget))
