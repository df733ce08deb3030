"""Approximate inverse Hessians of the pooled problem, shared by all models of a batch.

The Hessian of a softmax model is sum_i w_i (diag p_i - p_i p_i') (x) x_i x_i' + penalty. Two approximations:

* :func:`kronecker` replaces it by (mean class part) (x) (sum of x x'), diagonal in the principal axes the design is
  given in: next to nothing to apply, any number of features, and exact in the scale of each model's weights;
* :func:`dense` inverts it at the pooled optimum: the fewest iterations, for at most a few thousand coefficients.
"""

from __future__ import annotations

import numpy as np

from harness.api import FloatArray
from harness.models.backend import Backend, Tensor
from harness.models.engine import Precondition


def probabilities(design: FloatArray, theta: FloatArray, reference: bool) -> FloatArray:
    """Class probabilities [K, n] (without class 0 if ``reference``) at theta [K, d]; float64, stable."""
    z = theta @ design.T
    top = np.maximum(z.max(axis=0), 0.0) if reference else z.max(axis=0)
    np.exp(z - top, out=z)
    total: FloatArray = z.sum(axis=0) + (np.exp(-top) if reference else 0.0)
    z /= total
    return z


def kronecker(
    backend: Backend, p: FloatArray, weights: FloatArray, spread: FloatArray, penalty: FloatArray, dtype: str
) -> Precondition:
    """From probabilities p [K, n], weights [n], spread [d] = sum_i w_i x_ij^2 and penalty [d] (0: intercept)."""
    total = weights.sum()
    mean = (np.diag(p @ weights) - (p * weights) @ p.T) / total
    mu, axes = np.linalg.eigh(mean)
    curvature = backend.put(np.maximum(mu, 1e-4 * mu[-1])[:, None] * spread, dtype)
    floor = backend.put(np.where(penalty > 0, penalty, 1e-6 * total), dtype)
    out, back = backend.put(axes.T, dtype), backend.put(axes, dtype)

    def apply(g: Tensor, scale: Tensor) -> Tensor:
        turned = out @ g
        turned /= curvature * scale[:, None, None] + floor
        return back @ turned

    return apply


def dense(
    backend: Backend, design: FloatArray, p: FloatArray, weights: FloatArray, penalty: FloatArray, dtype: str
) -> Precondition:
    """The inverse Hessian at the pooled optimum: design [n, d], p [K, n], weights [n], penalty [d]."""
    n, d = design.shape
    K = len(p)
    root = np.sqrt(weights).astype(np.float32)
    x = design.astype(np.float32) * root[:, None]
    p = p.astype(np.float32)
    mixed = np.empty((n, K, d), np.float32)
    np.multiply(p.T[:, :, None], x[:, None, :], out=mixed)
    rows = mixed.reshape(n, K * d)
    hessian = (-(rows.T @ rows)).astype(np.float64).reshape(K, d, K, d)
    for c in range(K):
        hessian[c, :, c, :] += (x * p[c][:, None]).T @ x + np.diag(penalty)
    if K > 1:  # the intercepts' common shift is free: pin it, it changes no probability
        hessian[:, -1, :, -1] += weights.sum() / K**2
    matrix = hessian.reshape(K * d, K * d)
    matrix[np.diag_indices(K * d)] *= 1 + 1e-6
    inverse = backend.put(np.linalg.inv(matrix), dtype)

    def apply(g: Tensor, scale: Tensor) -> Tensor:
        return (g.reshape(len(g), -1) @ inverse).reshape(g.shape)

    return apply
