"""Distillation against scikit-learn's own fits, loops and counts made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score

from harness.errors import ProtocolError, SubmissionError
from harness.tracks.distillation import balanced
from tests.tracks.helpers import bind


@pytest.fixture(scope="module")
def track() -> Any:
    return bind("distillation_digits")


@pytest.fixture(scope="module")
def prepared(track: Any) -> Any:
    return track.prepare(0)


def means(view: Any) -> dict[str, np.ndarray]:
    X, y = view.arrays["X"], view.arrays["y"]
    return {"X": np.stack([X[y == c].mean(axis=0) for c in range(10)]), "y": np.arange(10)}


def test_view_shows_clean_rows_and_nothing_of_the_test_set(track: Any, prepared: Any) -> None:
    view, key = prepared
    assert set(view.arrays) == {"X", "y"}
    assert view.scalars == {"n_classes": 10, "budget": 10, "low": 0.0, "high": 1.0, "updates": 0}
    truth = {row.tobytes(): label for row, label in zip(track.dataset.X, track.dataset.y, strict=True)}
    assert [truth[row.tobytes()] for row in view.arrays["X"]] == view.arrays["y"].tolist()
    assert len({row.tobytes() for row in view.arrays["X"]}) == 1000
    assert len(key.y_test) == 797
    assert not {row.tobytes() for row in view.arrays["X"]} & {row.tobytes() for row in key.X_test}


def test_score_is_that_of_scikit_learn(track: Any, prepared: Any) -> None:
    view, key = prepared
    output = track.read_output(means(view), view)
    score = track.score(output, view, key, 0)
    theirs = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000).fit(output["X"], output["y"]).predict(key.X_test)
    assert np.mean(theirs == score.items["y_pred"]) >= 0.998
    assert score.value == pytest.approx(accuracy_score(key.y_test, score.items["y_pred"]), abs=1e-12)
    assert score.metrics["macro_f1"] == pytest.approx(f1_score(key.y_test, score.items["y_pred"], average="macro"))
    assert "accuracy" not in score.metrics  # that is the score
    assert score.metrics["rows"] == score.metrics["synthetic_rows"] == 10


def test_gain_is_over_random_rows_at_the_same_budget(track: Any, prepared: Any) -> None:
    view, key = prepared
    floor = track.reference("random", view, key, 0)
    score = track.score(track.read_output(means(view), view), view, key, 0)
    assert score.metrics["gain"] == pytest.approx(score.value - floor.value, abs=1e-12)
    assert score.metrics["gain"] > 0.1
    assert floor.items["y_pred"].shape == (len(key.y_test), 20)
    assert floor.value == pytest.approx(np.mean([accuracy_score(key.y_test, p) for p in floor.items["y_pred"].T]))
    assert floor.metrics["rows"] == 10


def test_the_floor_draws_a_row_of_each_class() -> None:
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], [50, 30, 4])
    assert sorted(y[balanced(y, 3, rng)]) == [0, 1, 2]
    assert np.bincount(y[balanced(y, 30, rng)]).tolist() == [13, 13, 4]
    assert sorted(balanced(y, 200, rng)) == list(range(84))
    first = [balanced(y, 3, rng)[0] for _ in range(300)]
    assert len(set(first)) > 50


def test_statistic_is_the_value_and_its_bootstrap(track: Any, prepared: Any) -> None:
    view, key = prepared
    floor = track.reference("random", view, key, 0)
    m = len(key.y_test)
    assert track.statistic(floor.items, np.ones((1, m)))[0] == pytest.approx(floor.value, abs=1e-15)
    weights = np.random.default_rng(1).integers(0, 3, (4, m)).astype(float)
    for row, got in zip(weights, track.statistic(floor.items, weights), strict=True):
        expected = [accuracy_score(key.y_test, p, sample_weight=row) for p in floor.items["y_pred"].T]
        assert got == pytest.approx(np.mean(expected))


def test_all_clean_rows_are_the_skyline(track: Any, prepared: Any) -> None:
    view, key = prepared
    skyline = track.reference("skyline", view, key, 0)
    assert skyline.metrics["rows"] == 1000
    theirs = LogisticRegression(C=1.0, tol=1e-8, max_iter=10_000).fit(view.arrays["X"], view.arrays["y"])
    assert skyline.value == pytest.approx(accuracy_score(key.y_test, theirs.predict(key.X_test)), abs=0.003)
    assert skyline.value < track.suspicious_above(skyline.value) < 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"X": np.zeros((11, 64)), "y": np.arange(11) % 10}, "11 rows, over the cap of 10; row 10"),
        ({"y": np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 8])}, r"no row of class 9 \(9\)"),
        (
            {"X": np.full((10, 64), 1.5)},
            r"X\[0, 0\] is 1.5; values must lie between task.low = 0.0 and task.high = 1.0",
        ),
        ({"y": np.eye(10)}, "y holds real numbers"),  # soft labels
    ],
)
def test_what_is_no_distilled_set_is_refused(track: Any, prepared: Any, change: dict[str, Any], message: str) -> None:
    view, _ = prepared
    with pytest.raises(SubmissionError, match=message):
        track.read_output(means(view) | change, view)


def test_hidden_rows_cannot_be_handed_in(track: Any, prepared: Any) -> None:
    view, key = prepared
    rows = [int(np.flatnonzero(key.y_test == c)[0]) for c in range(10)]
    output = track.read_output({"X": key.X_test[rows], "y": np.arange(10)}, view)
    with pytest.raises(SubmissionError, match=r"X\[0\], first of 10, copies a hidden test item"):
        track.score(output, view, key, 0)


def test_a_cap_below_one_row_of_each_class_is_refused_when_the_challenge_is_made() -> None:
    with pytest.raises(ProtocolError, match="9 rows cannot have one of each of the 10 classes of digits") as caught:
        bind("distillation_digits", "track.cap=9")
    assert "track.all_classes" in caught.value.hint
    assert bind("distillation_digits", "track.cap=9", "track.all_classes=false").settings.cap == 9
