"""Weighting against scikit-learn, what its settings state, and the figures of a prototype."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, roc_auc_score

from harness.data.base import Dataset
from harness.errors import ProtocolError, SubmissionError
from harness.models import load_model
from harness.tracks.weighting import Weighting, WeightingSettings, to_mean_one
from tests.tracks.helpers import bind, cell


@pytest.fixture(scope="module")
def track() -> Any:
    return bind("weighting_digits")


@pytest.fixture(scope="module")
def view(track: Any) -> Any:
    return track.prepare(0)[0]


@pytest.fixture(scope="module")
def vendors() -> Any:
    return bind("weighting_vendors_digits")


def peer_f1(X: Any, y: Any, weights: Any, key: Any) -> float:
    model = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000).fit(
        X, y, sample_weight=weights * len(y) / weights.sum()
    )
    return float(f1_score(key.y_test, model.predict(key.X_test), average="macro"))


def test_view_hides_which_labels_are_wrong(track: Any) -> None:
    view, key = track.prepare(0)
    assert set(view.arrays) == {"X", "y", "X_val", "y_val"}
    assert key.wrong.sum() == 90
    assert np.array_equal(track.dataset.X[track.rows(0)], view.arrays["X"])
    shown = {row.tobytes() for part in ("X", "X_val") for row in view.arrays[part]}
    assert not shown & {row.tobytes() for row in key.X_test}


def test_the_score_is_what_scikit_learn_gives(track: Any) -> None:
    view, key = track.prepare(1)
    weights = np.random.default_rng(0).exponential(size=300)
    score = track.score({"weights": weights}, view, key, 1)
    assert score.value == pytest.approx(peer_f1(view.arrays["X"], view.arrays["y"], weights, key), abs=2e-3)
    assert score.metrics["effective_rows"] == pytest.approx(weights.sum() ** 2 / (weights**2).sum())
    assert score.metrics["weight_on_wrong_labels"] == pytest.approx(weights[key.wrong].sum() / weights.sum())
    assert score.metrics["wrong_label_auroc"] == pytest.approx(roc_auc_score(key.wrong, -weights))


@settings(max_examples=10)
@given(st.sampled_from([1e-300, 1e-6, 3.0, 1e6, 1e300]))
def test_the_scale_of_weights_is_nothing(track: Any, scale: float) -> None:
    """Neither a stronger nor a weaker penalty can be had by it."""
    view, key = track.prepare(0)
    weights = np.random.default_rng(0).random(300)
    plain, scaled = (track.score({"weights": w}, view, key, 0) for w in (weights, weights * scale))
    assert scaled.value == pytest.approx(plain.value, abs=1e-3)
    assert to_mean_one(weights * scale) == pytest.approx(to_mean_one(weights))
    assert to_mean_one(weights * scale).mean() == pytest.approx(1)


def test_no_sum_of_weights_overflows_and_one_row_may_have_all(track: Any) -> None:
    assert to_mean_one(np.full(5, np.finfo(float).max)) == pytest.approx(np.ones(5))
    assert to_mean_one(np.array([0, 5e-324, 0])) == pytest.approx([0, 3, 0])
    view, key = track.prepare(0)
    score = track.score({"weights": np.eye(300)[7]}, view, key, 0)
    assert score.metrics["effective_rows"] == pytest.approx(1)
    assert score.value < 0.1  # one class is all that is ever said


def test_the_floor_is_equal_weights_and_the_skyline_the_mask(track: Any) -> None:
    view, key = track.prepare(0)
    floor, skyline = (track.reference(which, view, key, 0) for which in ("random", "skyline"))
    assert (
        floor.value == track.score({"weights": np.full(300, 7.0)}, view, key, 0).value == cell(track, "uniform").value
    )
    assert skyline.value == track.score({"weights": ~key.wrong * 1.0}, view, key, 0).value
    assert skyline.metrics["weight_on_wrong_labels"] == 0
    assert track.suspicious_above(0.9) == pytest.approx(0.95)


@pytest.mark.parametrize("which", ["random", "skyline"])
def test_the_statistic_is_the_value_and_its_bootstrap(track: Any, which: Any) -> None:
    score = track.reference(which, *track.prepare(0), 0)
    y, p = score.items["y_true"], score.items["y_pred"]
    assert track.statistic(score.items, np.ones((1, len(y))))[0] == score.value
    drawn = np.random.default_rng(0).integers(len(y), size=len(y))
    weights = np.bincount(drawn, minlength=len(y)).astype(float)[None]
    assert track.statistic(score.items, weights)[0] == pytest.approx(f1_score(y[drawn], p[drawn], average="macro"))


@settings(max_examples=30)
@given(st.integers(0, 299), st.sampled_from([(np.nan, "finite"), (np.inf, "finite"), (-1e-300, "below 0")]))
def test_every_violation_names_position_and_rule(view: Any, track: Any, place: int, case: tuple[float, str]) -> None:
    weights = np.ones(300)
    weights[place] = case[0]
    with pytest.raises(SubmissionError, match=rf"weights\[{place}\] is .*{case[1]}"):
        track.read_output({"weights": weights}, view)


def test_vendors_are_as_noisy_and_shifted_as_stated(vendors: Any) -> None:
    seen = set()
    for seed in range(3):
        view, key = vendors.prepare(seed)
        source, rows = view.arrays["source"], vendors.rows(seed)
        rates = [int(key.wrong[source == code].sum()) for code in range(8)]
        assert np.bincount(source).tolist() == [50] * 8
        assert sorted(rates) == [0, 5, 5, 5, 15, 25, 35, 45]
        moved = view.arrays["X"] - vendors.dataset.X[rows]
        by_source = [moved[source == code] for code in range(8)]
        assert all(np.ptp(one, axis=0).max() < 1e-6 for one in by_source)  # one vector a vendor
        size = sorted(float(one[0].std()) for one in by_source)
        spread = vendors.dataset.X.std(axis=0).mean()
        assert size[:6] == [0.0] * 6
        assert np.array(size[6:]) / spread == pytest.approx([0.5, 1.5], rel=0.35)
        seen.add(tuple(rates))
    assert len(seen) > 1  # a vendor's number does not say which it is


def test_a_weight_a_source_is_that_of_all_its_rows(vendors: Any) -> None:
    by_row = bind("weighting_vendors_digits", "track.by_source=false")
    view, key = vendors.prepare(0)
    weights = np.arange(8.0)
    one, other = vendors.score({"weights": weights}, view, key, 0), by_row.prepare(0)
    assert one.value == by_row.score({"weights": weights[view.arrays["source"]]}, *other, 0).value
    with pytest.raises(SubmissionError, match=r"weights has shape \[400\]; it must be \[8\]"):
        vendors.read_output({"weights": np.ones(400)}, view)


def test_the_skyline_by_source_tries_every_set_of_them() -> None:
    small = bind(
        "weighting_vendors_digits", "track.train=90",
        "track.sources=[{rows: 30, noise: 0.0}, {rows: 30, noise: 0.4}, {rows: 30, noise: 0.9}]",
    )  # fmt: skip
    view, key = small.prepare(0)
    tried = [
        small.score({"weights": np.array(weights)}, view, key, 0).value
        for weights in product((0.0, 1.0), repeat=3)
        if any(weights)
    ]
    assert small.reference("skyline", view, key, 0).value == pytest.approx(max(tried), abs=1e-3)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"sources": [{"rows": 3}]}, "add up to train, which is 300"),
        ({"by_source": True}, "needs 2 to 8 sources, got 0"),
        ({"sources": [{"rows": 300}], "human": "worse"}, "leave out one of"),
        ({"sources": [{"rows": 300, "noise": 1.0}]}, "less than 1"),
    ],
)
def test_settings_that_cannot_be(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        WeightingSettings.model_validate({"name": "weighting"} | wrong)


def test_labels_of_people_and_columns_that_hold_none() -> None:
    y = np.arange(100) % 2
    people = np.where(np.arange(100) % 5 == 0, 1 - y, y)
    X = np.random.default_rng(0).normal(size=(100, 2)).astype(np.float32)
    data = Dataset("made", X, y, ("a", "b"), {"people": people, "some": people - 1})
    for column in ("people", "some", "nobody"):
        chosen = WeightingSettings(name="weighting", train=50, validation=10, human=column)
        track = Weighting(chosen, data, load_model("logistic", device="cpu", n_classes=2), "open")
        if column == "people":
            view, key = track.prepare(0)
            assert np.array_equal(view.arrays["y"], people[track.rows(0)])
            assert np.array_equal(key.wrong, track.rows(0) % 5 == 0)
        else:
            with pytest.raises(ProtocolError, match=f"Column '{column}' of made does not hold one class a row"):
                track.prepare(0)


# means over ten seeds of a prototype that shared no code with this
PROTOTYPE = {"uniform": 0.840, "self_confidence": 0.901, "validation_model": 0.918}


def test_scores_lie_where_the_prototype_found_them(track: Any) -> None:
    for name, mean in PROTOTYPE.items():
        values = np.array([cell(track, name, seed).value for seed in range(10)])
        assert abs(values.mean() - mean) < 3 * np.sqrt(2) * values.std(ddof=1) / np.sqrt(10), name
    skylines = [track.reference("skyline", *track.prepare(seed), seed).value for seed in range(10)]
    assert np.mean(skylines) == pytest.approx(0.927, abs=0.008)
