"""Correlation matching: buy from sellers whose features go with the label as they do in the market as a whole.

Pearson correlation with the label as a measure of what a feature says: Guyon, Elisseeff: An introduction to variable
and feature selection, JMLR 2003. Wrong labels pull all correlations towards 0, so a seller's slope against the
market's consensus (the median seller) tells clean lots from dirty ones. The best quarter shares the money, since many
rows of one seller bring that seller's class mix along.
"""

from __future__ import annotations

import numpy as np

SELLERS = 4  # one in so many is bought from


def buy(task):
    bought = []
    for rows, prices, correlations in zip(task.rows, task.prices, task.correlations, strict=True):
        consensus = np.median(correlations, axis=0)
        match = correlations @ consensus / max(float(consensus @ consensus), 1e-12)
        best = np.argsort(-match)[: max(1, len(rows) // SELLERS)]
        bought.append(share(best, rows, prices, task.budget))
    return np.stack(bought)


def share(sellers, rows, prices, budget):
    """Rows [s]: each of these sellers gets the largest equal amount of money the budget allows, by bisection."""
    bought = np.zeros(len(rows), dtype=np.int64)
    low, high = 0.0, budget
    for _ in range(50):
        amount = (low + high) / 2
        bought[sellers] = np.minimum(rows[sellers], (amount / prices[sellers]).astype(np.int64))
        low, high = (amount, high) if (bought * prices).sum() <= budget else (low, amount)
    bought[sellers] = np.minimum(rows[sellers], (low / prices[sellers]).astype(np.int64))
    if not bought.any():  # too little money to share: one row, of the cheapest seller
        bought[prices.argmin()] = 1
    return bought
