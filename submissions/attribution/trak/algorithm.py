"""TRAK: Park et al., TRAK: attributing model behavior at scale, ICML 2023.

Each of CHECKPOINTS models is trained on a random half of the rows. Its margins are linear in its last layer to first order, so each
row becomes the gradient of its own margin, projected at random on a quarter as many numbers as there are rows, and a query's scores are
phi_q (Phi' Phi)^-1 Phi', the one-step logistic regression on these features; averages over models of scores and of 1 - p, the
probability that a row's label is wrong, are multiplied.
"""

import numpy as np

CHECKPOINTS = 10


def attribute(task, checkpoints=CHECKPOINTS, dimensions=None):
    n, checkpoints = len(task.y), min(checkpoints, task.max_fits)
    halves = [task.rng.permutation(n)[: -(-n // 2)] for _ in range(checkpoints)]
    fitted = task.model.fit_many(task.X, task.y, subsets=halves)
    kernels, wrong = np.zeros((len(task.y_query), n)), np.zeros(n)
    features = [fitted.features(X) for X in (task.X, task.X_query)]
    proba = [fitted.predict_proba(X).astype(np.float64) for X in (task.X, task.X_query)]
    for k in range(checkpoints):
        width = (features[0].shape[2] + 1) * task.n_classes
        P = task.rng.normal(size=(width, min(dimensions or n // 4, width))).astype(np.float32)
        phi, of_queries = (gradients(features[i][k], proba[i][k], y) @ P for i, y in enumerate((task.y, task.y_query)))
        phi, of_queries = phi.astype(np.float64), of_queries.astype(np.float64)
        kernels += of_queries @ np.linalg.pinv(phi.T @ phi, rcond=1e-6, hermitian=True) @ phi.T
        wrong += 1 - proba[0][k][np.arange(n), task.y]
    return kernels * wrong / checkpoints**2


def gradients(features, proba, y):
    """The gradient of each row's margin with respect to the last layer, flattened: [n, (h + 1) C] float32."""
    A = np.column_stack([features, np.ones(len(features))]).astype(np.float32)
    return (A[:, :, None] * margin_push(proba, y).astype(np.float32)[:, None, :]).reshape(len(A), -1)


def margin_push(proba, y):
    """The gradient of log(p / (1 - p)) of each label with respect to the logits: [n, C]."""
    rows, others = np.arange(len(y)), proba.copy()
    others[rows, y] = 0
    push = -others / np.maximum(others.sum(axis=1, keepdims=True), 1e-30)
    push[rows, y] = 1
    return push
