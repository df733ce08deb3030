"""Influence functions at half weight: Koh and Liang, Understanding black-box predictions via influence functions, ICML 2017.

What counts are models of half the rows, so the tangent is taken half-way between all of them: where every row has weight 1/2,
not at the model of all rows. There the derivative of a query's margin by the weight of row i is m' H^-1 g_i: m is the margin's
gradient, g_i minus that of the row's loss, H the Hessian of the fixed logistic regression's own objective, 1/2 the sum of
cross-entropies plus ||W||^2 / (2 C). H is exact and never formed: conjugate gradients for all queries at once, preconditioned by
a product of two small matrices that has each row's mean curvature. A network, whose training knows no scale of weights, is
taken as the logistic regression of its last layer's inputs, with C = 1.
"""

import numpy as np

WEIGHT = 0.5


def attribute(task):
    fitted = task.model.fit(task.X, task.y, weights=np.full(len(task.y), WEIGHT))
    A, Q = (with_constant(fitted.features(X)) for X in (task.X, task.X_query))
    p = fitted.predict_proba(task.X).astype(np.float64)
    push = margin_push(fitted.predict_proba(task.X_query), task.y_query)
    # all of H over WEIGHT: its scale counts for nothing
    solved = solve(A, p, Q.T[:, :, None] * push, penalty(task, A.shape[1]) / WEIGHT)
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
