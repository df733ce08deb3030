"""k-NN against scikit-learn, its Shapley values against enumeration of all coalitions."""

from __future__ import annotations

from itertools import combinations
from math import comb
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier

from harness.errors import ProtocolError
from harness.models import knn, load_model
from harness.models.knn import knn_shapley
from tests.models.conftest import Split


def enumerated(X: np.ndarray, y: np.ndarray, X_val: np.ndarray, y_val: np.ndarray, k: int) -> np.ndarray:
    """Shapley values from the definition: the mean marginal over all coalitions of the other rows."""
    n = len(X)

    def utility(rows: tuple[int, ...]) -> float:
        total = 0.0
        for x, label in zip(X_val, y_val, strict=True):
            near = sorted(rows, key=lambda i: (float(((X[i] - x) ** 2).sum()), i))[:k]
            total += sum(y[i] == label for i in near) / k
        return total / len(X_val)

    values = np.zeros(n)
    for i in range(n):
        others = [j for j in range(n) if j != i]
        for size in range(n):
            for rows in combinations(others, size):
                values[i] += (utility((*rows, i)) - utility(rows)) / (n * comb(n - 1, size))
    return values


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 7), st.integers(1, 3), st.integers(1, 8), st.integers(0, 2**31))
def test_closed_form_equals_enumeration(n: int, m: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    X, X_val = rng.integers(-3, 4, (n, 2)).astype(float), rng.integers(-3, 4, (m, 2)).astype(float)
    y, y_val = rng.integers(0, 3, n), rng.integers(0, 3, m)
    np.testing.assert_allclose(knn_shapley(X, y, X_val, y_val, k), enumerated(X, y, X_val, y_val, k), atol=1e-12)


def test_blocks_change_nothing_and_values_sum_to_the_utility(digits: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y, X_val, y_val = digits
    whole = knn_shapley(X, y, X_val, y_val, 5)
    monkeypatch.setattr(knn, "BLOCK_FLOATS", 7 * len(X))
    np.testing.assert_allclose(knn_shapley(X, y, X_val, y_val, 5), whole, atol=1e-15)
    near = KNeighborsClassifier(5).fit(X, y).predict_proba(X_val)
    assert whole.sum() == pytest.approx(near[np.arange(len(y_val)), y_val].mean(), abs=1e-9)


def test_finds_wrong_labels(digits: Split) -> None:
    from sklearn.metrics import average_precision_score

    X, y, X_val, y_val = digits
    rng = np.random.default_rng(0)
    wrong = rng.random(len(y)) < 0.2
    noisy = np.where(wrong, (y + rng.integers(1, 10, len(y))) % 10, y)
    assert average_precision_score(wrong, -knn_shapley(X, noisy, X_val, y_val)) > 0.95


@pytest.mark.parametrize("k", [1, 5])
def test_model_equals_scikit_learn_on_subsets(digits: Split, k: int) -> None:
    X, y, X_test, _ = digits
    X = X + np.random.default_rng(0).normal(0, 1e-3, X.shape).astype(np.float32)  # no equal distances
    subsets = [np.arange(i, len(X), 3) for i in range(3)]
    f = load_model("knn", device="cpu", k=k, n_classes=10).fit_many(X, y, subsets=subsets)
    P = f.predict_proba(X_test)
    for b, rows in enumerate(subsets):
        expected = KNeighborsClassifier(k).fit(X[rows], y[rows]).predict_proba(X_test)
        np.testing.assert_allclose(P[b], expected, atol=1e-6)
    assert f.fits == 3


def test_a_weight_is_a_number_of_copies(digits: Split) -> None:
    X, y, X_test, _ = digits
    X = X + np.random.default_rng(1).normal(0, 1e-3, X.shape).astype(np.float32)
    counts: Any = np.random.default_rng(2).integers(0, 4, len(X))  # integers do as well
    rows = np.repeat(np.arange(len(X)), counts)
    model = load_model("knn", device="cpu", k=5, n_classes=10)
    expected = KNeighborsClassifier(5).fit(X[rows], y[rows]).predict_proba(X_test)
    np.testing.assert_allclose(model.fit(X, y, weights=counts).predict_proba(X_test), expected, atol=1e-6)


def test_fewer_rows_than_k_and_none() -> None:
    X, y = np.array([[0.0], [1.0], [2.0]]), np.array([0, 1, 1])
    subsets: Any = [[0, 1, 2], []]  # lists do as well
    P = load_model("knn", device="cpu", k=5).fit_many(X, y, subsets=subsets).predict_proba(X)
    np.testing.assert_allclose(P[0], [[1 / 3, 2 / 3]] * 3, atol=1e-6)
    np.testing.assert_allclose(P[1], 0.5)


def test_bad_input() -> None:
    with pytest.raises(ProtocolError, match="knn_shapley takes"):
        knn_shapley(np.ones((3, 2)), np.zeros(2, int), np.ones((1, 2)), np.zeros(1, int))
    with pytest.raises(ProtocolError, match="fitted on 2"):
        load_model("knn", device="cpu").fit(np.ones((3, 2)), np.zeros(3, int)).predict(np.ones((1, 4)))
