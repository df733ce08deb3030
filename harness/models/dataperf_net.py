"""The fixed model of DataPerf's vision debugging (Mazumder et al. 2023, arXiv:2207.10062), answer for answer.

Two linear layers without a non-linearity, 2048 -> 128 -> 1, BCE with logits, AdamW (lr 0.01, weight decay
0.9), batches of 64 in row order, 20 epochs, ``torch.manual_seed(42)`` before the layers are built. The
decision threshold is the one of 0.10, 0.15, ..., 0.95 with the highest accuracy on the training rows under
the labels trained on (rounded to 2 decimals before comparing, lowest on ties); class 1 is predicted strictly
above it.

Without a non-linearity the first layer's gradient is the outer product of the second layer and one sum over
rows, so a step needs three matrix-vector products where the original does two matrix products: sixty times
fewer operations, leaving AdamW itself. Its rounding differs in the last bits, so every answer that a deviation of
``DOUBT`` in any output could change is computed again as in the original (:func:`train_as_original`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.api import FloatArray, IntArray
from harness.errors import ProtocolError
from harness.models.backend import Backend, torch_threads
from harness.models.base import BoolArray, count_fits

if TYPE_CHECKING:
    import torch

EPOCHS, BATCH, HIDDEN, SEED = 20, 64, 128, 42
LEARNING_RATE, WEIGHT_DECAY = 0.01, 0.9
THRESHOLDS = np.arange(0.1, 1, 0.05)
DOUBT = 3e-4  # of a sigmoid output; the largest deviation seen is 1.8e-4, the usual one 1e-6


def legacy_accuracies(
    X_train: FloatArray, labels: IntArray, X_test: FloatArray, y_test: IntArray
) -> tuple[FloatArray, BoolArray]:
    """Train the debugging net on every label vector and test it.

    Parameters
    ----------
    X_train: [n, d] float32 (n = 300, d = 2048 in the original).
    labels: [B, n] int 0/1, a label vector per training; equal vectors are trained once.
    X_test, y_test: [m, d] float32 and [m] int 0/1.

    Returns
    -------
    accuracies [B] float64, each rounded to 2 decimals, and correct [B, m] bool, which test rows were right.

    Raises ProtocolError for wrong shapes or labels other than 0 and 1.
    """
    import torch

    labels, y_test = np.asarray(labels), np.asarray(y_test)
    if X_train.ndim != 2 or labels.ndim != 2 or labels.shape[1] != len(X_train):
        raise ProtocolError(f"labels must be [B, n] for X_train [n, d], got {labels.shape} for {X_train.shape}.")
    if X_test.ndim != 2 or X_test.shape[1] != X_train.shape[1] or y_test.shape != (len(X_test),):
        raise ProtocolError(f"X_test must be [m, d] with y_test [m], got {X_test.shape} and {y_test.shape}.")
    if not (np.isin(labels, (0, 1)).all() and np.isin(y_test, (0, 1)).all()):
        raise ProtocolError("The debugging net knows the labels 0 and 1 only.")
    distinct, inverse = np.unique(labels, axis=0, return_inverse=True)
    train = torch.from_numpy(np.array(X_train, np.float32, order="C"))
    test = torch.from_numpy(np.array(X_test, np.float32, order="C"))
    start = initial_parameters(train.shape[1])

    def correct(y: IntArray) -> BoolArray:
        on_train, on_test = train_fast(start, train, y, test)
        threshold = _certain_threshold(on_train, y)
        if threshold is None or (abs(on_test - threshold) <= DOUBT).any():
            on_train, on_test = train_as_original(start, train, y, test)
            threshold = best_threshold(on_train, y)
        hits: BoolArray = (on_test > threshold) == (y_test == 1)
        return hits

    with torch_threads(1):
        answers = Backend.of("cpu", torch_on_cpu=True).map(correct, list(distinct))
    count_fits(len(distinct))
    right = np.array(answers, bool).reshape(len(distinct), len(y_test))[inverse.reshape(-1)]
    return np.round(right.mean(axis=1), 2), right


def initial_parameters(features: int) -> list[torch.Tensor]:
    """Weights and biases of both layers as the original draws them: [128, d], [128], [1, 128], [1]."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        net = torch.nn.Sequential(torch.nn.Linear(features, HIDDEN), torch.nn.Linear(HIDDEN, 1))
    return [p.detach() for p in net.parameters()]


def train_as_original(
    start: list[torch.Tensor], train: torch.Tensor, labels: IntArray, test: torch.Tensor
) -> tuple[FloatArray, FloatArray]:
    """One training as in the original; sigmoid outputs [n] and [m] on train and test rows.

    ``start`` is what :func:`initial_parameters` drew before any thread began: torch's generator is one for all threads,
    so nothing may be drawn from it here.
    """
    import torch

    layers = torch.nn.Linear(train.shape[1], HIDDEN, device="meta"), torch.nn.Linear(HIDDEN, 1, device="meta")
    net = torch.nn.Sequential(*layers).to_empty(device="cpu")
    with torch.no_grad():
        for parameter, value in zip(net.parameters(), start, strict=True):
            parameter.copy_(value)
    y = torch.from_numpy(np.asarray(labels, np.float32))
    loss_of = torch.nn.BCEWithLogitsLoss()
    optimizer = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    for _ in range(EPOCHS):
        for first in range(0, len(train), BATCH):
            optimizer.zero_grad()
            loss = loss_of(net(train[first : first + BATCH]).squeeze(1), y[first : first + BATCH])
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        return torch.sigmoid(net(train)).squeeze(1).numpy(), torch.sigmoid(net(test)).squeeze(1).numpy()


def train_fast(
    start: list[torch.Tensor], train: torch.Tensor, labels: IntArray, test: torch.Tensor
) -> tuple[FloatArray, FloatArray]:
    """The same training through the outer-product form of the gradient; outputs as :func:`train_as_original`."""
    import torch

    y = torch.from_numpy(np.asarray(labels, np.float32))
    W1, b1, w2, b2 = parameters = [p.clone() for p in start]
    gradients = [torch.empty_like(p) for p in parameters]
    optimizer = torch.optim.AdamW(parameters, lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY, fused=True)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient
    for _ in range(EPOCHS):
        for first in range(0, len(train), BATCH):
            x = train[first : first + BATCH]
            z = x @ (w2 @ W1)[0] + (w2[0] @ b1 + b2)
            residual = (torch.sigmoid(z) - y[first : first + BATCH]) / len(x)
            total = residual.sum()
            pulled = residual @ x
            torch.outer(w2[0], pulled, out=gradients[0])
            torch.mul(w2[0], total, out=gradients[1])
            torch.add(W1 @ pulled, b1 * total, out=gradients[2][0])
            gradients[3][0] = total
            optimizer.step()
    direction, offset = (w2 @ W1)[0], w2[0] @ b1 + b2
    return torch.sigmoid(train @ direction + offset).numpy(), torch.sigmoid(test @ direction + offset).numpy()


def best_threshold(on_train: FloatArray, labels: IntArray) -> float:
    """The threshold with the highest rounded accuracy on the training rows, the lowest on ties."""
    return float(THRESHOLDS[int(np.argmax(_rounded(on_train[None] > THRESHOLDS[:, None], labels)))])


def _rounded(predicted: BoolArray, labels: IntArray) -> FloatArray:
    shares: FloatArray = np.round((predicted == (labels == 1)).mean(axis=1), 2)
    return shares


def _certain_threshold(on_train: FloatArray, labels: IntArray) -> float | None:
    """The best threshold, or None if outputs that lie ``DOUBT`` higher or lower could make another one best."""
    above = on_train[None] > THRESHOLDS[:, None]
    unsure = abs(on_train[None] - THRESHOLDS[:, None]) <= DOUBT
    positive = labels == 1
    least = _rounded(np.where(unsure, ~positive, above), labels)
    most = _rounded(np.where(unsure, positive, above), labels)
    best = int(np.argmax(least))
    if (most[:best] >= least[best]).any() or (most[best + 1 :] > least[best]).any():
        return None
    return float(THRESHOLDS[best])
