"""Influence: rows whose removal would lower the loss on the clean rows are left out.

Kong, Shen and Huang, Resolving training biases via influence-based data relabeling, ICLR 2022, without the relabelling;
influence is that of Koh and Liang (ICML 2017) for a softmax layer over the rows: grad_i' H^-1 grad_val, by conjugate gradients.
Leaving rows out again after another fit gains nothing: the clean rows are few, and are soon fitted.
"""

import numpy as np

STEPS = 50


def weigh(task):
    A, A_val = (
        np.column_stack([a.reshape(len(a), -1), np.ones(len(a))]).astype(np.float64) for a in (task.X, task.X_val)
    )
    ridge = 1 / getattr(task.model.settings, "C", 1.0)
    Y, Y_val = np.eye(task.n_classes)[task.y], np.eye(task.n_classes)[task.y_val]
    fitted = task.model.fit(task.X, task.y)
    p, p_val = (fitted.predict_proba(X).astype(np.float64) for X in (task.X, task.X_val))
    solution = solve(A, p, ridge, A_val.T @ (p_val - Y_val) / len(A_val))
    helps = ((p - Y) * (A @ solution)).sum(axis=1)  # by how much the row lowers the loss on the clean rows
    return answer(task, (helps > 0) + 1e-6)


def solve(A, p, ridge, target):
    """H^-1 target [d + 1, C] by conjugate gradients, H the curvature of the training loss and its penalty."""

    def curvature(v):
        z = A @ v
        return A.T @ (p * (z - (p * z).sum(axis=1, keepdims=True))) + ridge * v

    solution, residual = np.zeros_like(target), target.copy()
    direction, size = residual.copy(), (residual**2).sum()
    for _ in range(STEPS):
        if size < 1e-20:
            break
        bent = curvature(direction)
        step = size / (direction * bent).sum()
        solution, residual = solution + step * direction, residual - step * bent
        size, before = (residual**2).sum(), size
        direction = residual + size / before * direction
    return solution


def answer(task, weights):
    """Row weights [n] as they are, or their mean in each source where the task asks for one weight a source."""
    if not task.by_source:
        return weights
    rows = np.bincount(task.source, minlength=task.n_sources)
    return np.bincount(task.source, weights, task.n_sources) / np.maximum(rows, 1)
