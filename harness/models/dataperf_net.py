"""The fixed model of DataPerf's vision debugging (Mazumder et al. 2023, arXiv:2207.10062), bit for bit.

Two linear layers without a non-linearity, 2048 -> 128 -> 1, BCE with logits, AdamW (lr 0.01, weight decay
0.9), batches of 64 in row order, 20 epochs, ``torch.manual_seed(42)`` before the layers are built. The
decision threshold is the one of 0.10, 0.15, ..., 0.95 with the highest accuracy on the training rows under
the labels trained on (rounded to 2 decimals before comparing, lowest on ties); class 1 is predicted strictly
above it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.api import FloatArray, IntArray
from harness.errors import ProtocolError
from harness.models.base import BoolArray

if TYPE_CHECKING:
    import torch

EPOCHS, BATCH, HIDDEN, SEED = 20, 64, 128, 42
LEARNING_RATE, WEIGHT_DECAY = 0.01, 0.9
THRESHOLDS = np.arange(0.1, 1, 0.05)


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
    train = torch.from_numpy(np.ascontiguousarray(X_train, np.float32))
    test = torch.from_numpy(np.ascontiguousarray(X_test, np.float32))
    correct = np.zeros((len(distinct), len(y_test)), bool)
    for row, y in enumerate(distinct):
        on_train, on_test = _train(train, torch.from_numpy(y.astype(np.float32)), test)
        correct[row] = (on_test > _threshold(on_train, y)) == (y_test == 1)
    correct = correct[inverse.reshape(-1)]
    return np.round(correct.mean(axis=1), 2), correct


def _train(train: torch.Tensor, y: torch.Tensor, test: torch.Tensor) -> tuple[FloatArray, FloatArray]:
    """One training as in the original; sigmoid outputs [n] and [m] on train and test rows."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        net = torch.nn.Sequential(torch.nn.Linear(train.shape[1], HIDDEN), torch.nn.Linear(HIDDEN, 1))
    loss_of = torch.nn.BCEWithLogitsLoss()
    optimizer = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    for _ in range(EPOCHS):
        for start in range(0, len(train), BATCH):
            optimizer.zero_grad()
            loss = loss_of(net(train[start : start + BATCH]).squeeze(1), y[start : start + BATCH])
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        return torch.sigmoid(net(train)).squeeze(1).numpy(), torch.sigmoid(net(test)).squeeze(1).numpy()


def _threshold(on_train: FloatArray, y: IntArray) -> float:
    accuracies = [round(float(np.mean((on_train > t) == (y == 1))), 2) for t in THRESHOLDS]
    return float(THRESHOLDS[int(np.argmax(accuracies))])
