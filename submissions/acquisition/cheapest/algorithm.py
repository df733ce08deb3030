"""As many rows as the money buys: cheapest sellers first.

No paper of its own; the setting is that of Chen et al.: Data acquisition: a new frontier in data-centric AI, 2023,
arXiv:2311.13712.
"""

from __future__ import annotations

import numpy as np


def buy(task):
    return np.stack(
        [
            spend(np.argsort(prices), rows, prices, task.budget)
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
