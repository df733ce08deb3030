"""Beta-Shapley: Kwon and Zou, Beta Shapley: a unified and noise-reduced data valuation framework, AISTATS 2022.

The mean marginal accuracy of a row, where coalitions of s other rows have the weight of a beta-binomial distribution:
Beta(1, 1) is the Shapley value, Beta(16, 1) looks at small coalitions, in which one row still matters. Those beyond
``reach`` rows hold 1 % of the weight and are left out, so a random order of all rows is cut into pieces of that length,
each a beginning of its own: one order gives every row one marginal contribution.
"""

from math import lgamma

import numpy as np

ORDERS = 45  # each costs a fit per row
ALPHA, BETA = 16, 1
LEFT_OUT = 0.01


def value(task, orders=ORDERS, alpha=ALPHA, beta=BETA, left_out=LEFT_OUT):
    n = len(task.y)
    weight = size_weights(n, alpha, beta)
    reach = min(n, int(np.searchsorted(np.cumsum(weight), 1 - left_out)) + 1)
    position = np.arange(n)
    first = position // reach * reach  # where the piece of each position begins
    total, mass = np.zeros(n), np.zeros(n)
    for _ in range(orders):
        order = task.rng.permutation(n)
        coalitions = np.zeros((n, n), np.float32)
        coalitions[:, order] = (position >= first[:, None]) & (position <= position[:, None])
        utility = accuracy(task, coalitions)
        before = np.where(position == first, 1 / task.n_classes, np.roll(utility, 1))  # nothing known: chance
        total[order] += weight[position - first] * (utility - before)
        mass[order] += weight[position - first]
    return total / np.maximum(mass, 1e-300)


def size_weights(n, alpha, beta):
    """Weight of a coalition of s = 0..n-1 other rows: beta-binomial, C(n-1, s) B(s + beta, n-1-s + alpha) / B."""

    def log_beta(a, b):
        return lgamma(a) + lgamma(b) - lgamma(a + b)

    log = [-log_beta(s + 1, n - s) - np.log(n) + log_beta(s + beta, n - 1 - s + alpha) for s in range(n)]
    weight = np.exp(np.array(log) - log_beta(beta, alpha))
    return weight / weight.sum()


def accuracy(task, coalitions, batch=500):
    """Accuracy on the validation rows of the fixed model trained on each coalition: [B, n] -> [B]."""
    parts = []
    for start in range(0, len(coalitions), batch):
        fitted = task.model.fit_many(task.X, task.y, weights=coalitions[start : start + batch])
        parts.append((fitted.predict(task.X_val) == task.y_val).mean(axis=1))
    return np.concatenate(parts)
