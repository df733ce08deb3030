"""The nearest class mean as a fixed model. This module is shown to submissions: it imports numpy and harness.models."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from pydantic import Field

from harness.models import FittedModels, FixedModel, ModelSettings
from harness.models.base import Batch, flat_rows


class CentroidSettings(ModelSettings):
    """``temperature``: probabilities are a softmax of minus squared distances over it."""

    name: Literal["centroid"] = "centroid"
    temperature: float = Field(1.0, gt=0)

    def build(self, *, device: str, n_classes: int | None) -> FixedModel:
        return Centroid(self, device=device, n_classes=n_classes)


class Centroid(FixedModel):
    """Weighted mean of every class; a class without rows is never predicted."""

    settings: CentroidSettings

    def _fit(self, batch: Batch) -> FittedModels:
        X = flat_rows(batch.X)
        means = np.full((batch.size, batch.classes, X.shape[1]), np.inf, np.float32)
        for b in range(batch.size):
            weights, labels = batch.row(b)
            for c in np.unique(labels[weights > 0]):
                of_class = np.where(labels == c, weights, 0)
                means[b, c] = of_class @ X / of_class.sum()
        return Centroids(means, self.settings.temperature)


class Centroids(FittedModels):
    """Fitted: means [B, C, d]."""

    def __init__(self, means: Any, temperature: float) -> None:
        self.means = means
        self.temperature = temperature
        self.size, self.classes = means.shape[:2]
        self.fits = self.size
        self.gradient_norm = np.full(self.size, np.nan)

    def _proba(self, X: Any) -> Any:
        flat = flat_rows(X)
        with np.errstate(invalid="ignore"):
            far = ((flat[None, :, None, :] - self.means[:, None]) ** 2).sum(axis=-1)
        score = np.exp(-(far - far.min(axis=-1, keepdims=True)) / self.temperature)
        return (score / score.sum(axis=-1, keepdims=True)).astype(np.float32)
