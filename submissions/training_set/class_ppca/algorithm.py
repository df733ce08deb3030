"""Fill all classes up evenly with rows drawn from a Gaussian of few dimensions a class.

Tipping and Bishop (1999), "Probabilistic Principal Component Analysis", JRSS B 61: the covariance of a class is that of its
leading directions and the same noise in all others. A class of n rows cannot tell its own covariance, so that is mixed
with the one pooled over all classes in the shares n and PRIOR (Friedman, 1989, "Regularized Discriminant Analysis", JASA 84).
"""

import numpy as np

DIRECTIONS, PRIOR = 20, 20.0


def create_training_set(task):
    X, y = task.X[: task.budget], task.y[: task.budget]
    for c in np.setdiff1d(task.y, y):  # a budget below the raw rows may have cut a class off
        row = np.flatnonzero(task.y == c)[0]
        spare = np.flatnonzero(np.bincount(y, minlength=task.n_classes)[y] > 1)[0]
        X, y = np.concatenate([np.delete(X, spare, 0), task.X[row : row + 1]]), np.append(np.delete(y, spare), c)
    flat = X.reshape(len(X), -1).astype(np.float64)
    classes, counts = np.unique(y, return_counts=True)
    centred = flat - np.stack([flat[y == c].mean(axis=0) for c in classes])[np.searchsorted(classes, y)]
    pooled = centred.T @ centred / max(len(y) - len(classes), 1)
    made_X, made_y = [X], [y]
    for c, count in zip(classes, counts, strict=True):
        wanted = max(0, task.budget // len(classes) - count)
        wanted = min(wanted, task.budget - sum(map(len, made_y)))
        own = centred[y == c]
        covariance = (own.T @ own + PRIOR * pooled) / (count + PRIOR)
        rows = flat[y == c].mean(axis=0) + draw(covariance, wanted, task.rng)
        made_X.append(np.clip(rows, task.low, task.high).reshape(wanted, *X.shape[1:]))
        made_y.append(np.full(wanted, c))
    return np.concatenate(made_X).astype(np.float32), np.concatenate(made_y)


def draw(covariance, n, rng):
    """n deviations from the mean: leading directions as they are, the mean variance of the rest in all."""
    values, vectors = np.linalg.eigh(covariance)
    values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
    q = min(DIRECTIONS, len(values))
    noise = values[q:].mean() if q < len(values) else 0.0
    along = rng.normal(size=(n, q)) * np.sqrt(np.maximum(values[:q] - noise, 0))
    return along @ vectors[:, :q].T + np.sqrt(noise) * rng.normal(size=(n, len(values)))
