"""Gradient matching: Zhao, Mopuri and Bilen, Dataset condensation with gradient matching, ICLR 2021.

Rows are made, from random real ones, that give a model the gradients which all rows give it, class by class, from random starts
and as it learns from the made rows. The model is softmax regression; a class's gradients are compared by their squared distance over
the squared length of the real one. Steps are Adam's (Kingma and Ba, 2015), within the range of values.
"""

import numpy as np

STARTS, STEPS, RATE, LEARNING = 20, 15, 0.05, 0.5


def distil(task):
    X = task.X.reshape(len(task.X), -1).astype(np.float64)
    scale = max(abs(task.low), abs(task.high), 1e-12)
    low, high, X = task.low / scale, task.high / scale, X / scale
    rows = in_turn(task)
    Z, y = X[rows], task.y[rows]
    slope = square = np.zeros_like(Z)
    total = STARTS * STEPS
    for step in range(total):
        if step % STEPS == 0:
            W = task.rng.normal(size=(task.n_classes, X.shape[1] + 1)) / np.sqrt(X.shape[1])
        target = class_gradients(W, X, task.y)
        gradient, own = slope_of(Z, y, W, target)
        slope, square = 0.9 * slope + 0.1 * gradient, 0.99 * square + 0.01 * gradient**2
        move = slope / (1 - 0.9 ** (step + 1)) / (np.sqrt(square / (1 - 0.99 ** (step + 1))) + 1e-12)
        Z = np.clip(Z - RATE * (1 - step / total) * move, low, high)
        W = W - LEARNING * own
    Z = np.clip(Z * scale, task.low, task.high).astype(np.float32)
    return Z.reshape(-1, *task.X.shape[1:]), y


def errors(W, X, y):
    """Probabilities less the one of the label [n, C], probabilities, and the rows with a constant [n, d + 1]."""
    X = np.column_stack([X, np.ones(len(X))])
    logits = X @ W.T
    P = np.exp(logits - logits.max(axis=1, keepdims=True))
    P /= P.sum(axis=1, keepdims=True)
    return P - np.eye(len(W))[y], P, X


def class_gradients(W, X, y):
    """The mean gradient of the loss in W over the rows of each class: [C, C, d + 1]."""
    E, _, X = errors(W, X, y)
    return np.stack([E[y == c].T @ X[y == c] / max((y == c).sum(), 1) for c in range(len(W))])


def slope_of(Z, y, W, target):
    """Gradient in Z [m, d] of the distances of the classes' gradients from ``target``; the mean gradient in W of all."""
    E, P, rows = errors(W, Z, y)
    count = np.bincount(y, minlength=len(W))
    own = class_gradients(W, Z, y)
    apart = (own - target) / np.maximum((target**2).sum(axis=(1, 2), keepdims=True), 1e-12)
    D = apart[y] * (2 / count[y])[:, None, None]  # [m, C, d + 1]
    V = np.einsum("mcd,md->mc", D, rows)
    through = P * (V - (P * V).sum(axis=1, keepdims=True))  # the softmax's Jacobian times V
    gradient = np.einsum("mcd,mc->md", D, E) + through @ W
    return gradient[:, :-1], np.einsum("c,cij->ij", count / count.sum(), own)


def in_turn(task):
    """Random rows, as many of each class as the budget allows."""
    order = task.rng.permutation(len(task.y))
    turn = np.empty(len(order), np.int64)
    for c in range(task.n_classes):
        mine = np.flatnonzero(task.y[order] == c)
        turn[mine] = np.arange(len(mine))
    return order[np.argsort(turn, kind="stable")][: task.budget]
