"""Distribution matching: Zhao and Bilen, Dataset condensation with distribution matching, WACV 2023.

Rows are made, from random real ones, whose mean in random features is, class by class, that of all rows. The features are a
layer of ReLU units with weights drawn anew at every step; steps are Adam's (Kingma and Ba, 2015), within the range of values.
"""

import numpy as np

STEPS, WIDTH, RATE = 300, 128, 0.05


def distil(task):
    X = task.X.reshape(len(task.X), -1).astype(np.float64)
    scale = max(abs(task.low), abs(task.high), 1e-12)
    low, high, X = task.low / scale, task.high / scale, X / scale
    rows = in_turn(task)
    Z, y = X[rows], task.y[rows]
    real, made = averaging(task.y, task.n_classes), averaging(y, task.n_classes)  # [C, n], [C, m]
    slope = square = np.zeros_like(Z)
    for step in range(STEPS):
        W = task.rng.normal(size=(X.shape[1], WIDTH)) * np.sqrt(2 / X.shape[1])
        gradient = slope_of(Z, X, W, real, made)
        slope, square = 0.9 * slope + 0.1 * gradient, 0.99 * square + 0.01 * gradient**2
        move = slope / (1 - 0.9 ** (step + 1)) / (np.sqrt(square / (1 - 0.99 ** (step + 1))) + 1e-12)
        Z = np.clip(Z - RATE * (1 - step / STEPS) * move, low, high)
    Z = np.clip(Z * scale, task.low, task.high).astype(np.float32)
    return Z.reshape(-1, *task.X.shape[1:]), y


def slope_of(Z, X, W, real, made):
    """Gradient in Z [m, d] of the squared distances of the classes' mean features: [m, d]."""
    active = Z @ W
    apart = made @ np.maximum(active, 0) - real @ np.maximum(X @ W, 0)  # [C, width]
    return (2 * (made.T @ apart) * (active > 0)) @ W.T


def averaging(y, n_classes):
    """[C, n]: times rows [n, d] it gives the mean of every class, 0 for a class without rows."""
    member = (y == np.arange(n_classes)[:, None]).astype(np.float64)
    return member / np.maximum(member.sum(axis=1, keepdims=True), 1)


def in_turn(task):
    """Random rows, as many of each class as the budget allows."""
    order = task.rng.permutation(len(task.y))
    turn = np.empty(len(order), np.int64)
    for c in range(task.n_classes):
        mine = np.flatnonzero(task.y[order] == c)
        turn[mine] = np.arange(len(mine))
    return order[np.argsort(turn, kind="stable")][: task.budget]
