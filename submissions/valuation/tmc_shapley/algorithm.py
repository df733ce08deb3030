"""TMC-Shapley: Ghorbani and Zou, Data Shapley: equitable valuation of data for machine learning, ICML 2019.

The Shapley value of a row is its mean marginal accuracy over random orders of all rows. Orders are walked side by
side, a block of rows at a time, all fits of a block in one call. An order is truncated when the mean accuracy of its
last block is within ``TOLERANCE`` of that of all rows: the rows still to come count 0.
"""

import numpy as np

from harness.models.coalitions import Permutations, prefixes, utilities

ORDERS = 90  # each costs a fit per row, but for those that truncation saves
TOLERANCE = 0.01
BLOCKS = 20  # parts of an order between two looks at truncation


def value(task, orders=ORDERS, tolerance=TOLERANCE):
    n = len(task.y)
    orders = np.stack([task.rng.permutation(n) for _ in range(orders)])  # [p, n]
    everything = accuracy(task, np.ones((1, n), np.float32))[0]
    curves = np.full((len(orders), n + 1), 1 / task.n_classes)  # accuracy by rows let in; nothing known: chance
    walking = np.arange(len(orders))
    for sizes in np.array_split(np.arange(1, n + 1), min(BLOCKS, n)):
        coalitions = np.concatenate([prefixes(order, sizes) for order in orders[walking]])
        utility = accuracy(task, coalitions).reshape(len(walking), len(sizes))
        curves[walking, sizes[0] :] = utility[:, -1:]  # as long as the order walks no further
        curves[walking[:, None], sizes] = utility
        walking = walking[np.abs(utility.mean(axis=1) - everything) >= tolerance]
        if not len(walking):
            break
    values = Permutations(n)
    for order, curve in zip(orders, curves, strict=True):
        values.add(order, curve)
    return values.values()


def accuracy(task, coalitions):
    return utilities(task.model, task.X, task.y, coalitions, task.X_val, task.y_val)
