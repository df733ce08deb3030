"""AUM: Pleiss et al., Identifying mislabeled data using the area under the margin ranking, NeurIPS 2020.

The margin of a row is the logit of its given label less the largest other logit; rows with a wrong label are pulled the
other way by their neighbours, so their margin, averaged over the epochs, is small. The fixed model gives no view into its
epochs, so the training is of softmax regression by stochastic gradient descent.
"""

import numpy as np

EPOCHS, BATCH, RATE = 30, 32, 0.5


def rank(task):
    X, rows = standardise(task.X), np.arange(len(task.y))
    W = np.zeros((task.n_classes, X.shape[1]), np.float32)
    area = np.zeros(len(rows))
    for _ in range(EPOCHS):
        epoch(W, X, task.y, task.rng)
        logits = X @ W.T
        given = logits[rows, task.y]
        logits[rows, task.y] = -np.inf
        area += given - logits.max(axis=1)
    return np.lexsort((task.rng.permutation(len(area)), area))  # ties by chance


def standardise(X):
    """Rows [n, d + 1] with columns of mean 0 and one scale for all (the average norm is 1), and a constant."""
    X = X.reshape(len(X), -1).astype(np.float32)
    X = X - X.mean(axis=0)
    X /= max(float(np.sqrt((X * X).sum(axis=1).mean())), 1e-12)
    return np.column_stack([X, np.ones(len(X), np.float32)])


def softmax(z):
    z = np.exp(z - z.max(axis=1, keepdims=True))
    return z / z.sum(axis=1, keepdims=True)


def epoch(W, X, y, rng):
    """One pass of stochastic gradient descent on softmax regression, in place: W [C, d + 1]."""
    order = rng.permutation(len(X))
    for start in range(0, len(X), BATCH):
        rows = order[start : start + BATCH]
        error = softmax(X[rows] @ W.T)
        error[np.arange(len(rows)), y[rows]] -= 1
        W -= RATE / len(rows) * (error.T @ X[rows])
