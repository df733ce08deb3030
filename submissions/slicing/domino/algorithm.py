"""Domino: Eyuboglu et al., Domino: discovering systematic errors with cross-modal embeddings, ICLR 2022.

An error-aware mixture: given its slice, a validation row's features (diagonal Gaussian on principal components), its
class and the model's prediction (categorical) are independent. The likelihoods of class and prediction weigh ``GAMMA``
times, so that slices are pure in both; they start from the cells of the confusion matrix. Slices in which class and
prediction differ most are proposed. The label of a test row is unknown: features and prediction alone place it.
"""

import numpy as np

COMPONENTS = 32  # principal components
SLICES = 25
GAMMA = 10.0
STEPS = 50


def find_slices(task):
    X, X_test = (a.reshape(len(a), -1).astype(np.float64) for a in (task.X_val, task.X_test))
    Z, Z_test = principal_components(X, X_test)
    label = np.eye(task.n_classes)[task.y_val]
    weights = start(label, task.proba_val, task.rng)
    for _ in range(STEPS):
        mixture = maximise(weights, Z, label, task.proba_val)
        weights = posterior(mixture, Z, task.proba_val, label)
    _, _, _, of_label, of_prediction = mixture
    gap = np.abs(of_label - of_prediction).max(axis=1)
    worst = np.argsort(-gap, kind="stable")[: task.max_slices]
    return posterior(mixture, Z_test, task.proba_test)[:, worst]


def principal_components(X, X_test):
    centre = X.mean(axis=0)
    _, _, directions = np.linalg.svd(X - centre, full_matrices=False)
    return (X - centre) @ directions[:COMPONENTS].T, (X_test - centre) @ directions[:COMPONENTS].T


def start(label, proba, rng):
    """Slices by confusion cell, the fullest cells first; where they are few, several slices share a cell: [n, SLICES]."""
    cells = (label[:, :, None] * proba[:, None, :]).reshape(len(label), -1)
    fullest = np.argsort(-cells.sum(axis=0), kind="stable")
    weights = cells[:, np.resize(fullest, SLICES)]
    if len(fullest) < SLICES:
        weights = weights * rng.random(weights.shape)  # its rows are divided at random
    weights = weights + 1e-3 * rng.random(weights.shape)
    return weights / weights.sum(axis=1, keepdims=True)


def maximise(weights, Z, label, proba):
    mass = weights.sum(axis=0) + 1e-9
    mean = weights.T @ Z / mass[:, None]
    variance = weights.T @ Z**2 / mass[:, None] - mean**2
    variance = np.maximum(variance, 0) + max(1e-2 * Z.var(axis=0).mean(), 1e-12)  # equal rows have none
    of_label, of_prediction = (weights.T @ share / mass[:, None] + 1e-6 for share in (label, proba))
    return mass / mass.sum(), mean, variance, of_label, of_prediction


def posterior(mixture, Z, proba, label=None):
    """Slice probabilities [n, SLICES] of rows with features Z and predictions, and labels where they are known."""
    prior, mean, variance, of_label, of_prediction = mixture
    log = np.log(prior) - 0.5 * np.log(variance).sum(axis=1)
    log = log - 0.5 * (Z**2 @ (1 / variance).T - 2 * Z @ (mean / variance).T + (mean**2 / variance).sum(axis=1))
    log = log + GAMMA * proba @ np.log(of_prediction).T
    if label is not None:
        log = log + GAMMA * label @ np.log(of_label).T
    weights = np.exp(log - log.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)
