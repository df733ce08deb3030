"""What the fixed model, trained on a part of the pool, pays least for a byte of: text like most of the pool, and repetitive text.

Filters by perplexity are those of CCNet (Wenzek et al., LREC 2020), whose model is of clean text; Marion et al., When less is more
(2023), found the lowest perplexities to be the worst choice.
"""

import numpy as np


def select(task):
    size = np.maximum(np.diff(task.texts.offsets), 1)
    halves = np.array_split(task.rng.permutation(len(size)), 2) if len(size) > 1 else [np.arange(1)]
    cost = task.model.fit_many(task.texts, subsets=halves).bits(task.texts) / size
    own = np.zeros(len(size), np.int64)  # each document is judged by the half that it is not in
    own[halves[0]] = len(halves) - 1
    return np.argsort(cost[own, np.arange(len(size))], kind="stable")
