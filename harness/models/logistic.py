"""Multinomial logistic regression with scikit-learn's objective, returned at its optimum, thousands at once."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from harness.api import FloatArray, IntArray
from harness.models.backend import Backend, one_blas_thread, resolve_device
from harness.models.base import Batch, BoolArray, FittedModels, FixedModel, ModelSettings, flat_rows, rows_array
from harness.models.design import Design, Designs, Solution
from harness.models.solver import Requests, solve

AT_ONCE = 8192  # models per call of the solver, fewer where they have
COEFFICIENTS_AT_ONCE = 2**25  # coefficients: 256 MiB in float64


class LogisticSettings(ModelSettings):
    """``C`` > 0 is the inverse strength of the L2 penalty, as in scikit-learn.

    Probabilities are within 1e-3 of the exact optimum (in practice 1e-4) however the fits are batched, ordered or
    placed; ``polish`` brings every fit to a Newton decrement of 1e-8 in float64, at two to three times the cost.
    """

    version: ClassVar[int] = 2  # 2: another path to the same optimum, other last bits
    name: Literal["logistic"] = "logistic"
    C: float = Field(1.0, gt=0, le=1e9)
    polish: bool = False

    def build(self, *, device: str, n_classes: int | None) -> Logistic:
        return Logistic(self, device=device, n_classes=n_classes)


class FittedLogistic(FittedModels):
    """B models in the coordinates of their design.

    ``present`` [B, C] says which classes had a row of positive weight; an absent class has probability 0, and a
    model without any row answers 1/C for every class.
    """

    def __init__(
        self, design: Design, theta: FloatArray, present: BoolArray, norms: FloatArray, backend: Backend
    ) -> None:
        self.design, self.theta, self.present, self.backend = design, theta, present, backend
        self.gradient_norm = norms
        self.size, self.classes = present.shape
        self._shift = np.where(present | ~present.any(axis=1, keepdims=True), 0.0, -np.inf).astype(np.float32)

    @property
    def coef(self) -> FloatArray:
        """Coefficients [B, C, d] in the features as given (class 0's are zero where C = 2)."""
        weights = self.theta[:, :, :-1].astype(np.float64)
        return weights if self.design.axes is None else weights @ self.design.axes.T

    @property
    def intercept(self) -> FloatArray:
        """Intercepts [B, C]."""
        return self.theta[:, :, -1].astype(np.float64) - self.coef @ self.design.mean

    def _logits(self, Z: FloatArray, part: slice) -> FloatArray:
        """[b, C, m] for the models of ``part``; -inf for absent classes."""
        theta, b = self.theta[part], self._shift[part]
        # a product per model, not one for all: a model's last bits then do not depend on its neighbours
        with one_blas_thread():
            logits = self.backend.get(self.backend.xp.matmul(self.backend.put(theta), self.backend.put(Z.T)))
        return logits + b[:, :, None]

    def _parts(self, rows: int) -> list[slice]:
        size = max(1, 2_000_000 // max(rows * self.classes, 1))
        return [slice(i, i + size) for i in range(0, self.size, size)]

    def _proba(self, X: FloatArray) -> FloatArray:
        Z = self.design.coordinates(flat_rows(X))
        out = np.empty((self.size, len(X), self.classes), np.float32)
        for part in self._parts(len(X)):
            z = self._logits(Z, part)
            z -= z.max(axis=1, keepdims=True)
            np.exp(z, out=z)
            z /= z.sum(axis=1, keepdims=True)
            out[part] = z.transpose(0, 2, 1)
        return out

    def predict(self, X: FloatArray) -> IntArray:
        """X [n, ...] float32 -> most probable class (the lowest on ties), [B, n] or [n] int64."""
        rows = rows_array(X, "X")
        Z = self.design.coordinates(flat_rows(rows))
        out = np.empty((self.size, len(rows)), np.int64)
        for part in self._parts(len(rows)):
            out[part] = self._logits(Z, part).argmax(axis=1)
        return out[0] if self.single else out


class Logistic(FixedModel):
    """argmin of sum_i w_i CE_i + ||W||^2 / (2 C), intercept unpenalised.

    Two classes (n_classes = 2) share one coefficient vector, as in scikit-learn; more have one each, also
    when a fit sees only some of the classes: its answer is then the limit of the other rows' weights to 0.
    Equal requests are solved once, and remembered while the data set is among the last few this object saw.
    """

    settings: LogisticSettings

    def __init__(self, settings: ModelSettings, *, device: str = "auto", n_classes: int | None = None) -> None:
        super().__init__(settings, device=device, n_classes=n_classes)
        self._designs = Designs()

    def reset(self) -> None:
        super().reset()
        self._designs = Designs()

    def _fit(self, batch: Batch) -> FittedModels:
        backend = Backend.of(resolve_device(self.requested_device))
        design = self._designs.of(flat_rows(batch.X))
        shape = (batch.size, batch.rows)
        present = batch.present()
        trivial = present.sum(axis=1) < 2
        keys = batch.keys()
        found, fresh = design.solved.split(keys, np.flatnonzero(~trivial))
        todo = list(fresh.items())
        at_once = min(AT_ONCE, max(COEFFICIENTS_AT_ONCE // (batch.classes * design.Z.shape[1]), 32))
        for start in range(0, len(todo), at_once):
            part = todo[start : start + at_once]
            rows = np.array([row for _, row in part])
            requests = Requests(
                design.Z,
                np.ascontiguousarray(np.broadcast_to(batch.weights, shape)[rows]),
                batch.labels[rows] if len(batch.labels) > 1 else batch.labels,
                present[rows],
                self.settings.C,
            )
            theta, norms = solve(requests, backend, self.settings.polish)
            for (key, _), one, norm in zip(part, theta.astype(np.float32), norms, strict=True):
                found[key] = Solution(one, float(norm))
                design.solved.put(key, found[key], one.nbytes)
        K = 1 if batch.classes == 2 else batch.classes
        stacked = np.zeros((batch.size, batch.classes, design.Z.shape[1]), np.float32)
        gradient_norm = np.zeros(batch.size)
        for b in np.flatnonzero(~trivial):
            stacked[b, -K:], gradient_norm[b] = found[keys[b]].theta, found[keys[b]].gradient_norm
        fitted = FittedLogistic(design, stacked, present, gradient_norm, backend)
        fitted.fits = len(fresh)
        return fitted
