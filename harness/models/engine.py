"""Many logistic regressions at once: a batched, preconditioned L-BFGS over one shared design.

All models of a chunk step together, so that the work is matrix products on large blocks:

* logits of B models over n shared rows are ONE product [B*K, d] x [d, n], their gradients one [B*K, n] x [n, d];
* the residual's constant part, sum_i w_i onehot(y_i) x_i, is computed once, so an iteration needs neither labels
  nor a softmax: three passes over the logits (exp, sum, scale);
* the direction is the compact form of L-BFGS (Byrd, Nocedal and Schnabel 1994, Mathematical Programming 63) around
  a preconditioner shared by all models: two matrix-vector products with the history instead of a recursion;
* the objective is convex and its optimum is all that is asked for, so steps are judged by slopes alone:
  no loss is ever computed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from harness.models.backend import Backend, Tensor

Precondition = Callable[[Tensor, Tensor], Tensor]
"""(gradient [b, K, d], scale [b]) -> approximate inverse Hessian times gradient."""


@dataclass
class Chunk:
    """B problems that step together. All arrays of one dtype, on one device.

    ``design_t`` [d, n] is shared, or [B, d, n] holds each model's own rows. K is C, or 1 for two classes, where the
    logit of class 0 is fixed at 0 (``reference``).
    """

    design_t: Tensor  # [d, n] or [B, d, n]
    weights: Tensor  # [B, n]
    target: Tensor  # [B, K, d]: sum_i w_i onehot(y_i) x_i
    penalty: Tensor  # [d]: 1/C, 0 for the intercept
    present: Tensor  # [B, K] 1.0 for classes with a row of positive weight; others stay out of the model
    scale: Tensor  # [B] total weight over the total weight the preconditioner was made for
    reference: bool


@dataclass
class Found:
    """Where a chunk ended. ``decrement`` is the Newton decrement estimated by L-BFGS: sqrt(2 (f - f*)) near f*."""

    theta: Tensor  # [B, K, d]
    decrement: Tensor  # [B]
    gradient_norm: Tensor  # [B] Euclidean norm
    evaluations: int


def gradient(backend: Backend, chunk: Chunk, theta: Tensor, buffer: Tensor) -> Tensor:
    """Gradient [B, K, d] of every model's objective at theta [B, K, d]; ``buffer`` [B, K, n] is overwritten."""
    xp = backend.xp
    B, K, d = theta.shape
    n = buffer.shape[2]
    design = chunk.design_t.swapaxes(-1, -2)
    if design.ndim == 2:
        xp.matmul(theta.reshape(B * K, d), chunk.design_t, out=buffer.reshape(B * K, n))
    else:
        xp.matmul(theta, chunk.design_t, out=buffer)
    xp.exp(buffer, out=buffer)
    if not chunk.reference:
        buffer *= chunk.present[:, :, None]
    total = buffer.sum(1)
    if chunk.reference:
        total += 1
    xp.divide(chunk.weights, total, out=total)
    buffer *= total[:, None, :]
    if design.ndim == 2:
        found = (buffer.reshape(B * K, n) @ design).reshape(B, K, d)
    else:
        found = xp.matmul(buffer, design)
    found -= chunk.target
    found += theta * chunk.penalty
    return found


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # a step too long is seen by its slope and shortened
def minimise(
    backend: Backend,
    chunk: Chunk,
    theta: Tensor,
    precondition: Precondition,
    tolerance: Tensor,
    max_evaluations: int = 200,
    memory: int = 12,
    patience: int = 20,
) -> Found:
    """Batched L-BFGS from theta [B, K, d] until every model's decrement is at most its ``tolerance`` [B].

    Models leave the batch as they converge. What has not converged after ``max_evaluations``, or has not halved its
    decrement within ``patience`` of them (rounding, mostly), comes back with the decrement it reached.
    """
    xp = backend.xp
    B, K, d = theta.shape
    dtype = "float64" if theta.dtype == backend.dtype("float64") else "float32"
    n = chunk.design_t.shape[-1]
    answer = Found(theta + 0, backend.zeros((B,), dtype) + float("inf"), backend.zeros((B,), dtype), 0)
    ids = backend.put(np.arange(B))
    buffer = backend.empty((B, K, n), dtype)
    pairs = backend.zeros((B, 2 * memory, K * d), dtype)  # s_0, z_0, s_1, z_1, ...; z = preconditioned y
    inverse_r = backend.zeros((B, memory, memory), dtype)  # inverse of R, upper triangle of S'Y
    gram = backend.zeros((B, memory, memory), dtype)  # Y'Z
    best = answer.decrement + 0  # decrement when it last halved, and at which evaluation
    since = backend.zeros((B,), dtype)
    length = backend.zeros((B,), dtype) + 1
    k = 0

    def conditioned(g: Tensor) -> Tensor:
        return _centred(precondition(g, chunk.scale), chunk)

    theta = _centred(theta + 0, chunk)
    g = gradient(backend, chunk, theta, buffer)
    answer.evaluations = 1
    h = conditioned(g)
    while True:
        flat_g = g.reshape(len(ids), -1)
        step = h.reshape(len(ids), -1) + 0
        if k:
            used, r, y_z = pairs[:, : 2 * k], inverse_r[:, :k, :k], gram[:, :k, :k]
            dots = (used @ flat_g[:, :, None])[:, :, 0]
            ru = (r @ dots[:, 0::2, None])[:, :, 0]
            a = (r.swapaxes(1, 2) @ (ru + (y_z @ ru[:, :, None])[:, :, 0] - dots[:, 1::2])[:, :, None])[:, :, 0]
            mix = xp.stack([a, -ru], 2).reshape(len(ids), 1, 2 * k)
            step += (mix @ used)[:, 0]
        slope = -_dot(flat_g, step)  # minus the squared decrement
        uphill = slope > 0
        if bool(uphill.any()):  # rounding spoilt the history of these models: take the plain step
            step = xp.where(uphill[:, None], h.reshape(len(ids), -1), step)
            slope = -_dot(flat_g, step)
        decrement = xp.sqrt(abs(slope))
        done = (decrement <= tolerance) | ~xp.isfinite(decrement)
        halved = decrement < 0.5 * best
        best, since = xp.where(halved, decrement, best), xp.where(halved, answer.evaluations + 0 * since, since)
        done = done | (since < answer.evaluations - patience)
        if answer.evaluations >= max_evaluations:
            done = done | True
        finished = int(done.sum())
        if finished and finished * 4 >= len(ids):
            where = ids[done]
            answer.theta[where], answer.decrement[where] = theta[done], decrement[done]
            answer.gradient_norm[where] = xp.sqrt(_dot(flat_g[done], flat_g[done]))
            if finished == len(ids):
                return answer
            keep = ~done
            chunk = _select(chunk, keep)
            ids, theta, g, h, step, slope, length = (x[keep] for x in (ids, theta, g, h, step, slope, length))
            tolerance, best, since = tolerance[keep], best[keep], since[keep]
            pairs, inverse_r, gram = pairs[keep], inverse_r[keep], gram[keep]
            buffer = buffer[: len(ids)]
        s = -length[:, None] * step
        trial = theta + s.reshape(theta.shape)
        new_g = gradient(backend, chunk, trial, buffer)
        new_h = conditioned(new_g)
        answer.evaluations += 1
        y, z = (new_g - g).reshape(len(ids), -1), (new_h - h).reshape(len(ids), -1)
        curvature = _dot(s, y)
        valid = xp.isfinite(curvature) & (curvature > 1e-6 * length * abs(slope))
        # a step is good when the slope at its end is not steep uphill; otherwise the model stays where it is, and
        # the curvature just seen shortens its next step
        good = -_dot(new_g.reshape(len(ids), -1), step) <= 0.5 * abs(slope)
        length = xp.where(good | valid, 1 + 0 * length, 0.1 * length)
        bad = ~good
        if bool(bad.any()):
            trial[bad], new_g[bad], new_h[bad] = theta[bad], g[bad], h[bad]
        if not bool(valid.all()):
            curvature = xp.where(valid, curvature, 1 + 0 * curvature)
            for x in (s, y, z):
                x[~valid] = 0
        if k == memory:
            pairs[:, :-2] = pairs[:, 2:] + 0
            inverse_r[:, :-1, :-1] = inverse_r[:, 1:, 1:] + 0
            gram[:, :-1, :-1] = gram[:, 1:, 1:] + 0
            k -= 1
        size = (1 / xp.sqrt(curvature))[:, None]
        y *= size
        pairs[:, 2 * k] = s * size
        pairs[:, 2 * k + 1] = z * size
        dots = (pairs[:, : 2 * k + 2] @ y[:, :, None])[:, :, 0]
        gram[:, : k + 1, k] = dots[:, 1::2]
        gram[:, k, : k + 1] = dots[:, 1::2]
        inverse_r[:, k, k] = 1
        if k:
            inverse_r[:, :k, k] = -(inverse_r[:, :k, :k] @ dots[:, 0 : 2 * k : 2, None])[:, :, 0]
        k += 1
        theta, g, h = trial, new_g, new_h


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """[b] from [b, m] and [b, m]."""
    return (a[:, None, :] @ b[:, :, None])[:, 0, 0]


def _centred(theta: Tensor, chunk: Chunk) -> Tensor:
    """In place: absent classes out, the coefficients of the present ones sum to zero (no freedom left over)."""
    if not chunk.reference:
        mask = chunk.present[:, :, None]
        theta *= mask
        theta -= mask * (theta.sum(1) / chunk.present.sum(1)[:, None])[:, None, :]
    return theta


def _select(chunk: Chunk, keep: Tensor) -> Chunk:
    """The chunk's models where ``keep`` [B] is true."""
    return Chunk(
        design_t=chunk.design_t[keep] if chunk.design_t.ndim == 3 else chunk.design_t,
        weights=chunk.weights[keep],
        target=chunk.target[keep],
        penalty=chunk.penalty,
        present=chunk.present[keep],
        scale=chunk.scale[keep],
        reference=chunk.reference,
    )
