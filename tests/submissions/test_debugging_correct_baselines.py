"""Correcting baselines against another library, a slow loop, and rows whose right label is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness import api
from harness.models import load_model
from tests.tracks.helpers import baseline

N, C = 90, 3
NAMES = ("out_of_fold", "confident_learning", "knn_vote", "validation_model", "pseudo_labels")


def clouds(seed: int = 0, spread: float = 0.5) -> tuple[Any, np.ndarray]:
    """Three clouds of thirty rows, nine labels wrong, and twelve clean rows."""
    rng = np.random.default_rng(seed)
    true = np.arange(N) % C
    X = (3 * np.eye(C, 4)[true] + rng.normal(scale=spread, size=(N, 4))).astype(np.float32)
    X_val = (3 * np.eye(C, 4)[true[:12]] + rng.normal(scale=spread, size=(12, 4))).astype(np.float32)
    y = true.copy()
    wrong = rng.permutation(N)[:9]
    y[wrong] = (y[wrong] + rng.integers(1, C, 9)) % C
    model = load_model("logistic", device="cpu", n_classes=C)
    return api.DebuggingCorrectTask(C, np.random.default_rng(1), model, X, y, 9, X_val, true[:12]), true


@pytest.mark.parametrize("name", NAMES)
def test_every_wrong_label_of_clear_clouds_becomes_the_true_one(name: str) -> None:
    task, true = clouds()
    rows, labels = baseline("debugging_correct", name)(task)
    mended = task.y.copy()
    mended[rows] = labels
    assert np.array_equal(mended, true)


def test_confident_learning_counts_rows_where_cleanlab_counts_them() -> None:
    count = pytest.importorskip("cleanlab.count")
    rng = np.random.default_rng(3)
    for _ in range(20):
        y = rng.integers(C, size=60)
        proba = rng.dirichlet(np.ones(C), size=60)
        proba[np.arange(60), y] += 1.0
        proba /= proba.sum(axis=1, keepdims=True)
        suggested = baseline("debugging_correct", "confident_learning").__globals__["suggested"](proba, y)
        joint = count.compute_confident_joint(y, proba, calibrate=False)
        threshold = [proba[y == c, c].mean() for c in range(C)]
        counted = np.array([any(p >= t for p, t in zip(row, threshold, strict=True)) for row in proba])
        own = np.zeros((C, C), int)
        np.add.at(own, (y[counted], suggested[counted]), 1)
        off = ~np.eye(C, dtype=bool)
        assert np.array_equal(own[off], joint[off])


def test_knn_votes_are_those_of_a_slow_loop() -> None:
    task, _ = clouds(2, spread=2.0)
    share = baseline("debugging_correct", "knn_vote").__globals__["votes"](task)
    X = np.concatenate([task.X, task.X_val]).astype(float)
    X -= X.mean(axis=0)
    y = np.concatenate([task.y, task.y_val])
    for i in range(N):
        cosine = [(X[i] @ X[j] / np.linalg.norm(X[i]) / np.linalg.norm(X[j]), j) for j in range(len(X)) if j != i]
        expected = np.zeros(C)
        for c, j in sorted(cosine, reverse=True)[:10]:
            expected[y[j]] += (1 + c) / 2
        assert share[i] == pytest.approx(expected / expected.sum(), rel=1e-4)


def test_out_of_fold_probabilities_come_from_models_that_have_not_seen_the_row() -> None:
    """A row of another class, far away: whoever trains on it believes its label, the others cannot."""
    task, _ = clouds()
    X = task.X.copy()
    X[0] = [0, 0, 0, 50]  # no other row goes there
    alone = api.DebuggingCorrectTask(
        C, task.rng, load_model("logistic", device="cpu", n_classes=C, C=1e4), X, task.y, 9, None, None
    )
    proba = baseline("debugging_correct", "out_of_fold").__globals__["out_of_fold"](alone)
    assert proba.sum(axis=1) == pytest.approx(1)
    seen = alone.model.fit(X, task.y).predict_proba(X)[0, task.y[0]]
    assert proba[0, task.y[0]] < seen


def test_pseudo_labels_train_on_what_they_mended() -> None:
    """With a budget of two rounds' rows the second round's rows differ from the first's, and each is listed once."""
    task, _ = clouds(4, spread=1.2)
    rows, labels = baseline("debugging_correct", "pseudo_labels")(task)
    assert len(np.unique(rows)) == len(rows) <= task.budget
    assert (labels != task.y[rows]).all()
