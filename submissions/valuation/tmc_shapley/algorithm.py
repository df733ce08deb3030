"""TMC-Shapley: Ghorbani and Zou, Data Shapley: equitable valuation of data for machine learning, ICML 2019.

The Shapley value of a row is its mean marginal accuracy over random orders of all rows. Orders are walked side by
side, a block of rows at a time, all fits of a block in one call. An order is truncated when the mean accuracy of its
last block is within ``TOLERANCE`` of that of all rows: the rows still to come count 0.
"""

import numpy as np

ORDERS = 90  # each costs a fit per row, but for those that truncation saves
TOLERANCE = 0.01
BLOCKS = 20  # parts of an order between two looks at truncation


def value(task, orders=ORDERS, tolerance=TOLERANCE):
    n = len(task.y)
    orders = np.stack([task.rng.permutation(n) for _ in range(orders)])  # [p, n]
    everything = accuracy(task, np.ones((1, n), np.float32))[0]
    member = np.zeros((len(orders), n), np.float32)  # the rows each order has let in
    before = np.full(len(orders), 1 / task.n_classes)  # nothing known: chance
    total, walking = np.zeros(n), np.arange(len(orders))
    for block in np.array_split(np.arange(n), min(BLOCKS, n)):
        coalitions = np.repeat(member[walking, None], len(block), axis=1)  # [walking, block, n]
        entering = orders[walking][:, block]
        for step in range(len(block)):
            coalitions[np.arange(len(walking))[:, None], np.arange(step, len(block)), entering[:, step, None]] = 1
        utility = accuracy(task, coalitions.reshape(-1, n)).reshape(len(walking), len(block))
        np.add.at(total, entering, np.diff(utility, prepend=before[walking, None]))
        member[walking], before[walking] = coalitions[:, -1], utility[:, -1]
        walking = walking[np.abs(utility.mean(axis=1) - everything) >= tolerance]
        if not len(walking):
            break
    return total / len(orders)


def accuracy(task, coalitions, batch=500):
    """Accuracy on the validation rows of the fixed model trained on each coalition: [B, n] -> [B]."""
    parts = []
    for start in range(0, len(coalitions), batch):
        fitted = task.model.fit_many(task.X, task.y, weights=coalitions[start : start + batch])
        parts.append((fitted.predict(task.X_val) == task.y_val).mean(axis=1))
    return np.concatenate(parts)
