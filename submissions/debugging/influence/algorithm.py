"""Influence functions: Koh and Liang, Understanding black-box predictions via influence functions, ICML 2017.

The rows whose removal would lower the loss on the clean validation rows most, to first order:
    influence_i = - grad_val' H^-1 grad_i,
where H is the Hessian, at the fitted model, of the fixed logistic regression's own objective: the sum of the
cross-entropies plus ||W||^2 / (2 C), with the challenge's C. Without validation rows: self-influence grad_i' H^-1 grad_i,
largest first. Where the fixed model has no C, its probabilities are taken as those of a softmax layer with C = 1.
"""

import numpy as np

INTERCEPT_RIDGE = 1e-6  # softmax leaves a common shift of the intercepts free


def rank(task):
    fitted, axes = task.model.fit(task.X, task.y), span(task.X.reshape(len(task.X), -1))
    X = with_constant(task.X, axes)
    probability = fitted.predict_proba(task.X).astype(np.float64)  # [n, C]
    residual = probability - np.eye(task.n_classes)[task.y]  # grad_i = residual_i x_i'
    H = hessian(X, probability, ridge(task))
    if task.X_val is None:
        gradients = (residual[:, :, None] * X[:, None, :]).reshape(len(X), -1)  # [n, C (d + 1)]
        suspicion = (gradients * np.linalg.solve(H, gradients.T).T).sum(axis=1)
    else:
        error = fitted.predict_proba(task.X_val).astype(np.float64) - np.eye(task.n_classes)[task.y_val]
        direction = np.linalg.solve(H, (error.T @ with_constant(task.X_val, axes)).ravel()).reshape(task.n_classes, -1)
        suspicion = -np.einsum("nc,cd,nd->n", residual, direction, X)
    return np.lexsort((task.rng.permutation(len(suspicion)), -suspicion))  # ties by chance


def span(X):
    """Orthonormal axes [d, r] of all directions in which rows of X [n, d] lie: what is beyond them moves no row's influence."""
    n, d = X.shape
    return np.eye(d) if d <= n else np.linalg.qr(X.T.astype(np.float64))[0]


def with_constant(X, axes):
    return np.column_stack([X.reshape(len(X), -1) @ axes, np.ones(len(X))])


def ridge(task):
    """Penalty of one class's coefficients. Two classes share one vector, half the difference of the two used here."""
    return (2 if task.n_classes == 2 else 1) / getattr(task.model.settings, "C", 1.0)


def hessian(X, probability, ridge):
    """Second derivatives of the training loss [C (d + 1), C (d + 1)]; block (a, b) is X' diag(p_a (1[a=b] - p_b)) X."""
    C, d = probability.shape[1], X.shape[1]
    H = np.empty((C, d, C, d))
    for a in range(C):
        for b in range(a, C):
            weight = probability[:, a] * ((a == b) - probability[:, b])
            H[a, :, b, :] = H[b, :, a, :] = X.T @ (weight[:, None] * X)
    H = H.reshape(C * d, C * d)
    penalty = np.full(d, ridge)
    penalty[-1] = INTERCEPT_RIDGE
    H[np.diag_indices(C * d)] += np.tile(penalty, C)
    return H
