"""Metrics under item weights against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, balanced_accuracy_score, f1_score

from harness.tracks import metrics


@given(st.integers(0, 10_000), st.integers(2, 5), st.integers(1, 60))
def test_f1_is_that_of_scikit_learn_under_sample_weights(seed: int, classes: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    y, predicted = rng.integers(classes, size=(2, m))
    weights = np.vstack([np.ones(m), rng.integers(0, 3, size=m)])
    weights[1, 0] = 1
    got = metrics.macro_f1(y, predicted, classes, weights)
    for row, w in zip(got, weights, strict=True):
        seen = np.union1d(y[w > 0], predicted[w > 0])
        expected = f1_score(y, predicted, labels=seen, average="macro", sample_weight=w, zero_division=0)
        assert row == pytest.approx(expected)


def test_f1_of_a_class_that_neither_occurs_nor_is_predicted_is_left_out() -> None:
    f1 = metrics.per_class_f1(np.array([0, 0, 1]), np.array([0, 1, 1]), 3, np.ones((1, 3)))[0]
    assert np.isnan(f1[2])
    assert metrics.macro_f1(np.array([0, 0, 1]), np.array([0, 1, 1]), 3, np.ones((1, 3)))[0] == pytest.approx(2 / 3)


def test_mean_recall_is_scikit_learns_balanced_accuracy() -> None:
    rng = np.random.default_rng(0)
    y, predicted = rng.integers(4, size=(2, 100))
    assert metrics.recall(y, predicted, 4).mean() == pytest.approx(balanced_accuracy_score(y, predicted))


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.data())
def test_average_precision_with_a_tied_tail_is_scikit_learns(positive: list[bool], data: st.DataObject) -> None:
    truth = np.array(positive)
    listed = data.draw(st.integers(0, len(truth)))
    got = metrics.ranking_average_precision(truth, listed)
    if not truth.any():
        assert np.isnan(got)
        return
    scores = np.where(np.arange(len(truth)) < listed, np.arange(len(truth), 0, -1), 0)
    assert got == pytest.approx(average_precision_score(truth, scores))


def test_names_of_two_classes_stay_two() -> None:
    assert metrics.named("Female Black <=50K") == "Female_Black_at_most_50K"
    assert metrics.named("Female Black >50K") == "Female_Black_over_50K"
