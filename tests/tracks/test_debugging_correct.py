"""Debugging with correction against a loop of scikit-learn fits and against debugging itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.linear_model import LogisticRegression

from harness.errors import ProtocolError, SubmissionError
from harness.tracks.debugging_correct import DebuggingCorrectSettings
from tests.tracks.helpers import bind, cell

SMALL = ("track.train=60", "track.validation=20", "track.test=400")


@pytest.fixture(scope="module")
def track() -> Any:
    return bind("debugging_correct_digits")


@pytest.fixture(scope="module")
def small() -> Any:
    return bind("debugging_correct_digits", *SMALL)


@pytest.mark.parametrize("listed", [18, 7, 1])
def test_score_is_what_a_loop_of_scikit_learn_fits_on_the_submitted_labels_gives(small: Any, listed: int) -> None:
    view, key = small.prepare(2)
    rng = np.random.default_rng(5)
    rows, labels = rng.permutation(60)[:listed], rng.integers(10, size=listed)
    score = small.score({"indices": rows, "labels": labels}, view, key, 2)
    y, accuracies = view.arrays["y"].copy(), []
    for step in range(19):
        if 0 < step <= listed:
            y[rows[step - 1]] = labels[step - 1]
        model = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000).fit(view.arrays["X"], y)
        accuracies.append(model.score(key.X_test, key.y_test))
    assert score.curve[:, 0].tolist() == list(range(19))
    assert np.abs(score.curve[:, 1] - accuracies).max() <= 1 / 400 + 1e-9  # one test row on the boundary
    truth = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000).fit(view.arrays["X"], key.y_true)
    clean = truth.score(key.X_test, key.y_test)
    recovery = (np.mean(accuracies[1:]) - accuracies[0]) / (clean - accuracies[0])
    assert score.value == pytest.approx(recovery, abs=0.02)
    given, true = view.arrays["y"][rows], key.y_true[rows]
    assert score.metrics["corrections"] == sum(a != b for a, b in zip(labels, given, strict=True))
    assert score.metrics["harmed"] == sum(
        g == t != new for g, t, new in zip(given, true, labels, strict=True)
    )  # fmt: skip


def test_true_labels_earn_what_the_same_ranking_earns_in_debugging(small: Any) -> None:
    """There the harness mends the labels, here the submission does: the same, where its labels are the true ones."""
    plain = bind("debugging_digits", *SMALL)
    for seed in range(2):
        (view, key), (view_2, key_2) = small.prepare(seed), plain.prepare(seed)
        assert np.array_equal(view.arrays["y"], view_2.arrays["y"])
        order = np.random.default_rng(seed).permutation(60)[:18]
        own = small.score({"indices": order, "labels": key.y_true[order]}, view, key, seed)
        assert own.value == pytest.approx(plain.score({"indices": order}, view_2, key_2, seed).value, abs=1e-12)


def test_statistic_is_the_value_and_its_bootstrap(small: Any) -> None:
    view, key = small.prepare(0)
    score = small.reference("random", view, key, 0)
    m = len(key.y_test)
    assert small.statistic(score.items, np.ones((1, m)))[0] == score.value
    drawn = np.random.default_rng(1).integers(m, size=(4, m))
    expected = []
    for d in drawn:
        fixed, dirty, clean = (score.items[name][d].mean() for name in ("fixed", "dirty", "clean"))
        expected.append((fixed - dirty) / (clean - dirty))
    weights = np.stack([np.bincount(d, minlength=m) for d in drawn]).astype(float)
    assert small.statistic(score.items, weights) == pytest.approx(expected)


def test_the_budget_is_the_number_of_wrong_labels_or_pinned(track: Any) -> None:
    view, key = track.prepare(0)
    assert view.scalars["budget"] == 90 == np.sum(view.arrays["y"] != key.y_true)
    assert set(view.arrays) == {"X", "y", "X_val", "y_val"}
    pinned = bind("debugging_correct_digits", "track.budget=12")
    view, key = pinned.prepare(0)
    assert view.scalars["budget"] == 12
    with pytest.raises(SubmissionError, match="position 12 is too many"):
        pinned.read_output({"indices": np.arange(13), "labels": np.zeros(13, int)}, view)
    curve = pinned.reference("skyline", view, key, 0).curve
    assert curve is not None
    assert curve[-1, 0] == 12
    with pytest.raises((ProtocolError, ValidationError), match="more than the 300 training rows"):
        DebuggingCorrectSettings(name="debugging_correct", budget=301)


def test_rows_that_keep_their_labels_earn_nothing(track: Any) -> None:
    view, key = track.prepare(0)
    score = track.score({"indices": np.arange(90), "labels": view.arrays["y"][:90]}, view, key, 0)
    assert score.value == 0.0
    assert score.metrics["corrections"] == 0
    assert np.isnan(score.metrics["corrections_right"])


def test_no_way_to_a_score_without_right_labels(track: Any) -> None:
    """The true ranking under labels that are not the true ones; every row of one class; right rows made wrong."""
    for seed in range(3):
        view, key = track.prepare(seed)
        y, wrong = view.arrays["y"], np.flatnonzero(view.arrays["y"] != key.y_true)
        another = np.array([next(c for c in range(10) if c not in (y[i], key.y_true[i])) for i in wrong])
        assert track.score({"indices": wrong, "labels": another}, view, key, seed).value < 0.15
        assert track.score({"indices": wrong, "labels": np.full(90, 3)}, view, key, seed).value < 0.15
        right = np.flatnonzero(y == key.y_true)[:90]
        spoilt = track.score({"indices": right, "labels": (y[right] + 1) % 10}, view, key, seed)
        assert spoilt.value < -0.2
        assert spoilt.metrics["harmed"] == 90


def test_one_row_cannot_carry_two_labels(track: Any) -> None:
    with pytest.raises(SubmissionError, match=r"indices\[1\] repeats row 4"):
        track.read_output({"indices": np.array([4, 4]), "labels": np.array([1, 2])}, track.prepare(0)[0])


def test_references_bracket_the_baselines(track: Any) -> None:
    rows = []
    for seed in range(3):
        view, key = track.prepare(seed)
        floor, skyline = (track.reference(which, view, key, seed).value for which in ("random", "skyline"))
        names = ("out_of_fold", "confident_learning", "knn_vote", "validation_model", "pseudo_labels")
        rows.append([floor, *(cell(track, name, seed).value for name in names), skyline])
    mean = np.mean(rows, axis=0)
    assert mean.argmin() == 0
    assert mean.argmax() == len(mean) - 1
