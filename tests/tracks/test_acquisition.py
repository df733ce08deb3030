"""Acquisition: a market worked through by hand, summaries against scipy and numpy, every rule of a purchase."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr
from sklearn.linear_model import LogisticRegression

from harness.data.base import Dataset
from harness.errors import ProtocolError, SubmissionError
from harness.models import load_model
from harness.protocol.compose import load_challenge
from harness.tracks.acquisition import Acquisition, AcquisitionKey, AcquisitionSettings
from harness.tracks.base import View
from tests.tracks.helpers import baseline, run

SMALL = ["track.pool=200", "track.markets=2", "track.sellers=6", "track.budget=60"]


def load(*overrides: str) -> Acquisition:
    challenge = load_challenge("acquisition_breast_cancer", [*SMALL, *overrides])
    track = challenge.load_track(challenge.load_dataset(), "cpu")
    assert isinstance(track, Acquisition)
    return track


@pytest.fixture(scope="module")
def track() -> Acquisition:
    return load()


def made_market() -> tuple[Acquisition, View, AcquisitionKey]:
    """One market, two sellers: seller 0 sells honest labels at 3 a row, seller 1 only wrong ones at 1."""
    X = np.array([[-2.0], [-1.0], [1.0], [2.0]] * 2, np.float32)
    y_true = np.array([0, 0, 1, 1] * 2)
    y_sold = np.array([[0, 0, 1, 1, 1, 1, 0, 0]])
    stock = ((np.array([3, 0, 1, 2]), np.array([4, 5, 6, 7])),)
    X_test, y_test = np.array([[-3.0], [-1.5], [1.5], [3.0]], np.float32), np.array([0, 0, 1, 1])
    dataset = Dataset("made", X, y_true, ("a", "b"))
    settings = AcquisitionSettings(name="acquisition", pool=10, markets=1, sellers=2, smallest=5, budget=20)
    track = Acquisition(settings, dataset, load_model("logistic", device="cpu", n_classes=2), "open")
    view = View({"rows": np.array([[4, 4]]), "prices": np.array([[3.0, 1.0]])}, {"budget": 20.0, "n_classes": 2})
    return track, view, AcquisitionKey(X, y_true, y_sold, stock, X_test, y_test)


@pytest.mark.parametrize(
    ("bought", "accuracy", "cost"),
    [([[4, 0]], 1.0, 12), ([[0, 4]], 0.0, 4), ([[2, 0]], 1.0, 6), ([[1, 0]], 0.5, 3), ([[3, 0]], 1.0, 9)],
)
def test_a_market_by_hand(bought, accuracy, cost):
    """Honest rows give 1, wrong ones 0; the first two honest rows delivered have both classes, the first only one."""
    track, view, key = made_market()
    score = track.score(track.read_output({"purchases": np.array(bought)}, view), view, key, 0)
    assert score.metrics["accuracy"] == accuracy
    assert score.value == pytest.approx(0.98 * accuracy + 0.02 * (20 - cost) / 20)


def test_reward_is_that_of_scikit_learn_on_the_rows_delivered(track):
    view, key = track.prepare(0)
    bought = np.minimum(view.arrays["rows"], 8)
    bought = np.where(np.arange(6) < 3, bought, 0)
    track = load("track.budget=1000")
    view = View(view.arrays, dict(view.scalars) | {"budget": 1000.0})
    score = track.score(track.read_output({"purchases": bought}, view), view, key, 0)
    rewards = []
    for market in range(2):
        rows = np.concatenate([key.stock[market][j][: bought[market, j]] for j in range(6)])
        model = LogisticRegression(C=1.0, tol=1e-8, max_iter=10_000).fit(key.X[rows], key.y_sold[market][rows])
        cost = sum(bought[market, j] * view.arrays["prices"][market, j] for j in range(6))
        rewards.append(0.98 * model.score(key.X_test, key.y_test) + 0.02 * (1000 - cost) / 1000)
    assert score.value == pytest.approx(np.mean(rewards))
    assert score.metrics["rows_bought"] == bought.sum(axis=1).mean()


def test_statistic_of_ones_is_the_value_and_of_counts_is_that_of_repeated_rows(track):
    view, key = track.prepare(1)
    score = track.reference("random", view, key, 1)
    m = len(key.y_test)
    assert track.statistic(score.items, np.ones((1, m)))[0] == score.value
    counts = np.random.default_rng(0).multinomial(m, np.full(m, 1 / m), size=2)
    for row, got in zip(counts, track.statistic(score.items, counts), strict=True):
        correct = score.items["correct"][np.repeat(np.arange(m), row)]
        assert got == pytest.approx(0.98 * correct.mean() + 0.02 * score.items["saved"][0].mean())


def test_sellers_share_the_pool_and_the_buyer_tests_on_other_rows(track):
    view, key = track.prepare(0)
    for market in range(2):
        assert sorted(np.concatenate(key.stock[market])) == list(range(200))
        assert [len(lot) for lot in key.stock[market]] == view.arrays["rows"][market].tolist()
        assert view.arrays["rows"][market].min() >= 10
    shown = {row.tobytes() for row in key.X}
    assert not any(row.tobytes() in shown for row in key.X_test)


def test_summaries_are_those_of_numpy_and_scipy(track):
    view, key = track.prepare(0)
    a = view.arrays
    for market in range(2):
        for j, lot in enumerate(key.stock[market]):
            X, y = key.X[lot], key.y_sold[market][lot]
            for f in range(30):
                counts, _ = np.histogram(X[:, f], a["edges"][f])
                assert a["histograms"][market, j, f].tolist() == counts.tolist()
                assert counts.sum() == len(lot)
                if len(set(y)) == 2:
                    assert a["correlations"][market, j, f] == pytest.approx(pearsonr(X[:, f], y).statistic, abs=1e-6)
            sold = {(x.tobytes(), label) for x, label in zip(X, y, strict=True)}
            samples = [
                (x.tobytes(), label)
                for x, label in zip(a["X_samples"][market, j], a["y_samples"][market, j], strict=True)
            ]
            assert len(set(samples)) == 5
            assert set(samples) <= sold


def test_wrong_labels_differ_from_seller_to_seller_and_stay_below_the_limit(track):
    _, key = track.prepare(0)
    shares = [np.mean(key.y_sold[0][lot] != key.y_true[lot]) for lot in key.stock[0]]
    assert 0 <= min(shares) < max(shares) <= 0.5 + 1e-9
    assert np.array_equal(load("track.noise=0").prepare(0)[1].y_sold, np.tile(key.y_true, (2, 1)))


def test_references_bracket(track):
    view, key = track.prepare(0)
    floor, skyline = (track.reference(which, view, key, 0).value for which in ("random", "skyline"))
    model = LogisticRegression(C=1.0, tol=1e-8, max_iter=10_000).fit(key.X, key.y_true)
    assert skyline == pytest.approx(0.98 * model.score(key.X_test, key.y_test) + 0.02)
    assert floor < skyline


@settings(max_examples=300, deadline=None)
@given(
    rows=st.lists(st.integers(5, 9), min_size=6, max_size=6),
    bought=st.lists(st.integers(-1, 10), min_size=6, max_size=6),
    budget=st.sampled_from([10.0, 25.0, 60.0]),
)
def test_a_purchase_is_accepted_just_when_every_rule_is_kept(rows, bought, budget):
    track, _, _ = made_market()
    stock, wanted = np.array(rows).reshape(2, 3), np.array(bought).reshape(2, 3)
    prices = np.array([[1.0, 2.0, 0.5], [3.0, 1.0, 1.0]])
    view = View({"rows": stock, "prices": prices}, {"budget": budget, "n_classes": 2})
    problems = []
    for i in range(2):
        problems += [f"purchases[{i}, {j}] is" for j in range(3) if not 0 <= wanted[i, j] <= stock[i, j]]
    for i in range(2):
        problems += [f"purchases[{i}] buys nothing"] if sum(wanted[i]) == 0 else []
        problems += [f"purchases[{i}] costs"] if sum(wanted[i] * prices[i]) > budget else []
    if problems:
        with pytest.raises(SubmissionError) as caught:
            track.read_output({"purchases": wanted}, view)
        assert any(caught.value.reason.startswith(problem) for problem in problems)
    else:
        assert np.array_equal(track.read_output({"purchases": wanted}, view)["purchases"], wanted)


@pytest.mark.parametrize("wrong", [np.ones((1, 2)), np.ones((1, 2), bool), np.ones(2, int), np.ones((2, 1), int)])
def test_wrong_kinds_are_refused(wrong):
    track, view, _ = made_market()
    with pytest.raises(SubmissionError, match=r"dtype|shape"):
        track.read_output({"purchases": wrong}, view)


def test_data_of_more_than_two_classes_are_refused():
    with pytest.raises(ProtocolError, match="two-class label; digits has 10 classes"):
        load("dataset=digits")


def test_more_sellers_than_the_pool_can_stock_are_refused():
    with pytest.raises(ProtocolError, match="more than the pool's 200"):
        load("track.sellers=21")


@pytest.mark.parametrize("name", ["random", "uniform", "single", "cheapest", "correlation_matched", "proxy_model"])
def test_baselines_keep_the_rules(track, name):
    for seed in range(3):
        view, key = track.prepare(seed)
        output = run(track, view, key, baseline("acquisition", name), seed)
        bought = output["purchases"]
        if name == "single":
            assert ((bought > 0).sum(axis=1) == 1).all()
        if (
            name == "cheapest"
        ):  # whatever costs more than something not fully bought is not bought, but for the last coins
            for rows, prices, got in zip(view.arrays["rows"], view.arrays["prices"], bought, strict=True):
                left = 60 - (got * prices).sum()
                assert all(left < price for price, have, take in zip(prices, rows, got, strict=True) if take < have)
        assert 0 < track.score(output, view, key, seed).value < 1


def test_uniform_spends_alike(track):
    view, key = track.prepare(0)
    bought = run(track, view, key, baseline("acquisition", "uniform"))["purchases"]
    for rows, prices, got in zip(view.arrays["rows"], view.arrays["prices"], bought, strict=True):
        spent = (got * prices)[got < rows]
        assert np.ptp(spent) < prices.max() * 1.001


def test_correlation_matching_avoids_wrong_labels(track):
    """Against random purchases, over seeds; the harness measures the share, the algorithm never sees it."""
    shares: dict[str, list[float]] = {"random": [], "correlation_matched": [], "proxy_model": []}
    for seed in range(4):
        view, key = track.prepare(seed)
        for name, found in shares.items():
            output = run(track, view, key, baseline("acquisition", name), seed)
            found.append(track.score(output, view, key, seed).metrics["wrong_label_share"])
    assert np.mean(shares["correlation_matched"]) < np.mean(shares["random"]) / 1.5
    assert np.mean(shares["proxy_model"]) < np.mean(shares["random"]) / 1.5
