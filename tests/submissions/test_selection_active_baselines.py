"""Active selection baselines where the right rows are known."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from harness import api
from harness.models import load_model
from tests.tracks.helpers import baseline


def test_typiclust_takes_the_middle_of_each_cluster_without_a_label() -> None:
    """Five tight clouds of 30 rows, one of them labelled: one row from each of the others, and a central one."""
    rng = np.random.default_rng(0)
    cloud = np.repeat(np.arange(5), 30)
    X = (20 * np.eye(5)[cloud] + rng.normal(size=(150, 5))).astype(np.float32)
    model = load_model("logistic", device="cpu", n_classes=5)
    labelled = np.array([0])
    task = api.SelectionActiveTask(5, np.random.default_rng(1), model, X, labelled, np.array([0]), 4, 1)
    chosen = baseline("selection_active", "typiclust")(task)
    assert sorted(cloud[chosen]) == [1, 2, 3, 4]
    for row in chosen:
        others = np.sort(np.linalg.norm(X - X[row], axis=1)[cloud == cloud[row]])[1:21].mean()
        everyone = [
            np.sort(np.linalg.norm(X[cloud == cloud[row]] - x, axis=1))[1:21].mean() for x in X[cloud == cloud[row]]
        ]
        assert others <= min(everyone) * (1 + 1e-6)


def test_expected_error_is_that_of_scikit_learn_trained_once_for_every_label() -> None:
    """The entropy expected after each candidate, in a loop; and the row it takes is the one where it is least."""
    rng = np.random.default_rng(0)
    y = np.arange(40) % 3
    X = (2 * np.eye(3, 4)[y] + rng.normal(size=(40, 4))).astype(np.float32)
    model = load_model("logistic", device="cpu", n_classes=3)
    labelled = np.arange(6)
    task = api.SelectionActiveTask(3, np.random.default_rng(1), model, X, labelled, y[:6], 1, 1)
    select = baseline("selection_active", "expected_error")
    rows, pool = np.array([10, 20, 30]), np.arange(6, 40)
    first = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000).fit(X[:6], y[:6])
    proba = first.predict_proba(X[rows])
    expected = []
    for row, p in zip(rows, proba, strict=True):
        total = 0.0
        for c in range(3):
            fitted = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000)
            after = fitted.fit(X[[*labelled, row]], np.append(y[:6], c)).predict_proba(X[pool])
            total += p[c] * -(after * np.log(after)).sum(axis=1).mean()
        expected.append(total)
    assert select.__globals__["expected_error"](task, rows, proba, pool) == pytest.approx(expected, rel=1e-3)
    (chosen,) = select(task)
    errors = select.__globals__["expected_error"](task, pool, model.fit(X[:6], y[:6]).predict_proba(X[pool]), pool)
    assert chosen == pool[errors.argmin()]  # every row is a candidate here
