"""EL2N: Paul, Ganguli and Dziugaite, Deep learning on a data diet, NeurIPS 2021.

The norm of the error vector, ||p - e_y||, after a few epochs of training, averaged over several trainings; the largest of
each class are kept. The fixed model gives no view into its epochs, so the trainings are of softmax regression by
stochastic gradient descent.
"""

import numpy as np

TRAININGS, EPOCHS, BATCH, RATE = 10, 5, 32, 0.5


def select(task):
    X, onehot = standardise(task.X), np.eye(task.n_classes, dtype=np.float32)[task.y]
    score = np.zeros(len(X))
    for _ in range(TRAININGS):
        W = np.zeros((task.n_classes, X.shape[1]), np.float32)
        for _ in range(EPOCHS):
            epoch(W, X, task.y, task.rng)
        score += np.linalg.norm(softmax(X @ W.T) - onehot, axis=1)
    return highest_in_turn(score, task)


def highest_in_turn(score, task):
    """The budget's worth of rows: the highest score of every class, then the second highest, ...; ties by chance."""
    order = np.lexsort((task.rng.permutation(len(score)), -score))
    turn = np.empty(len(order), np.int64)
    for c in range(task.n_classes):
        mine = np.flatnonzero(task.y[order] == c)
        turn[mine] = np.arange(len(mine))
    return order[np.argsort(turn, kind="stable")][: task.budget]


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
