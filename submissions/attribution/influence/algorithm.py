"""Influence functions: Koh and Liang, Understanding black-box predictions via influence functions, ICML 2017.

To first order, row i raises a query's margin by m' H^-1 g_i: m is the margin's gradient, g_i minus that of the row's loss,
H the Hessian of the fixed logistic regression's own objective, the sum of cross-entropies plus ||W||^2 / (2 C). H is exact
and never formed: conjugate gradients for all queries at once, preconditioned by a product of two small matrices that has
each row's mean curvature. A network is taken as the logistic regression of its last layer's inputs, with C = 1.
"""

import numpy as np


def attribute(task):
    fitted = task.model.fit(task.X, task.y)
    A, Q = (with_constant(fitted.features(X)) for X in (task.X, task.X_query))
    p = fitted.predict_proba(task.X).astype(np.float64)
    push = margin_push(fitted.predict_proba(task.X_query), task.y_query)
    solved = solve(A, p, Q.T[:, :, None] * push, penalty(task, A.shape[1]))
    pull = np.eye(task.n_classes)[task.y] - p
    return np.einsum("nqc,nc->qn", times(A, solved), pull)


def penalty(task, d):
    """Of each row of the weights [d + 1]. Two classes share one vector, half the difference of the two used here."""
    ridge = np.full(d, (2 if task.n_classes == 2 else 1) / getattr(task.model.settings, "C", 1.0))
    ridge[-1] = 1e-6  # the intercept is free, but for what softmax leaves undecided
    return ridge


def solve(A, p, targets, ridge, steps=200, tolerance=1e-4):
    """H^-1 of each target, [d, q, C]; stops at a relative residual, in the preconditioned norm, of ``tolerance``."""
    C = p.shape[1]
    curvature = (1 - (p**2).sum(axis=1)) / max(C - 1, 1)  # of each row, the mean over the classes' contrasts
    values, vectors = np.linalg.eigh(A.T @ (curvature[:, None] * A))
    contrast = np.linalg.eigh(np.ones((C, C)))[1]  # the last one is (1, ..., 1), along which a softmax does not bend
    inverse = 1 / (np.maximum(values, 0)[:, None] * np.r_[np.ones(C - 1), 0] + ridge[0])

    def precondition(R):
        return times(vectors, inverse[:, None] * (times(vectors.T, R) @ contrast)) @ contrast.T

    def product(V):
        Z = times(A, V)  # [n, q, C]
        Z = p[:, None] * (Z - (p[:, None] * Z).sum(axis=2, keepdims=True))
        return times(A.T, Z) + ridge[:, None, None] * V

    def dots(V, W):
        return np.einsum("dqc,dqc->q", V, W)[:, None]

    X, R = np.zeros_like(targets), targets.copy()
    P = Y = precondition(R)
    size = first = dots(R, Y)
    for _ in range(steps):
        if (size <= tolerance**2 * first).all():
            break
        bent = product(P)
        along = dots(P, bent)
        length = np.where(along > 0, size / np.where(along > 0, along, 1), 0)  # rounding can leave no curvature: stay
        X, R = X + length * P, R - length * bent
        Y = precondition(R)
        size, before = dots(R, Y), size
        P = Y + size / np.maximum(before, 1e-300) * P
    return X


def times(M, V):
    """M [m, d] times V [d, q, C], in one product: [m, q, C]."""
    return (M @ V.reshape(len(V), -1)).reshape(len(M), *V.shape[1:])


def with_constant(features):
    return np.column_stack([features, np.ones(len(features))]).astype(np.float64)


def margin_push(proba, y):
    """The gradient of log(p / (1 - p)) of each label with respect to the logits: [q, C]."""
    rows, others = np.arange(len(y)), proba.astype(np.float64)
    others[rows, y] = 0
    push = -others / np.maximum(others.sum(axis=1, keepdims=True), 1e-30)
    push[rows, y] = 1
    return push
