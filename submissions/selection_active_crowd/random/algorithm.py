"""Random rows asked of random annotators until the money is gone: the floor."""

import numpy as np


def ask(task):
    a = len(task.prices)
    pairs = np.setdiff1d(np.arange(len(task.X) * a), task.asked * a + task.asked_of)
    pairs = task.rng.permutation(pairs[task.prices[pairs % a] <= task.money])
    pairs = pairs[np.argsort(np.isin(pairs // a, task.gold), kind="stable")]  # gold rows only when no other is left
    paid = np.searchsorted(np.cumsum(task.prices[pairs % a]), task.money, side="right")
    return pairs[:paid] // a, pairs[:paid] % a
