"""Many logistic regressions at once: a batched, preconditioned L-BFGS over one shared design.

All models of a chunk step together, so that the work is matrix products on large blocks:

* logits of B models over n shared rows are ONE product [B*K, d] x [d, n], their gradients one [B*K, n] x [n, d];
* the residual's constant part, sum_i w_i onehot(y_i) x_i, is computed once, so an iteration needs neither labels
  nor a softmax: three passes over the logits (exp, sum, scale);
* the direction is the compact form of L-BFGS (Byrd, Nocedal and Schnabel 1994, Mathematical Programming 63) around
  a preconditioner shared by all models: the history is read twice a step, and there is no recursion;
* the objective is convex and its optimum is all that is asked for, so steps are judged by slopes alone:
  no loss is ever computed;
* no model waits for another's line search: one that went too far stays where it is for a turn, with the curvature
  it saw on its way.
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
    projection: Tensor | None  # [B, K, K] on to coefficients that sum to 0 over the present classes; None: reference
    scale: Tensor  # [B] total weight over the total weight the preconditioner was made for
    reference: bool


@dataclass
class Found:
    """Where a chunk ended. ``decrement`` is the Newton decrement estimated by L-BFGS: sqrt(2 (f - f*)) near f*.

    Where it is at most the tolerance, ``theta`` is one step beyond the point at which it and the gradient's norm
    were found: the step is known by then, needs no evaluation and leaves about a third of the distance.
    """

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
    total = buffer[:, 0] + 1 if chunk.reference else (chunk.present[:, None, :] @ buffer)[:, 0]
    xp.divide(chunk.weights, total, out=total)
    buffer *= total[:, None, :]
    found = (buffer.reshape(B * K, n) @ design).reshape(B, K, d) if design.ndim == 2 else xp.matmul(buffer, design)
    found -= chunk.target
    found += theta * chunk.penalty
    if not chunk.reference:
        found *= chunk.present[:, :, None]
    return found


class _History:
    """Pairs (s, z) of steps and preconditioned changes of the gradient, scaled so that s'y = 1, oldest first.

    The direction is h + [S Z] times a small vector that depends on S'g and Z'g alone (the compact form), so a step
    reads the pairs twice: once for both products, once for the direction.
    """

    def __init__(self, backend: Backend, B: int, size: int, memory: int, dtype: str) -> None:
        self.backend, self.memory, self.k = backend, memory, 0
        self.pairs = backend.empty((B, 2 * memory, size), dtype)  # s_0, z_0, s_1, z_1, ...
        self.inverse_r = backend.zeros((B, memory, memory), dtype)  # inverse of R, upper triangle of S'Y
        self.gram = backend.zeros((B, memory, memory), dtype)  # Y'Z
        self.two = backend.empty((B, 2, size), dtype)  # what the pairs are multiplied with: y and the gradient
        self.dots: Tensor = backend.zeros((B, 0), dtype)  # of all pairs with the gradient

    def direction(self, h: Tensor) -> Tensor:
        """Approximate inverse Hessian times the gradient [b, m], from the preconditioned gradient h [b, m]."""
        k = self.k
        if not k:
            return h
        r, dots = self.inverse_r[:, :k, :k], self.dots
        ru = (r @ dots[:, 0::2, None])[:, :, 0]
        inner = ru + (self.gram[:, :k, :k] @ ru[:, :, None])[:, :, 0] - dots[:, 1::2]
        a = (r.swapaxes(1, 2) @ inner[:, :, None])[:, :, 0]
        mix = self.backend.xp.stack([a, -ru], 2).reshape(len(h), 1, 2 * k)
        step: Tensor = (mix @ self.pairs[:, : 2 * k])[:, 0]
        step += h
        return step

    def add(self, s: Tensor, y: Tensor, z: Tensor, curvature: Tensor, g: Tensor) -> None:
        """One more pair, [b, m] each, with ``curvature`` s'y > 0 [b]; g is the gradient of the next direction."""
        xp, pairs = self.backend.xp, self.pairs
        if self.k == self.memory:
            pairs[:, :-2] = pairs[:, 2:] + 0
            for square in (self.inverse_r, self.gram):
                square[:, :-1, :-1] = square[:, 1:, 1:] + 0
            self.k -= 1
        k = self.k
        size = (1 / xp.sqrt(curvature))[:, None]
        xp.multiply(s, size, out=pairs[:, 2 * k])
        xp.multiply(z, size, out=pairs[:, 2 * k + 1])
        xp.multiply(y, size, out=self.two[: len(y), 0])
        self.two[: len(y), 1] = g
        both = pairs[:, : 2 * k + 2] @ self.two[: len(y)].swapaxes(1, 2)
        dots, self.dots = both[:, :, 0], both[:, :, 1]
        self.gram[:, : k + 1, k] = dots[:, 1::2]
        self.gram[:, k, : k + 1] = dots[:, 1::2]
        self.inverse_r[:, k, k] = 1
        if k:
            self.inverse_r[:, :k, k] = -(self.inverse_r[:, :k, :k] @ dots[:, 0 : 2 * k : 2, None])[:, :, 0]
        self.k += 1

    def select(self, keep: Tensor) -> None:
        """Only the models where ``keep`` [b] is true."""
        used = self.pairs[:, : 2 * self.k][keep]
        self.pairs = self.pairs[: len(used)]
        self.pairs[:, : 2 * self.k] = used
        self.inverse_r, self.gram, self.dots = self.inverse_r[keep], self.gram[keep], self.dots[keep]


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

    Models leave the batch as they converge, each by the step that its last direction proposes. What has not
    converged after ``max_evaluations``, or has not halved its decrement within ``patience`` of them (rounding,
    mostly), comes back with the decrement it reached.
    """
    xp = backend.xp
    B, K, d = theta.shape
    dtype = "float64" if theta.dtype == backend.dtype("float64") else "float32"
    answer = Found(theta + 0, backend.zeros((B,), dtype) + float("inf"), backend.zeros((B,), dtype), 0)
    ids = backend.put(np.arange(B))
    buffer = backend.empty((B, K, chunk.design_t.shape[-1]), dtype)
    history = _History(backend, B, K * d, memory, dtype)
    best = answer.decrement + 0  # decrement when it last halved, and at which evaluation
    since = backend.zeros((B,), dtype)
    length = backend.zeros((B,), dtype) + 1
    again = length < 0  # models whose last step was not good

    def at(flat: Tensor) -> tuple[Tensor, Tensor]:
        """Gradient and preconditioned gradient [b, K * d] at theta [b, K * d]."""
        g = gradient(backend, chunk, flat.reshape(len(flat), K, d), buffer)
        return g.reshape(len(flat), -1), _centred(precondition(g, chunk.scale), chunk).reshape(len(flat), -1)

    theta = _centred(theta, chunk).reshape(B, -1) + 0
    g, h = at(theta)
    answer.evaluations = 1
    while True:
        step = history.direction(h)
        slope = -_dot(g, step)  # minus the squared decrement
        uphill = slope > 0
        if bool(uphill.any()):  # rounding spoilt the history of these models: take the plain step
            step = xp.where(uphill[:, None], h, step)
            slope = -_dot(g, step)
        decrement = xp.sqrt(abs(slope))
        halved = decrement < 0.5 * best
        best, since = xp.where(halved, decrement, best), xp.where(halved, answer.evaluations + 0 * since, since)
        done = (decrement <= tolerance) | ~xp.isfinite(decrement) | (since < answer.evaluations - patience)
        if answer.evaluations >= max_evaluations:
            done = done | True
        finished = int(done.sum())
        if finished and finished * 4 >= len(ids):
            where, last = ids[done], decrement <= tolerance
            answer.theta[where] = (theta - xp.where(last[:, None], step, 0 * step))[done].reshape(-1, K, d)
            answer.decrement[where], answer.gradient_norm[where] = decrement[done], xp.sqrt(_dot(g, g))[done]
            if finished == len(ids):
                return answer
            keep = ~done
            chunk = _select(chunk, keep)
            history.select(keep)
            ids, theta, g, h, step, slope, length = (x[keep] for x in (ids, theta, g, h, step, slope, length))
            tolerance, best, since, again = tolerance[keep], best[keep], since[keep], again[keep]
            buffer = buffer[: len(ids)]
        s = step * -length[:, None]
        trial = theta + s
        new_g, new_h = at(trial)
        answer.evaluations += 1
        y, z = new_g - g, new_h - h
        curvature = _dot(s, y)
        valid = xp.isfinite(curvature) & (curvature > 1e-6 * length * abs(slope))
        # a step is good when the slope at its end is not steep uphill; otherwise the model stays where it is, and
        # the curvature just seen shortens its next step, or a factor where there is none or it was not enough
        bad = ~(-_dot(new_g, step) <= 0.5 * abs(slope))
        length = xp.where(bad, xp.where(valid & ~again, length, 0.3 * length), 1 + 0 * length)
        again = bad
        if bool(bad.any()):
            trial[bad], new_g[bad], new_h[bad] = theta[bad], g[bad], h[bad]
        if not bool(valid.all()):  # a pair of zeros changes nothing
            curvature = xp.where(valid, curvature, 1 + 0 * curvature)
            s[~valid], y[~valid], z[~valid] = 0, 0, 0
        theta, g, h = trial, new_g, new_h
        history.add(s, y, z, curvature, g)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """[b] from [b, m] and [b, m]."""
    return (a[:, None, :] @ b[:, :, None])[:, 0, 0]


def _centred(theta: Tensor, chunk: Chunk) -> Tensor:
    """Absent classes out, the coefficients of the present ones sum to zero (no freedom left over)."""
    return theta if chunk.projection is None else chunk.projection @ theta


def _select(chunk: Chunk, keep: Tensor) -> Chunk:
    """The chunk's models where ``keep`` [B] is true."""
    return Chunk(
        design_t=chunk.design_t[keep] if chunk.design_t.ndim == 3 else chunk.design_t,
        weights=chunk.weights[keep],
        target=chunk.target[keep],
        penalty=chunk.penalty,
        present=chunk.present[keep],
        projection=None if chunk.projection is None else chunk.projection[keep],
        scale=chunk.scale[keep],
        reference=chunk.reference,
    )
