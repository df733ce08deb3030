"""What all fixed models share: settings, the checked batch of fits, the fitted result."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from harness.api import FloatArray, IntArray
from harness.errors import ProtocolError, SubmissionError

BoolArray = npt.NDArray[np.bool_]


class ModelSettings(BaseModel, ABC):
    """Base of a fixed model's settings: what stands under ``model:`` in a challenge. Unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=False)
    version: ClassVar[int] = 1  # raise it whenever an answer could change
    learns: ClassVar[Literal["rows", "documents"]] = "rows"  # from rows with labels, or from documents
    name: str

    @abstractmethod
    def build(self, *, device: str, n_classes: int | None) -> Any:
        """The model with these settings, unfitted: a :class:`FixedModel`, or what else ``learns`` says."""


@dataclass(frozen=True)
class Batch:
    """B fits over the same n rows, checked.

    ``weights`` and ``labels`` have a first axis of 1 where all fits share them.
    """

    X: FloatArray  # [n, ...] float32, C-contiguous
    labels: IntArray  # [1 or B, n] int64 in 0..classes-1
    weights: FloatArray  # [1 or B, n] float32, >= 0
    size: int  # B
    classes: int  # C

    @property
    def rows(self) -> int:
        """Number of rows n."""
        return int(self.X.shape[0])

    def row(self, b: int) -> tuple[FloatArray, IntArray]:
        """Weights [n] and labels [n] of fit b."""
        return self.weights[b if len(self.weights) > 1 else 0], self.labels[b if len(self.labels) > 1 else 0]

    def present(self) -> BoolArray:
        """[B, C]: classes with a row of positive weight."""
        if len(self.labels) == 1:
            onehot = (np.arange(self.classes) == self.labels.T).astype(np.float32)
            found: BoolArray = self.weights @ onehot > 0
            return found
        present = np.zeros((self.size, self.classes), bool)
        for c in range(self.classes):
            present[:, c] = ((self.labels == c) & (self.weights > 0)).any(axis=1)
        return present

    def keys(self) -> list[bytes]:
        """A digest per fit. Labels of rows without weight are left out: they change nothing."""
        shared = len(self.labels) == 1
        common = self.labels.tobytes() if shared else b""
        prefix = hashlib.blake2b(repr((self.classes, self.rows)).encode() + common, digest_size=16)
        keys = []
        for b in range(self.size):
            key = prefix.copy()
            weights, labels = self.row(b)
            key.update(weights.tobytes())
            if not shared:
                key.update(np.where(weights > 0, labels, -1).tobytes())
            keys.append(key.digest())
        return keys


class FittedModels(ABC):
    """B fitted models; implements :class:`harness.api.Fitted`.

    Attributes
    ----------
    classes: C.
    size: B, the number of models (1 after ``fit``).
    fits: trainings really carried out (identical requests are trained once).
    gradient_norm: [B] float64, Euclidean norm of the objective's gradient (a sum over rows, features
        centred) at the answer, in the precision it was computed in; nan for models that are not trained to an optimum.
    """

    classes: int
    size: int
    fits: int
    gradient_norm: FloatArray
    single: bool = False  # made by fit: answers drop the first axis

    @abstractmethod
    def _proba(self, X: FloatArray) -> FloatArray:
        """X [n, ...] -> [B, n, C] float32."""

    def _features(self, X: FloatArray) -> FloatArray:
        """X [n, ...] -> [B, n, h] float32."""
        return np.broadcast_to(flat_rows(X), (self.size, len(X), int(np.prod(X.shape[1:]))))

    def features(self, X: FloatArray) -> FloatArray:
        """What the last, linear layer reads of X [n, ...]: float32 [B, n, h] after ``fit_many``, [n, h] after ``fit``.

        The values of its last hidden layer for a network, the rows themselves, flattened, for a model without one.
        """
        features = self._features(rows_array(X, "X"))
        return features[0] if self.single else features

    def predict_proba(self, X: FloatArray) -> FloatArray:
        """X [n, ...] float32 -> float32 probabilities [B, n, C] after ``fit_many``, [n, C] after ``fit``."""
        proba = self._proba(rows_array(X, "X"))
        return proba[0] if self.single else proba

    def predict(self, X: FloatArray) -> IntArray:
        """X [n, ...] float32 -> most probable class (the lowest on ties), [B, n] or [n] int64."""
        classes: IntArray = self._proba(rows_array(X, "X")).argmax(axis=-1).astype(np.int64)
        return classes[0] if self.single else classes


@dataclass
class FitCount:
    """Trainings carried out inside :func:`counting_fits`."""

    fits: int = 0


_COUNT: ContextVar[FitCount | None] = ContextVar("fits", default=None)


@contextmanager
def counting_fits() -> Iterator[FitCount]:
    """``with counting_fits() as count:`` leaves in ``count.fits`` how many models of any kind this thread trained inside."""
    count = FitCount()
    token = _COUNT.set(count)
    try:
        yield count
    finally:
        _COUNT.reset(token)


def count_fits(trained: int) -> None:
    """Add to the count of whoever counts in this thread."""
    if count := _COUNT.get():
        count.fits += trained


class Unfitted:
    """What is pinned of any fixed model, and how often it was trained.

    Attributes
    ----------
    settings: the pinned settings.
    fits: trainings carried out by this object so far, or since ``reset``.
    allowed: trainings that it may still carry out, None: as many as it is asked for. ``reset`` gives none back.
    """

    allowed: int | None = None

    def __init__(self, settings: ModelSettings, *, device: str = "auto") -> None:
        self.settings = settings
        self.requested_device = device
        self.fits = 0

    def reset(self) -> None:
        """As new: no answers kept from earlier calls, no fits counted.

        A kept answer may differ in its last bits from one computed among other requests, so a caller who wants the same
        bits whatever went before begins with this.
        """
        self.fits = 0

    def _allow(self, models: int) -> None:
        """Raises SubmissionError where so many more models are over what is allowed; nothing has been trained then."""
        if self.allowed is not None and models > self.allowed:
            raise SubmissionError(
                f"task.model was asked for {models} more models; it may train {self.allowed} more.",
                "The challenge caps what task.model trains; task.max_fits says at how many models.",
            )

    def _count(self, trained: int) -> None:
        """So many models were trained just now."""
        if self.allowed is not None:
            self.allowed -= trained
        self.fits += trained
        count_fits(trained)


class FixedModel(Unfitted, ABC):
    """A fixed classifier, unfitted; implements :class:`harness.api.Model`.

    Attributes
    ----------
    n_classes: C, or None to infer the largest label + 1 at every call.
    """

    def __init__(self, settings: ModelSettings, *, device: str = "auto", n_classes: int | None = None) -> None:
        super().__init__(settings, device=device)
        self.n_classes = n_classes

    @abstractmethod
    def _fit(self, batch: Batch) -> FittedModels:
        """Train all models of a checked batch."""

    def fit(self, X: FloatArray, y: IntArray, weights: FloatArray | None = None) -> FittedModels:
        """One model. X [n, ...] float32, y [n] int in 0..C-1, weights [n] >= 0 (default: ones).

        Raises ProtocolError for wrong shapes, NaN, negative weights or labels out of range.
        """
        if weights is not None:
            weights = np.asarray(weights)
            if weights.ndim != 1:
                raise ProtocolError(f"weights of fit must have shape [n], got {list(weights.shape)}.")
            weights = weights[None]
        return self._run(check_batch(X, y, weights, None, None, self.n_classes), True)

    def fit_many(
        self,
        X: FloatArray,
        y: IntArray | None = None,
        *,
        weights: FloatArray | None = None,
        labels: IntArray | None = None,
        subsets: Sequence[IntArray] | None = None,
    ) -> FittedModels:
        """B models over the same rows.

        Parameters
        ----------
        X: [n, ...] float32.
        y: [n] int in 0..C-1, labels shared by all models; leave out when ``labels`` is given.
        weights: [B, n] >= 0, a row of weights per model.
        labels: [B, n] int in 0..C-1, a label vector per model.
        subsets: B arrays of row indices; a row named twice counts twice (a bag). Not with ``weights``.

        Raises ProtocolError for wrong shapes, NaN, negative weights, labels or indices out of range.
        """
        return self._run(check_batch(X, y, weights, labels, subsets, self.n_classes), False)

    def _run(self, batch: Batch, single: bool) -> FittedModels:
        self._allow(batch.size)
        fitted = self._fit(batch)
        fitted.single = single
        self._count(fitted.fits)
        return fitted


LARGEST = 1e18  # entry of X: squares of larger ones leave float32


def rows_array(X: Any, name: str) -> FloatArray:
    """X as C-contiguous float32 [n, ...] with features and finite entries of bearable size, or ProtocolError."""
    try:
        array = np.ascontiguousarray(X, dtype=np.float32)
    except (TypeError, ValueError):
        raise ProtocolError(f"{name} must be an array of numbers, got {type(X).__name__}.") from None
    if array.ndim < 2:
        raise ProtocolError(f"{name} must have shape [n, ...] with at least two axes, got {list(array.shape)}.")
    if 0 in array.shape[1:]:
        raise ProtocolError(f"{name} has rows without a single feature: its shape is {list(array.shape)}.")
    bad = ~(abs(array) <= LARGEST)
    if bad.any():
        row = int(np.argwhere(bad)[0][0])
        raise ProtocolError(
            f"{name} holds NaN, an infinite value or one beyond {LARGEST:g}, first in row {row}.",
            "Clean or drop such rows.",
        )
    return array


def flat_rows(X: FloatArray) -> FloatArray:
    """[n, ...] -> [n, d], also for n = 0."""
    return X.reshape(len(X), int(np.prod(X.shape[1:])))


def _labels_array(labels: Any, name: str, shape: tuple[int | None, int]) -> IntArray:
    array = np.asarray(labels)
    wanted = "[B, n]" if name == "labels" else "[n]"
    if name == "y" and array.ndim == 1:
        array = array[None]
    if array.ndim != 2 or array.shape[1] != shape[1]:
        raise ProtocolError(
            f"{name} must have shape {wanted} with n = {shape[1]} rows of X, got {list(np.shape(labels))}."
        )
    if array.dtype.kind not in "iu":
        raise ProtocolError(f"{name} must hold integers, got dtype {array.dtype}.")
    if array.size and array.min() < 0:
        raise ProtocolError(f"{name} must lie in 0..C-1, got {int(array.min())}.")
    return array.astype(np.int64, copy=False)


def _subset_weights(subsets: Any, n: int) -> FloatArray:
    try:
        indices = [np.asarray(s) for s in subsets]
    except TypeError:
        raise ProtocolError(f"subsets must be a list of index arrays, got {type(subsets).__name__}.") from None
    weights = np.zeros((len(indices), n), np.float32)
    for b, rows in enumerate(indices):
        if rows.size == 0:
            continue
        if rows.ndim != 1 or rows.dtype.kind not in "iu":
            raise ProtocolError(
                f"subsets[{b}] must be a one-dimensional array of row indices, "
                f"got shape {list(rows.shape)}, dtype {rows.dtype}."
            )
        if rows.min() < 0 or rows.max() >= n:
            bad = int(rows[(rows < 0) | (rows >= n)][0])
            raise ProtocolError(f"subsets[{b}] names row {bad}, but X has rows 0..{n - 1}.")
        weights[b] = np.bincount(rows, minlength=n)
    return weights


def check_batch(X: Any, y: Any, weights: Any, labels: Any, subsets: Any, n_classes: int | None) -> Batch:
    """What ``fit`` and ``fit_many`` accept as a :class:`Batch`; ProtocolError says what is wrong and where."""
    X = rows_array(X, "X")
    n = X.shape[0]
    if (y is None) == (labels is None):
        raise ProtocolError("Give either y [n] (shared labels) or labels [B, n] (one vector per model), and not both.")
    if weights is not None and subsets is not None:
        raise ProtocolError("Give weights or subsets, not both: a subset is a row of 0/1 weights.")
    labels = _labels_array(y, "y", (1, n)) if labels is None else _labels_array(labels, "labels", (None, n))
    sizes = {}
    if y is None:
        sizes["labels"] = labels.shape[0]
    if subsets is not None:
        weights = _subset_weights(subsets, n)
        sizes["subsets"] = weights.shape[0]
    elif weights is not None:
        weights = np.asarray(weights)
        if weights.ndim != 2 or weights.shape[1] != n:
            raise ProtocolError(f"weights must have shape [B, n] with n = {n} rows of X, got {list(weights.shape)}.")
        if weights.dtype.kind not in "fiub":
            raise ProtocolError(f"weights must be numbers, got dtype {weights.dtype}.")
        weights = np.ascontiguousarray(weights, dtype=np.float32)
        bad = ~(np.isfinite(weights) & (weights >= 0))
        if bad.any():
            b, i = np.argwhere(bad)[0]
            raise ProtocolError(f"weights must be finite and >= 0, got {weights[b, i]} for model {b}, row {i}.")
        sizes["weights"] = weights.shape[0]
    else:
        weights = np.ones((1, n), np.float32)
    if len(set(sizes.values())) > 1:
        raise ProtocolError(f"The number of models differs: {sizes}.")
    size = next(iter(sizes.values()), 1)
    largest = int(labels.max()) + 1 if labels.size else 1
    if n_classes is not None and largest > n_classes:
        raise ProtocolError(f"Label {largest - 1} is out of range: the model has classes 0..{n_classes - 1}.")
    return Batch(X, labels, weights, size, n_classes or largest)
