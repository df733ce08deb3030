"""Valuation of sets: gains against scikit-learn's logistic regression, ranks against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import mean_absolute_error

from harness.errors import ProtocolError, SubmissionError
from harness.protocol.compose import load_challenge
from harness.tracks.base import View
from harness.tracks.valuation_sets import ValuationSets
from tests.tracks.helpers import baseline, run

SMALL = ["track.pool=200", "track.test=300", "track.base=40", "track.sets=6", "track.smallest=5", "track.largest=30"]


def load(*overrides: str) -> ValuationSets:
    challenge = load_challenge("valuation_sets_digits", [*SMALL, *overrides])
    track = challenge.load_track(challenge.load_dataset(), "cpu")
    assert isinstance(track, ValuationSets)
    return track


@pytest.fixture(scope="module")
def track() -> ValuationSets:
    return load()


def rows_of(track, X):
    """Where the rows of X are in the data set (digits has no two equal rows)."""
    place = {row.tobytes(): i for i, row in enumerate(track.dataset.X)}
    return np.array([place[row.tobytes()] for row in X])


def test_gains_are_those_of_scikit_learn_on_base_and_set(track):
    view, key = track.prepare(0)
    data, base, offered = track.dataset, rows_of(track, view.arrays["X"]), rows_of(track, view.arrays["X_sets"])
    pool, _, test = _parts(track)
    assert set(base) | set(offered) <= set(pool)

    def accuracy(rows):
        model = LogisticRegression(C=1.0, tol=1e-8, max_iter=10_000).fit(data.X[rows], data.y[rows])
        return model.score(data.X[test], data.y[test])

    measured = [
        accuracy(np.concatenate([base, offered[view.arrays["set_of"] == j]])) - accuracy(base) for j in range(6)
    ]
    assert key.gains == pytest.approx(measured, abs=1e-9)
    assert key.base_accuracy == pytest.approx(accuracy(base))


def _parts(track):
    from harness.tracks.drawing import draw_parts

    return draw_parts(track.dataset, 200, 0, 300, track.rng(0, "split"))


def test_the_view_holds_no_label_of_a_candidate_set(track):
    view, _ = track.prepare(0)
    assert set(view.arrays) == {"X", "y", "X_sets", "set_of"}
    assert len(view.arrays["y"]) == len(view.arrays["X"]) == 40


def test_sets_keep_their_sizes_and_share_no_row_with_the_base(track):
    for seed in range(3):
        view, _ = track.prepare(seed)
        base, offered = rows_of(track, view.arrays["X"]), rows_of(track, view.arrays["X_sets"])
        assert not set(base) & set(offered)
        assert len(set(base)) == 40
        for j in range(6):
            rows = offered[view.arrays["set_of"] == j]
            assert 5 <= len(rows) == len(set(rows)) <= 30


def test_class_mixes_differ_as_asked():
    """A low concentration leaves a set with few classes, a high one with nearly even shares."""

    def mean_largest_share(concentration):
        track = load("track.largest=30", "track.smallest=30", f"track.class_mix={concentration}", "track.sets=20")
        view, _ = track.prepare(0)
        y = track.dataset.y[rows_of(track, view.arrays["X_sets"])].reshape(20, 30)
        return np.mean([np.bincount(row).max() / 30 for row in y])

    assert mean_largest_share(0.1) > 0.4 > 0.3 > mean_largest_share(100.0)


def test_score_is_the_mean_absolute_error_and_the_statistic_gives_it(track):
    view, key = track.prepare(0)
    guess = np.linspace(-0.1, 0.3, 6)
    score = track.score(track.read_output({"gains": guess}, view), view, key, 0)
    assert score.value == pytest.approx(mean_absolute_error(key.gains, guess))
    assert score.metrics["spearman"] == pytest.approx(spearmanr(key.gains, guess).statistic)
    assert track.statistic(score.items, np.ones((1, 6)))[0] == score.value
    counts = np.array([[3, 0, 0, 2, 0, 1]])
    again = np.repeat(np.arange(6), counts[0])
    assert track.statistic(score.items, counts)[0] == pytest.approx(mean_absolute_error(key.gains[again], guess[again]))


def test_references(track):
    view, key = track.prepare(0)
    assert track.reference("skyline", view, key, 0).value == 0
    assert track.reference("random", view, key, 0).value > 0
    assert track.direction == "min"


def test_ties_share_their_rank_and_a_constant_guess_has_no_correlation(track):
    view, key = track.prepare(0)
    tied = np.array([0.1, 0.1, 0.2, 0.2, 0.2, 0.0])
    spearman = track.score({"gains": tied}, view, key, 0).metrics["spearman"]
    assert spearman == pytest.approx(spearmanr(key.gains, tied).statistic)
    assert np.isnan(track.score({"gains": np.full(6, 0.1)}, view, key, 0).metrics["spearman"])


@settings(max_examples=150, deadline=None)
@given(st.lists(st.floats(-1, 1) | st.floats(allow_nan=True, allow_infinity=True), max_size=5))
def test_gains_are_accepted_just_when_they_are_differences_of_accuracies_one_per_set(track, values):
    view = View({}, {"n_sets": 4})
    if len(values) == 4 and all(-1 <= value <= 1 for value in values):
        assert track.read_output({"gains": np.array(values)}, view)["gains"].tolist() == values
    else:
        with pytest.raises(SubmissionError, match="gains") as caught:
            track.read_output({"gains": np.array(values)}, view)
        if len(values) == 4:
            wrong = [i for i, value in enumerate(values) if not np.isfinite(value)]  # these are looked for first
            wrong = wrong or [i for i, value in enumerate(values) if abs(value) > 1]
            assert f"gains[{wrong[0]}]" in caught.value.reason


@pytest.mark.parametrize("wrong", [np.array(["a"] * 6), np.zeros(6, bool), np.zeros(6, complex), np.zeros((6, 1))])
def test_wrong_kinds_are_refused(track, wrong):
    with pytest.raises(SubmissionError, match=r"dtype|shape"):
        track.read_output({"gains": wrong}, View({}, {"n_sets": 6}))


def test_impossible_settings_are_refused():
    with pytest.raises(ProtocolError, match="more than the pool's"):
        load("track.base=190")
    with pytest.raises(ProtocolError, match="more than largest"):
        load("track.smallest=31")


@pytest.mark.parametrize("name", ["random", "uniform", "single", "correlation_matched", "proxy_model"])
def test_baselines_run(track, name):
    view, key = track.prepare(1)
    output = run(track, view, key, baseline("valuation_sets", name))
    assert output["gains"].shape == (6,)
    assert 0 < track.score(output, view, key, 1).value < 1


def test_uniform_says_one_gain_and_single_orders_by_size(track):
    view, key = track.prepare(1)
    assert len(set(run(track, view, key, baseline("valuation_sets", "uniform"))["gains"])) == 1
    gains = run(track, view, key, baseline("valuation_sets", "single"))["gains"]
    assert abs(spearmanr(gains, np.bincount(view.arrays["set_of"])).statistic) == pytest.approx(1)
