"""Proxy model: learn from the sample rows of all sellers, then buy from those whose labels it agrees with.

After Coleman et al.: Selection via proxy: efficient data selection for deep learning, ICLR 2020. All markets deal in the
same kind of rows, so each market's proxy learns from the samples of all the others (all sellers' own where there is one
market). A seller's trust is the mean probability the proxy gives its sampled labels, steadied by how closely its correlations follow the
market's, which rest on more rows than the five shown.
"""

from __future__ import annotations

import numpy as np

SHARE = 0.8  # of the budget; the rest is kept


def buy(task):
    markets, sellers = task.rows.shape
    X = task.X_samples.reshape(-1, task.X_samples.shape[-1])
    y = task.y_samples.reshape(-1)
    market = np.repeat(np.arange(markets), sellers * task.y_samples.shape[2])
    others = (market != np.arange(markets)[:, None]) | (markets == 1)
    proba = task.model.fit_many(X, y, weights=others.astype(np.float32)).predict_proba(X)  # [markets, rows, classes]
    agreement = proba[market, np.arange(len(y)), y].reshape(task.y_samples.shape).mean(axis=2)
    bought = []
    for rows, prices, correlations, agrees in zip(task.rows, task.prices, task.correlations, agreement, strict=True):
        consensus = np.median(correlations, axis=0)
        match = correlations @ consensus / max(float(consensus @ consensus), 1e-12)
        trust = standardised(agrees) + 2 * standardised(match)
        bought.append(spend(np.argsort(-trust), rows, prices, SHARE * task.budget))
    return np.stack(bought)


def standardised(values):
    return (values - values.mean()) / max(float(values.std()), 1e-12)


def spend(order, rows, prices, budget):
    """Rows [s] bought by going through the sellers in this order and taking all that the money left pays for."""
    bought = np.zeros(len(rows), dtype=np.int64)
    for j in order:
        bought[j] = min(rows[j], int(budget / prices[j]))
        budget -= bought[j] * prices[j]
    return bought
