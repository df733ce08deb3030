"""What ``task.model`` can do: the challenge's fixed model, of rows or of documents."""

from __future__ import annotations

from typing import Any, Protocol

from harness.api.arrays import FloatArray, IntArray
from harness.api.texts import Texts


class Fitted(Protocol):
    """B fitted models over C classes (B = 1 after ``fit``)."""

    classes: int

    def predict_proba(self, X: FloatArray) -> FloatArray:
        """X [n, ...] float32 -> probabilities: [B, n, C] after ``fit_many``, [n, C] after ``fit``."""
        ...

    def predict(self, X: FloatArray) -> IntArray:
        """X [n, ...] float32 -> classes: [B, n] after ``fit_many``, [n] after ``fit``."""
        ...

    def features(self, X: FloatArray) -> FloatArray:
        """X [n, ...] float32 -> what the last, linear layer reads, float32: [B, n, h], or [n, h] after ``fit``.

        For a network the values of its last hidden layer, for a model without one the rows themselves, flattened.
        """
        ...


class Model(Protocol):
    """The challenge's fixed model, unfitted; every call trains from scratch with the pinned settings."""

    @property
    def settings(self) -> Any:
        """The pinned settings, read-only: ``settings.name``, and what that model takes, e.g. ``settings.C`` of logistic."""
        ...

    def fit(self, X: FloatArray, y: IntArray, weights: FloatArray | None = None) -> Fitted:
        """One model. X [n, ...] float32, y [n] int in 0..C-1, weights [n] >= 0 (default: ones)."""
        ...

    def fit_many(
        self,
        X: FloatArray,
        y: IntArray | None = None,
        *,
        weights: FloatArray | None = None,
        labels: IntArray | None = None,
        subsets: list[IntArray] | None = None,
    ) -> Fitted:
        """B models over the same rows: ``weights`` [B, n], or ``labels`` [B, n], or B index arrays ``subsets``."""
        ...


class FittedLanguage(Protocol):
    """B fitted language models (B = 1 after ``fit``)."""

    def bits(self, documents: Texts) -> FloatArray:
        """What each whole document costs, in bits, its end included: float64 [B, n] after ``fit_many``, [n] after ``fit``."""
        ...

    def bits_per_byte(self, documents: Texts) -> Any:
        """All bits over all bytes: float64 [B] after ``fit_many``, a float after ``fit``."""
        ...


class LanguageModel(Protocol):
    """The fixed model of a challenge on text, unfitted; every call trains from scratch with the pinned settings."""

    @property
    def settings(self) -> Any:
        """The pinned settings, read-only: ``settings.name``, and what that model takes, e.g. ``settings.order`` of ngram_lm."""
        ...

    def fit(self, documents: Texts, weights: FloatArray | None = None) -> FittedLanguage:
        """One model of n documents, ``weights`` [n] >= 0 (default: ones)."""
        ...

    def fit_many(
        self, documents: Texts, *, subsets: list[IntArray] | None = None, weights: FloatArray | None = None
    ) -> FittedLanguage:
        """B models of the same documents: B index arrays ``subsets`` (twice named counts twice), or ``weights`` [B, n]."""
        ...
