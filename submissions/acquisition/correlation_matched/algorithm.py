"""Correlation matching: buy from sellers whose features go with the label as they do in the market as a whole.

Pearson correlation with the label as a measure of what a feature says: Guyon, Elisseeff: An introduction to variable
and feature selection, JMLR 2003. Wrong labels pull all correlations towards 0, so a seller's slope against the
market's consensus (the median seller) tells clean lots from dirty ones.
"""

from __future__ import annotations

import numpy as np

SHARE = 0.8  # of the budget; the rest is kept


def buy(task):
    bought = []
    for rows, prices, correlations in zip(task.rows, task.prices, task.correlations, strict=True):
        consensus = np.median(correlations, axis=0)
        match = correlations @ consensus / max(float(consensus @ consensus), 1e-12)
        bought.append(spend(np.argsort(-match), rows, prices, SHARE * task.budget))
    return np.stack(bought)


def spend(order, rows, prices, budget):
    """Rows [s] bought by going through the sellers in this order and taking all that the money left pays for."""
    bought = np.zeros(len(rows), dtype=np.int64)
    for j in order:
        bought[j] = min(rows[j], int(budget / prices[j]))
        budget -= bought[j] * prices[j]
    return bought
