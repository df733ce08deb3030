"""What the fixed language models share: checked documents, subsets and weights, and costs in bits.

A document is its bytes and one symbol for its end, so that what a model says adds up to 1 over all documents of any
length, and its cost is a length in bits that no other cutting into documents can lower for nothing. The first byte is
predicted from the same symbol: nothing of one document is context of another. An empty document costs its end alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from harness.api import FloatArray, IntArray, Texts
from harness.errors import ProtocolError
from harness.models.base import LARGEST, ModelSettings, Unfitted

BOUNDARY = 256  # the symbol before and after every document; 0 to 255 are bytes
SYMBOLS = 257


class LanguageSettings(ModelSettings):
    """Base of a language model's settings."""

    learns: ClassVar[Literal["rows", "documents"]] = "documents"

    @abstractmethod
    def build(self, *, device: str, n_classes: int | None) -> FixedLanguageModel:
        """The model with these settings, unfitted; it knows of no classes."""


@dataclass(frozen=True)
class TextBatch:
    """B trainings on the same n documents, checked."""

    documents: Texts
    rows: list[IntArray]  # of each training, in the order given; one may be named twice
    weights: list[FloatArray]  # float64, of each of these rows

    def of_documents(self, b: int) -> FloatArray:
        """Weights [n] float64 of training b: a row named twice has them added up."""
        total: FloatArray = np.bincount(self.rows[b], self.weights[b], minlength=len(self.documents)).astype(np.float64)
        return total


class FittedLanguageModels(ABC):
    """B fitted language models; implements :class:`harness.api.FittedLanguage`.

    Attributes
    ----------
    size: B (1 after ``fit``).
    fits: trainings really carried out.
    """

    size: int
    fits: int
    single: bool = False  # made by fit: answers drop the first axis

    @abstractmethod
    def _bits(self, documents: Texts) -> FloatArray:
        """[B, n] float64."""

    def bits(self, documents: Texts) -> FloatArray:
        """Bits that each whole document costs, its end included: float64 [B, n] after ``fit_many``, [n] after ``fit``.

        Raises ProtocolError where ``documents`` are no :class:`harness.api.Texts`.
        """
        bits = self._bits(checked_texts(documents))
        return bits[0] if self.single else bits

    def bits_per_byte(self, documents: Texts) -> Any:
        """All bits over all bytes of the documents: float64 [B] after ``fit_many``, a float after ``fit``.

        Raises ProtocolError where there is no byte to pay for.
        """
        size = int(np.diff(checked_texts(documents).offsets).sum())
        if not size:
            raise ProtocolError("There is no byte in these documents: bits per byte cannot be said of them.")
        per_byte = self._bits(documents).sum(axis=1) / size
        return float(per_byte[0]) if self.single else per_byte


class FixedLanguageModel(Unfitted, ABC):
    """A fixed language model, unfitted; implements :class:`harness.api.LanguageModel`."""

    @abstractmethod
    def _fit(self, batch: TextBatch) -> FittedLanguageModels:
        """Train all models of a checked batch."""

    def fit(self, documents: Texts, weights: FloatArray | None = None) -> FittedLanguageModels:
        """One model of n documents, ``weights`` [n] >= 0 (default: ones).

        Raises ProtocolError for what are no texts, for none at all, and for weights that are negative or not finite.
        """
        if weights is not None:
            weights = np.asarray(weights)
            if weights.ndim != 1:
                raise ProtocolError(f"weights of fit must have shape [n], got {list(weights.shape)}.")
            weights = weights[None]
        return self._run(check_texts_batch(documents, None, weights), True)

    def fit_many(
        self, documents: Texts, *, subsets: Sequence[IntArray] | None = None, weights: FloatArray | None = None
    ) -> FittedLanguageModels:
        """B models of the same n documents.

        Parameters
        ----------
        documents: at least one; empty ones are allowed.
        subsets: B arrays of row indices; a row named twice counts twice. A model of no document knows nothing: every
            symbol costs log2 257 bits.
        weights: [B, n] >= 0, a row of weights per model. Not with ``subsets``; without both there is one model.

        Raises ProtocolError for what are no texts, indices out of range and weights that are negative or not finite.
        """
        return self._run(check_texts_batch(documents, subsets, weights), False)

    def _run(self, batch: TextBatch, single: bool) -> FittedLanguageModels:
        self._allow(len(batch.rows))
        fitted = self._fit(batch)
        fitted.single = single
        self._count(fitted.fits)
        return fitted


def checked_texts(documents: Any) -> Texts:
    """The documents, or ProtocolError where they are no texts or their boundaries do not fit the bytes."""
    if not isinstance(documents, Texts):
        raise ProtocolError(
            f"documents must be harness.api.Texts, got {type(documents).__name__}.",
            "Texts.of(list_of_strings) makes them.",
        )
    data, offsets = documents.data, documents.offsets
    whole = data.dtype == np.uint8 and data.ndim == 1 and offsets.dtype.kind in "iu" and offsets.ndim == 1
    if not (whole and len(offsets) and offsets[0] == 0 and offsets[-1] == len(data) and (np.diff(offsets) >= 0).all()):
        raise ProtocolError(
            "The boundaries of documents do not fit their bytes.",
            "data is uint8 [total], offsets rise from 0 to total.",
        )
    return documents


def check_texts_batch(documents: Any, subsets: Any, weights: Any) -> TextBatch:
    """What ``fit`` and ``fit_many`` accept as a :class:`TextBatch`; ProtocolError says what is wrong and where."""
    documents = checked_texts(documents)
    n = len(documents)
    if n == 0:
        raise ProtocolError("There are no documents to learn from.")
    if subsets is not None and weights is not None:
        raise ProtocolError("Give weights or subsets, not both: a subset is a row of 0/1 weights.")
    if subsets is not None:
        rows = _subsets(subsets, n)
        return TextBatch(documents, rows, [np.ones(len(one)) for one in rows])
    if weights is None:
        return TextBatch(documents, [np.arange(n)], [np.ones(n)])
    checked = _weights(weights, n)
    rows = [np.flatnonzero(one) for one in checked]
    return TextBatch(documents, rows, [one[live] for one, live in zip(checked, rows, strict=True)])


def _subsets(subsets: Any, n: int) -> list[IntArray]:
    try:
        indices = [np.asarray(one) for one in subsets]
    except (TypeError, ValueError):
        raise ProtocolError(f"subsets must be a list of index arrays, got {type(subsets).__name__}.") from None
    for b, rows in enumerate(indices):
        if rows.ndim != 1 or (rows.size and rows.dtype.kind not in "iu"):
            raise ProtocolError(
                f"subsets[{b}] must be a one-dimensional array of row indices, "
                f"got shape {list(rows.shape)}, dtype {rows.dtype}."
            )
        if rows.size and (rows.min() < 0 or rows.max() >= n):
            bad = int(rows[(rows < 0) | (rows >= n)][0])
            raise ProtocolError(f"subsets[{b}] names document {bad}, but there are documents 0..{n - 1}.")
    return [rows.astype(np.int64) for rows in indices]


def _weights(weights: Any, n: int) -> FloatArray:
    try:
        given = np.asarray(weights)
    except ValueError:
        raise ProtocolError("weights must have shape [B, n]: their rows differ in length.") from None
    if given.ndim != 2 or given.shape[1] != n:
        raise ProtocolError(f"weights must have shape [B, n] with n = {n} documents, got {list(given.shape)}.")
    if given.dtype.kind not in "fiub":
        raise ProtocolError(f"weights must be numbers, got dtype {given.dtype}.")
    checked: FloatArray = given.astype(np.float64)
    bad = ~((checked >= 0) & (checked <= LARGEST))
    if bad.any():
        b, i = np.argwhere(bad)[0]
        raise ProtocolError(f"weights must lie in 0 to {LARGEST:g}, got {given[b, i]} for model {b}, document {i}.")
    return checked
