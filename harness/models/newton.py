"""The safe method for one logistic regression: damped Newton in float64 with a line search on the loss."""

from __future__ import annotations

import numpy as np

from harness.api import FloatArray, IntArray
from harness.models.base import BoolArray


def damped_newton(
    Z: FloatArray,
    y: IntArray,
    weights: FloatArray,
    present: BoolArray,
    penalty: FloatArray,
    start: FloatArray,
    tolerance: float,
    max_steps: int = 300,
) -> tuple[FloatArray, float, float]:
    """Optimum theta [K, d] of one problem, its gradient norm and Newton decrement.

    Parameters
    ----------
    Z: [n, d] float64 rows, last column ones; y [n] labels; weights [n] > 0; present [C].
    penalty: [d], 0 for the intercept; start: [K, d], K = 1 for C = 2 (class 0's logit is 0), else K = C.
    tolerance: Newton decrement at which to stop.
    """
    reference = len(present) == 2
    classes = np.array([1]) if reference else np.flatnonzero(present)
    onehot = (y[None] == classes[:, None]).astype(np.float64)
    K, d = len(classes), Z.shape[1]
    theta = start[-1:] + 0 if reference else start[classes] - start[classes].mean(axis=0)

    def losses(theta: FloatArray) -> tuple[float, FloatArray]:
        z = theta @ Z.T
        top = np.maximum(z.max(axis=0), 0.0) if reference else z.max(axis=0)
        e = np.exp(z - top)
        total = e.sum(axis=0) + (np.exp(-top) if reference else 0.0)
        value = weights @ (top + np.log(total) - (z * onehot).sum(axis=0)) + (penalty * theta**2).sum() / 2
        return float(value), e / total

    value, p = losses(theta)
    decrement = norm = np.inf
    for _ in range(max_steps):
        gradient = ((p - onehot) * weights) @ Z + penalty * theta
        norm = float(np.linalg.norm(gradient))
        hessian = np.zeros((K, d, K, d))
        for a in range(K):
            for b in range(a, K):
                curvature = weights * (p[a] * (a == b) - p[a] * p[b])
                hessian[a, :, b] = hessian[b, :, a] = (Z * curvature[:, None]).T @ Z
            hessian[a, :, a] += np.diag(penalty)
        if not reference:  # the common shift of the intercepts is free
            hessian[:, -1, :, -1] += weights.sum() / K**2
        matrix = hessian.reshape(K * d, K * d)
        unit = 1 / np.sqrt(np.maximum(matrix.diagonal(), 1e-300))  # features of 1e6 and the constant 1 weigh the same
        matrix *= unit * unit[:, None]
        matrix[np.diag_indices(K * d)] += 1e-14
        step = (unit * np.linalg.solve(matrix, unit * gradient.ravel())).reshape(K, d)
        decrement = float(np.sqrt(max((gradient * step).sum(), 0.0)))
        if decrement <= tolerance:
            break
        length = 1.0
        while length > 1e-10:
            trial = theta - length * step
            new_value, new_p = losses(trial)
            if new_value <= value - 1e-4 * length * decrement**2:
                break
            length /= 2
        else:  # rounding hides any further decrease
            break
        theta, value, p = trial, new_value, new_p
    full = start * 0
    full[classes - 1 if reference else classes] = theta
    return full, norm, decrement
