"""Valuation: the removal curves against a loop of scikit-learn fits, its secondary metrics against scikit-learn."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from harness.errors import ProtocolError, SubmissionError
from harness.protocol.compose import load_challenge
from harness.tracks import metrics, pinned
from harness.tracks.base import View
from harness.tracks.valuation import Valuation, ValuationSettings, removal_places
from tests.tracks.helpers import baseline, make_task

SMALL = ["track.train=100", "track.validation=50", "track.test=300"]
INTEGERS = st.integers(-3, 3)  # many ties


def load(*overrides: str, name: str = "valuation_digits") -> Valuation:
    challenge = load_challenge(name, [*SMALL, *overrides])
    track = challenge.load_track(challenge.load_dataset(), "cpu")
    assert isinstance(track, Valuation)
    return track


@pytest.fixture(scope="module")
def track() -> Valuation:
    return load()


def sklearn_gap(X, y, X_test, y_test, values, steps=10, removed=0.5):
    """The metric by its definition: one fit after the other, trapezoids by numpy. Values without ties.

    Rows leave one at a time, from the class that is furthest behind: the one whose next seat has the largest divisor
    quotient of Webster, c / (2 g + 1) for c rows of which g are gone, the lowest class on ties.
    """

    def accuracy(gone):
        rows = np.setdiff1d(np.arange(len(y)), gone)
        model = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000).fit(X[rows], y[rows])
        return np.mean(model.predict(X_test) == y_test)

    def leaving(values):
        queues = {c: [i for i in np.argsort(values) if y[i] == c] for c in sorted(set(y))}
        size, gone = {c: len(queue) for c, queue in queues.items()}, dict.fromkeys(queues, 0)
        out = []
        while sum(map(len, queues.values())) > len(queues):
            c = max((c for c in queues if len(queues[c]) > 1), key=lambda c: (Fraction(size[c], 2 * gone[c] + 1), -c))
            out.append(queues[c].pop(0))
            gone[c] += 1
        return out

    gaps = []
    for step in range(steps + 1):
        count = round(removed * step / steps * len(y))
        gaps.append(accuracy(leaving(values)[:count]) - accuracy(leaving(-values)[:count]))
    return np.trapezoid(gaps, dx=1 / steps), np.array(gaps)


def test_the_gap_is_that_of_a_loop_of_scikit_learn_fits(track):
    view, key = track.prepare(0)
    X, y = view.arrays["X"], view.arrays["y"]
    for seed, wrong_low in [(0, 0.0), (1, 1.0)]:
        values = np.random.default_rng(seed).random(len(y)) - wrong_low * key.wrong
        score = track.score({"values": values}, view, key, 0)
        expected, gaps = sklearn_gap(X, y, key.X_test, key.y_test, values)
        assert score.value == pytest.approx(expected, abs=0.003)  # a test row or two on the decision boundary
        assert score.curve[:, 1] == pytest.approx(gaps, abs=0.01)
        assert score.curve[:, 0] == pytest.approx(np.linspace(0, 0.5, 11))


def test_statistic_is_the_metric_and_weights_count_like_repeated_rows(track):
    view, key = track.prepare(1)
    score = track.score({"values": np.random.default_rng(0).random(100)}, view, key, 1)
    m = len(key.y_test)
    assert all(len(item) == m for item in score.items.values())
    assert track.statistic(score.items, np.ones((1, m)))[0] == score.value
    weights = np.random.default_rng(1).integers(0, 3, (4, m))
    repeated = [np.repeat(score.items["gap"], w).mean() for w in weights]
    assert track.statistic(score.items, weights) == pytest.approx(repeated)


def test_view_shows_the_noisy_labels_and_no_test_row(track):
    view, key = track.prepare(2)
    assert set(view.arrays) == {"X", "y", "X_val", "y_val"}
    assert dict(view.scalars) == {"n_classes": 10}
    assert key.wrong.sum() == 30
    data = track.dataset
    where = {row.tobytes(): label for row, label in zip(data.X, data.y, strict=True)}  # digits has no twin rows
    true = np.array([where[row.tobytes()] for row in view.arrays["X"]])
    assert np.array_equal(true != view.arrays["y"], key.wrong)
    shown = {row.tobytes() for row in np.concatenate([view.arrays["X"], view.arrays["X_val"]])}
    assert len(shown) == 150
    assert not shown & {row.tobytes() for row in key.X_test}


def test_seeds_differ_and_repeat(track):
    first, again, other = track.prepare(0), track.prepare(0), track.prepare(1)
    assert np.array_equal(first[0].arrays["y"], again[0].arrays["y"])
    assert not np.array_equal(first[0].arrays["X"], other[0].arrays["X"])


def test_only_the_order_of_values_counts(track):
    view, key = track.prepare(0)
    values = np.random.default_rng(3).normal(size=100)
    scores = [track.score({"values": v}, view, key, 0).value for v in (values, np.exp(values), 1e300 * values)]
    assert scores[0] == scores[1] == scores[2]
    assert track.score({"values": -values}, view, key, 0).value == pytest.approx(-scores[0])


def test_only_the_order_within_a_class_counts(track):
    """Whatever is done to the values class by class: blocks, shifts, scales."""
    view, key = track.prepare(0)
    y, values = view.arrays["y"], np.random.default_rng(3).normal(size=100)
    score = track.score({"values": values}, view, key, 0).value
    for shift, scale in [(100.0 * y, 1.0), (-100.0 * y, 1.0), (0.0, 2.0**-y)]:
        assert track.score({"values": shift + scale * values}, view, key, 0).value == score


@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 60))
def test_every_class_loses_its_share_and_keeps_a_row(seed, classes, n):
    rng = np.random.default_rng(seed)
    y = np.sort(rng.choice(classes, n, p=rng.dirichlet(np.ones(classes))))
    order = rng.permutation(n)
    places = removal_places(order, y)
    assert sorted(places) == list(range(n))
    sizes = np.bincount(y, minlength=classes)
    for gone in range(n - np.count_nonzero(sizes) + 1):
        lost = np.bincount(y[places < gone], minlength=classes)
        assert np.all(lost[sizes > 0] < sizes[sizes > 0])
        if gone <= n / 2:  # before rows that must stay shift the shares of the others
            assert np.abs(lost - sizes * gone / n)[sizes > 2].max(initial=0) < classes
        reverse = removal_places(order[::-1], y) < gone
        assert np.array_equal(np.bincount(y[reverse], minlength=classes), lost)  # both curves lose the same
    for c in range(classes):
        assert np.all(np.diff(places[order[y[order] == c]]) > 0)


def test_a_share_that_would_empty_a_class_stops_before():
    track = load("track.removed=0.99")
    view, key = track.prepare(0)
    score = track.score({"values": np.random.default_rng(0).random(100)}, view, key, 0)
    assert score.curve is not None
    assert np.isfinite(score.curve).all()
    low = np.random.default_rng(0).random(100)
    assert track.score({"values": low - 10.0 * key.wrong}, view, key, 0).value > score.value


def test_ties_fall_by_a_seeded_shuffle_and_not_by_row_order(track):
    view, key = track.prepare(0)
    order = metrics.shuffled_order(np.zeros(100), track.rng(0, "ties").permutation(100))
    constant = track.score({"values": np.zeros(100)}, view, key, 0)
    by_shuffle = track.score({"values": -np.argsort(order).astype(float)}, view, key, 0)
    by_row = track.score({"values": -np.arange(100.0)}, view, key, 0)
    assert constant.value == by_shuffle.value != by_row.value
    assert constant.metrics["wrong_label_auroc"] == 0.5
    assert constant.metrics["wrong_label_f1"] == 0.0


def test_references_are_apart_and_the_bound_is_above_the_skyline(track):
    gaps: dict[str, list[float]] = {which: [] for which in ("random", "skyline")}
    for seed in range(3):
        view, key = track.prepare(seed)
        for which, values in gaps.items():
            score = track.reference(which, view, key, seed)
            values.append(score.value)
        assert score.metrics["wrong_label_average_precision"] == 1.0
        assert score.value < track.suspicious_above(score.value) < 1
    assert np.mean(gaps["skyline"]) > np.mean(gaps["random"]) + 0.15


@given(arrays(float, 12, elements=INTEGERS), arrays(bool, 12))
def test_detection_metrics_agree_with_scikit_learn(scores, positive):
    if positive.any() and not positive.all():
        assert metrics.auroc(scores, positive) == pytest.approx(roc_auc_score(positive, scores))
        assert metrics.average_precision(scores, positive) == pytest.approx(average_precision_score(positive, scores))
        flagged = metrics.lower_cluster(scores)
        assert metrics.f1(flagged, positive) == pytest.approx(f1_score(positive, flagged, zero_division=0))
    elif not positive.any():
        assert np.isnan([metrics.auroc(scores, positive), metrics.average_precision(scores, positive)]).all()
        assert np.isnan(metrics.f1(scores < 0, positive))


@given(arrays(float, 9, elements=st.floats(-100, 100)))
def test_lower_cluster_has_the_least_spread_of_all_thresholds(values):
    lower = metrics.lower_cluster(values)
    if np.ptp(values / max(np.abs(values).max(), 1e-300)) == 0:
        assert not lower.any()
        return

    def spread(flagged):
        return sum(((part - part.mean()) ** 2).sum() for part in (values[flagged], values[~flagged]))

    cuts = [values < v for v in np.unique(values)[1:]]
    assert spread(lower) <= min(map(spread, cuts)) + 1e-9 * max(1.0, np.abs(values).max() ** 2)
    assert values[lower].max() < values[~lower].min()


@given(arrays(float, 10, elements=INTEGERS), arrays(float, 10, elements=INTEGERS))
def test_spearman_agrees_with_scipy(a, b):
    ours = metrics.spearman(a, b)
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        assert np.isnan(ours)
    else:
        assert ours == pytest.approx(spearmanr(a, b).statistic)


VIEW = View({"y": np.zeros(7, np.int64)}, {"n_classes": 2})


@given(arrays(st.sampled_from([np.float32, np.float64, np.int16]), 7, elements=st.integers(-9, 9)))
def test_any_finite_real_vector_is_accepted(track, values):
    out = track.read_output({"values": values}, VIEW)["values"]
    assert out.dtype == np.float64
    assert np.array_equal(out, values)


@settings(max_examples=30)
@given(st.integers(0, 6), st.sampled_from([np.nan, np.inf, -np.inf]))
def test_the_first_value_that_is_not_finite_is_named(track, position, bad):
    values = np.zeros(7)
    values[position:] = bad
    with pytest.raises(SubmissionError, match=rf"values\[{position}\] is -?(nan|inf)"):
        track.read_output({"values": values}, VIEW)


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        (np.zeros(6), r"shape \[6\]; it must be \[7\]"),
        (np.zeros((7, 1)), r"shape \[7, 1\]"),
        (np.zeros(7, bool), "dtype bool"),
        (np.zeros(7, complex), "dtype complex"),
        (np.array(["1"] * 7), "real numbers"),
        (np.array(1.0), "shape"),
    ],
)
def test_bad_values_are_refused_with_the_rule(track, values, rule):
    with pytest.raises(SubmissionError, match=rule):
        track.read_output({"values": values}, VIEW)


def test_without_noise_there_is_no_detection_metric():
    track = load("track.noise=0")
    view, key = track.prepare(0)
    metrics = track.score({"values": np.arange(100.0)}, view, key, 0).metrics
    assert np.isnan(metrics["wrong_label_auroc"])
    assert metrics["wrong_labels"] == 0


def test_a_pinned_shapley_run_is_compared_with(tmp_path: Path, monkeypatch):
    table = np.random.default_rng(0).normal(size=(2, 100)).astype(np.float32)
    track = load()
    rows = [pinned.rows_digest(track.prepare(seed)[0]) for seed in (0, 2)]  # the second line is of other rows
    np.savez(tmp_path / "long.npz", values=table, rows=np.array(rows, np.uint64))
    monkeypatch.setattr(pinned, "CONF_DIR", tmp_path)
    digest = hashlib.sha256((tmp_path / "long.npz").read_bytes()).hexdigest()
    entry = pinned.Pinned(file="long.npz", sha256=digest)
    track = Valuation(track.settings.model_copy(update={"shapley": entry}), track.dataset, track.model, track.secret)
    values = np.random.default_rng(1).normal(size=100)
    found = []
    for seed in range(3):
        view, key = track.prepare(seed)
        found.append(track.score({"values": values}, view, key, seed).metrics["spearman_to_shapley"])
    assert found[0] == pytest.approx(spearmanr(values, table[0]).statistic)
    assert np.isnan(found[1:]).all()  # computed on other rows, and not computed at all


def test_the_shipped_shapley_run_is_of_the_shipped_challenge():
    """Ten orders of our own on seed 0 agree with its row of the pinned table, and not with another seed's."""
    challenge = load_challenge("valuation_digits")
    track = challenge.load_track(challenge.load_dataset(), "cpu")
    assert isinstance(challenge.track, ValuationSettings)
    assert challenge.track.shapley is not None
    view, _ = track.prepare(0)
    values = baseline("valuation", "tmc_shapley")(make_task(track, view), tolerance=0.0)
    rows = [challenge.track.shapley.load(seed, track.prepare(seed)[0]) for seed in range(challenge.seeds)]
    agreement = [spearmanr(values, row).statistic for row in rows]
    assert agreement[0] > 0.6
    assert np.abs(agreement[1:]).max() < 0.3


def test_another_file_than_the_pinned_one_is_refused(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(pinned, "CONF_DIR", tmp_path)
    entry = pinned.Pinned(file="long.npz", sha256="0" * 64)
    with pytest.raises(ProtocolError, match="is not there"):
        entry.load(0, VIEW)
    np.savez(tmp_path / "long.npz", values=np.zeros((1, 3)))
    with pytest.raises(ProtocolError, match="not the pinned file"):
        entry.load(0, VIEW)
