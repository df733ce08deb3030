"""Buy from sellers in random order, all they have, until the money is spent. The floor."""

from __future__ import annotations

import numpy as np


def buy(task):
    return np.stack(
        [
            spend(task.rng.permutation(len(rows)), rows, prices, task.budget)
            for rows, prices in zip(task.rows, task.prices, strict=True)
        ]
    )


def spend(order, rows, prices, budget):
    """Rows [s] bought by going through the sellers in this order and taking all that the money left pays for."""
    bought = np.zeros(len(rows), dtype=np.int64)
    for j in order:
        bought[j] = min(rows[j], int(budget / prices[j]))
        budget -= bought[j] * prices[j]
    return bought
