"""Datamodels: Ilyas et al., Datamodels: predicting predictions from training data, ICML 2022.

The fixed model is trained on as many random halves of the rows as it may be, and the margins of each query are regressed on
which rows were in; a row's coefficient is its score. Ridge stands for their lasso, with one penalty for all queries, of least
generalised cross-validation error.
"""

import numpy as np

PENALTIES = 10.0 ** np.arange(-2, 6)


def attribute(task):
    n = len(task.y)
    if task.max_fits < 2:
        return np.zeros((len(task.y_query), n))
    halves = np.stack([task.rng.permutation(n) < n // 2 for _ in range(task.max_fits)])
    fitted = task.model.fit_many(task.X, task.y, weights=halves.astype(np.float32))
    return ridge(halves, margins(fitted.predict_proba(task.X_query), task.y_query)).T


def margins(proba, y):
    """log(p / (1 - p)) of each label: [B, q]."""
    others = proba.astype(np.float64)
    right = others[:, np.arange(len(y)), y].copy()
    others[:, np.arange(len(y)), y] = 0
    return np.log(np.maximum(right, 1e-30)) - np.log(np.maximum(others.sum(axis=2), 1e-30))


def ridge(halves, outputs):
    """Coefficients [n, q] of outputs [B, q] on halves [B, n], both centred."""
    A, B = halves - halves.mean(axis=0), outputs - outputs.mean(axis=0)
    values, vectors = np.linalg.eigh(A @ A.T)
    turned = vectors.T @ B

    def error(penalty):
        left = penalty / (np.maximum(values, 0) + penalty)
        return ((left[:, None] * turned) ** 2).sum() / left.sum() ** 2

    best = min(PENALTIES, key=error)
    return A.T @ vectors @ (turned / (np.maximum(values, 0) + best)[:, None])
