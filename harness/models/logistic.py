"""Multinomial logistic regression with scikit-learn's objective, returned at its optimum."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from harness.api import FloatArray
from harness.errors import HarnessError, ProtocolError
from harness.models.base import Batch, BoolArray, FittedModels, FixedModel, ModelSettings


class LogisticSettings(ModelSettings):
    """``C`` > 0 is the inverse strength of the L2 penalty, as in scikit-learn."""

    version: ClassVar[int] = 1
    name: Literal["logistic"] = "logistic"
    C: float = Field(1.0, gt=0, le=1e12)

    def build(self, *, device: str, n_classes: int | None) -> Logistic:
        return Logistic(self, device=device, n_classes=n_classes)


class FittedLogistic(FittedModels):
    """Coefficients of B models; ``present`` [B, C] says which classes had a row of positive weight.

    An absent class has probability 0. A model without any row answers 1/C for every class.
    """

    def __init__(
        self,
        coef: FloatArray,
        intercept: FloatArray,
        present: BoolArray,
        gradient_norm: FloatArray,
        fits: int,
        single: bool,
    ) -> None:
        self.coef, self.intercept, self.present = coef, intercept, present  # [B, C, d], [B, C], [B, C]
        self.gradient_norm, self.fits, self.single = gradient_norm, fits, single
        self.size, self.classes = present.shape

    def _proba(self, X: FloatArray) -> FloatArray:
        flat = X.reshape(len(X), -1).astype(np.float64)
        if flat.shape[1] != self.coef.shape[2]:
            raise ProtocolError(
                f"X has {flat.shape[1]} features, the model was fitted on {self.coef.shape[2]}."
            )
        out = np.empty((self.size, len(X), self.classes), np.float32)
        for b in range(self.size):
            z = flat @ self.coef[b].T + self.intercept[b]
            z[:, ~self.present[b]] = -np.inf
            if not self.present[b].any():
                z[:] = 0.0
            z -= z.max(axis=1, keepdims=True)
            np.exp(z, out=z)
            out[b] = z / z.sum(axis=1, keepdims=True)
        return out


class Logistic(FixedModel):
    """argmin of sum_i w_i CE_i + ||W||^2 / (2 C), intercept unpenalised.

    Two classes (n_classes = 2) share one coefficient vector, as in scikit-learn; more have one each, also
    when a fit sees only some of the classes: its answer is then the limit of the other rows' weights to 0.
    """

    settings: LogisticSettings

    def _fit(self, batch: Batch, single: bool) -> FittedModels:
        X = batch.X.reshape(batch.rows, -1).astype(np.float64)
        B, C, d = batch.size, batch.classes, X.shape[1]
        coef, intercept = np.zeros((B, C, d)), np.zeros((B, C))
        present, norm = np.zeros((B, C), bool), np.zeros(B)
        for b in range(B):
            w = batch.weights[b if len(batch.weights) > 1 else 0].astype(np.float64)
            y = batch.labels[b if len(batch.labels) > 1 else 0]
            live = w > 0
            present[b, np.unique(y[live])] = True
            classes = np.flatnonzero(present[b])
            if len(classes) >= 2:
                theta, norm[b] = _solve(
                    X[live], np.searchsorted(classes, y[live]), w[live], len(classes), C == 2, self.settings.C
                )
                coef[b, classes], intercept[b, classes] = theta[:, :-1], theta[:, -1]
        return FittedLogistic(coef, intercept, present, norm, B, single)


def _solve(
    X: FloatArray, y: FloatArray, w: FloatArray, k: int, binary: bool, C: float
) -> tuple[FloatArray, float]:
    """L-BFGS in float64 to a gradient of 1e-6 (largest entry): theta [k, d + 1] and that gradient."""
    from scipy.optimize import minimize

    n, d = X.shape
    design = np.hstack([X, np.ones((n, 1))])
    onehot = np.eye(k)[y]

    def objective(flat: FloatArray) -> tuple[float, FloatArray]:
        theta = flat.reshape(-1, d + 1)
        z = design @ theta.T
        if binary:
            z = np.hstack([np.zeros((n, 1)), z])
        z -= z.max(axis=1, keepdims=True)
        log_norm = np.log(np.exp(z).sum(axis=1))
        residual = w[:, None] * (np.exp(z - log_norm[:, None]) - onehot)
        value = float(w @ (log_norm - z[np.arange(n), y])) + float((theta[:, :-1] ** 2).sum()) / (2 * C)
        gradient = (residual[:, 1:] if binary else residual).T @ design
        gradient[:, :-1] += theta[:, :-1] / C
        return value, gradient.ravel()

    start = np.zeros((1 if binary else k) * (d + 1))
    options = {"maxiter": 20000, "maxfun": 40000, "gtol": 1e-7, "ftol": 0.0, "maxls": 60, "maxcor": 20}
    found = minimize(objective, start, jac=True, method="L-BFGS-B", options=options)
    norm = float(np.abs(found.jac).max())
    if not norm < 1e-2:
        raise HarnessError(
            f"Logistic regression did not converge: gradient {norm:.2g} after {found.nit} steps."
        )
    theta = found.x.reshape(-1, d + 1)
    return (np.vstack([np.zeros((1, d + 1)), theta]) if binary else theta), norm
