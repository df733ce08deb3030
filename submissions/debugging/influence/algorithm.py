"""Influence functions: Koh and Liang, Understanding black-box predictions via influence functions, ICML 2017.

The rows whose removal would lower the loss on the clean validation rows most, to first order:
    influence_i = - grad_val' H^-1 grad_i,
with the exact Hessian H of multinomial logistic regression (penalty ||W||^2 / 2, that is C = 1), solved by conjugate
gradients on Hessian products. Without validation rows: self-influence grad_i' H^-1 grad_i, largest first.
"""

import numpy as np

RIDGE = 1.0


def rank(task):
    X = with_constant(task.X)
    fitted = task.model.fit(task.X, task.y)
    probability = fitted.predict_proba(task.X).astype(np.float64)  # [n, C]
    residual = probability - np.eye(task.n_classes)[task.y]  # grad_i = residual_i x_i'
    if task.X_val is None:
        gradients = residual[:, :, None] * X[:, None, :]  # [n, C, d + 1]
        suspicion = (gradients * solve(X, probability, gradients)).sum(axis=(1, 2))
    else:
        on_val = fitted.predict_proba(task.X_val).astype(np.float64)
        gradient = (on_val - np.eye(task.n_classes)[task.y_val]).T @ with_constant(task.X_val)  # [C, d + 1]
        direction = solve(X, probability, gradient[None])[0]
        suspicion = -np.einsum("nc,cd,nd->n", residual, direction, X)
    return np.lexsort((task.rng.permutation(len(suspicion)), -suspicion))  # ties by chance


def with_constant(X):
    return np.column_stack([X.reshape(len(X), -1), np.ones(len(X))]).astype(np.float64)


def hessian_times(X, probability, V):
    """Products of the Hessian of the training loss with V [k, C, d + 1]; the intercepts carry a tiny penalty."""
    out = np.empty_like(V)
    for i, v in enumerate(V):
        z = X @ v.T  # [n, C]
        z = probability * (z - (probability * z).sum(axis=1, keepdims=True))
        out[i] = z.T @ X
    penalty = np.full(V.shape[2], RIDGE)
    penalty[-1] = 1e-6  # softmax leaves a common shift of the intercepts free
    return out + penalty * V


def solve(X, probability, B, tolerance=1e-6, most=500):
    """H^-1 B for B [k, C, d + 1], by conjugate gradients side by side."""
    solution, residual = np.zeros_like(B), B.copy()
    direction, square = residual.copy(), (residual**2).sum(axis=(1, 2), keepdims=True)
    goal = tolerance**2 * square
    for _ in range(most):
        if (square <= goal).all():
            break
        product = hessian_times(X, probability, direction)
        curvature = (direction * product).sum(axis=(1, 2), keepdims=True)
        step = np.divide(square, curvature, out=np.zeros_like(square), where=curvature > 0)
        solution += step * direction
        residual -= step * product
        before, square = square, (residual**2).sum(axis=(1, 2), keepdims=True)
        direction = residual + direction * np.divide(square, before, out=np.zeros_like(square), where=before > 0)
    return solution
