"""Beta-Shapley: Kwon and Zou, Beta Shapley: a unified and noise-reduced data valuation framework, AISTATS 2022.

The mean marginal accuracy of a row, where coalitions of s other rows have the weight of a beta-binomial distribution:
Beta(1, 1) is the Shapley value, Beta(16, 1) looks at small coalitions, in which one row still matters. Those beyond
``reach`` rows hold 1 % of the weight and are left out, so a random order of all rows is cut into pieces of that length,
each a beginning of its own: one order gives every row one marginal contribution.
"""

import numpy as np

from harness.models.coalitions import beta_weights, utilities

ORDERS = 45  # each costs a fit per row
ALPHA, BETA = 16, 1
LEFT_OUT = 0.01


def value(task, orders=ORDERS, alpha=ALPHA, beta=BETA, left_out=LEFT_OUT):
    n = len(task.y)
    weight = beta_weights(n, alpha, beta) / n  # of coalitions of 0..n-1 other rows, 1 in all
    reach = min(n, int(np.searchsorted(np.cumsum(weight), 1 - left_out)) + 1)
    position = np.arange(n)
    first = position // reach * reach  # where the piece of each position begins
    total, mass = np.zeros(n), np.zeros(n)
    for _ in range(orders):
        order = task.rng.permutation(n)
        coalitions = np.zeros((n, n), np.float32)
        coalitions[:, order] = (position >= first[:, None]) & (position <= position[:, None])
        utility = utilities(task.model, task.X, task.y, coalitions, task.X_val, task.y_val)
        before = np.where(position == first, 1 / task.n_classes, np.roll(utility, 1))  # nothing known: chance
        total[order] += weight[position - first] * (utility - before)
        mass[order] += weight[position - first]
    return total / np.maximum(mass, 1e-300)
