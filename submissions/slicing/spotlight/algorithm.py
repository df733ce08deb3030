"""Spotlight: d'Eon et al., The Spotlight: a general method for discovering systematic errors in deep learning models,
FAccT 2022.

A spotlight is a Gaussian kernel over the features whose centre and width maximise the weighted mean loss of the rows
it lights, under the condition that it lights at least a share of all rows. When one is found, the loss of the rows it
lights is dimmed and the next one is sought. Scores are scaled so that those of the ``BRIGHTEST`` validation rows average
their error rate.
"""

import numpy as np

COMPONENTS = 16  # principal components
SHARE = 0.05  # of the validation rows, least weight of a spotlight
STARTS = 8
STEPS = 150
BRIGHTEST = 25


def find_slices(task):
    X, X_test = (a.reshape(len(a), -1).astype(np.float64) for a in (task.X_val, task.X_test))
    centre = X.mean(axis=0)
    directions = np.linalg.svd(X - centre, full_matrices=False)[2][:COMPONENTS].T
    Z, Z_test = (X - centre) @ directions, (X_test - centre) @ directions
    scale = max(np.sqrt((Z**2).sum(axis=1).mean()), 1e-12)
    Z, Z_test = Z / scale, Z_test / scale
    loss = -np.log(np.maximum(task.proba_val[np.arange(len(X)), task.y_val], 1e-3)).astype(np.float64) + 1e-9
    wrong = task.proba_val.argmax(axis=1) != task.y_val
    scores = []
    for _ in range(task.max_slices):
        spots = [search(Z, loss, Z[i]) for i in task.rng.choice(len(Z), STARTS, p=loss / loss.sum())]
        _, where, width = max(spots, key=lambda spot: spot[0])
        light = kernel(Z, where, width)
        brightest = np.argsort(-light, kind="stable")[:BRIGHTEST]
        scores.append(kernel(Z_test, where, width) * wrong[brightest].mean() / max(light[brightest].mean(), 1e-12))
        loss = np.maximum(loss * (1 - light), 1e-12)  # what is lit in full may be all there is
    return np.stack(scores, axis=1)


def kernel(Z, where, width):
    return np.exp(-0.5 * width * ((Z - where) ** 2).sum(axis=1))


def search(Z, loss, where, stride=0.5):
    """Move a spotlight uphill from ``where``: (weighted mean loss, centre, width) of the best place on the way."""
    best = (-np.inf, where, 1.0)
    for _ in range(STEPS):
        width = width_for(Z, where, max(SHARE * len(Z), 1))
        weight = kernel(Z, where, width)
        mean = weight @ loss / max(weight.sum(), 1e-12)
        if mean > best[0] + 1e-6:
            best = (mean, where, width)
        elif stride > 0.02:
            where, stride = best[1], stride / 2  # overshot: back, and more carefully
            continue
        else:
            break
        pull = weight * (loss - mean)  # the gradient of the mean loss in the centre is along pull @ (Z - where)
        where = where + stride * (pull @ (Z - where)) / (np.abs(pull).sum() + 1e-12)
    return best


def width_for(Z, where, mass):
    """Width (inverse variance) at which the spotlight lights ``mass`` rows, by bisection in its logarithm."""
    low, high = -6.0, 12.0
    for _ in range(25):
        middle = (low + high) / 2
        low, high = (middle, high) if kernel(Z, where, np.exp(middle)).sum() > mass else (low, middle)
    return np.exp((low + high) / 2)
