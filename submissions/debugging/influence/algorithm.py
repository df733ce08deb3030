"""Influence functions: Koh and Liang, Understanding black-box predictions via influence functions, ICML 2017.

The rows whose removal would lower the loss on the clean validation rows most, to first order:
    influence_i = - grad_val' H^-1 grad_i,
with the exact Hessian H, [C (d + 1)]^2, of multinomial logistic regression with the penalty ||W||^2 / 2 (that is C = 1).
Without validation rows: self-influence grad_i' H^-1 grad_i, largest first.
"""

import numpy as np

RIDGE = 1.0
INTERCEPT_RIDGE = 1e-6  # softmax leaves a common shift of the intercepts free


def rank(task):
    X, fitted = with_constant(task.X), task.model.fit(task.X, task.y)
    probability = fitted.predict_proba(task.X).astype(np.float64)  # [n, C]
    residual = probability - np.eye(task.n_classes)[task.y]  # grad_i = residual_i x_i'
    H = hessian(X, probability)
    if task.X_val is None:
        gradients = (residual[:, :, None] * X[:, None, :]).reshape(len(X), -1)  # [n, C (d + 1)]
        suspicion = (gradients * np.linalg.solve(H, gradients.T).T).sum(axis=1)
    else:
        error = fitted.predict_proba(task.X_val).astype(np.float64) - np.eye(task.n_classes)[task.y_val]
        direction = np.linalg.solve(H, (error.T @ with_constant(task.X_val)).ravel()).reshape(task.n_classes, -1)
        suspicion = -np.einsum("nc,cd,nd->n", residual, direction, X)
    return np.lexsort((task.rng.permutation(len(suspicion)), -suspicion))  # ties by chance


def with_constant(X):
    return np.column_stack([X.reshape(len(X), -1), np.ones(len(X))]).astype(np.float64)


def hessian(X, probability):
    """Second derivatives of the training loss [C (d + 1), C (d + 1)]; block (a, b) is X' diag(p_a (1[a=b] - p_b)) X."""
    C, d = probability.shape[1], X.shape[1]
    H = np.empty((C, d, C, d))
    for a in range(C):
        for b in range(a, C):
            weight = probability[:, a] * ((a == b) - probability[:, b])
            H[a, :, b, :] = H[b, :, a, :] = X.T @ (weight[:, None] * X)
    H = H.reshape(C * d, C * d)
    penalty = np.full(d, RIDGE)
    penalty[-1] = INTERCEPT_RIDGE
    H[np.diag_indices(C * d)] += np.tile(penalty, C)
    return H
