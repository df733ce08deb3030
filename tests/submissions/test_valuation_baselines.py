"""Valuation baselines against enumeration of all coalitions, scikit-learn, an exact transport plan, and known figures."""

from __future__ import annotations

import dataclasses
from itertools import combinations, permutations
from math import comb, factorial

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.special import beta as beta_function
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression

from harness import api
from harness.models import load_model
from harness.models.base import FixedModel
from harness.paths import SUBMISSIONS_DIR
from harness.protocol.compose import load_challenge
from harness.protocol.manifest import MANIFEST
from harness.randomness import generator
from harness.tracks import metrics
from tests.tracks.helpers import baseline, make_task, run

NAMES = sorted(p.name for p in (SUBMISSIONS_DIR / "valuation").iterdir() if (p / MANIFEST).exists())
N = 8
CLOSE = 0.005  # the values below span 0.03 (Beta-Shapley) to 0.11 (Banzhaf), and one kind differs from another by more


def load(*overrides: str):
    challenge = load_challenge("valuation_digits", overrides)
    return challenge.load_track(challenge.load_dataset(), "cpu")


def small_task(n=N, m=40, seed=3) -> api.ValuationTask:
    """Two overlapping clouds of n training rows, one of them mislabelled."""
    rng = np.random.default_rng(seed)

    def cloud(size):
        y = np.arange(size) % 2
        return (rng.normal(size=(size, 2)) + 1.2 * y[:, None]).astype(np.float32), y.astype(np.int64)

    X, y = cloud(n)
    y[0] = 1 - y[0]
    X_val, y_val = cloud(m)
    model = load_model("logistic", device="cpu", n_classes=2)
    return api.ValuationTask(2, generator("test", 0, "algorithm"), model, X, y, X_val, y_val)


@pytest.fixture(scope="module")
def utilities() -> dict[frozenset[int], float]:
    """Validation accuracy of every one of the 256 coalitions, one scikit-learn fit each; chance for none at all."""
    task = small_task()
    found = {frozenset[int](): 0.5}
    for size in range(1, N + 1):
        for rows in combinations(range(N), size):
            X, y = task.X[list(rows)], task.y[list(rows)]
            if len(set(y)) == 1:
                predicted = np.full(len(task.y_val), y[0])
            else:
                predicted = LogisticRegression(C=1.0, tol=1e-10).fit(X, y).predict(task.X_val)
            found[frozenset(rows)] = float(np.mean(predicted == task.y_val))
    return found


def semivalue(utilities, weight):
    """Sum over coalitions without the row of weight(size) times its marginal contribution: values [N]."""
    values = np.zeros(N)
    for i in range(N):
        for coalition, utility in utilities.items():
            if i not in coalition:
                values[i] += weight(len(coalition)) * (utilities[coalition | {i}] - utility)
    return values


def shapley_weight(s):
    return factorial(s) * factorial(N - 1 - s) / factorial(N)


def beta_weight(s, alpha=16, beta=1):
    return beta_function(s + beta, N - 1 - s + alpha) / beta_function(beta, alpha)


def test_enumeration_agrees_with_the_definition_over_orders(utilities):
    few = {c: u for c, u in utilities.items() if c <= {0, 1, 2, 3}}
    by_order = np.zeros(4)
    for order in permutations(range(4)):
        for place, i in enumerate(order):
            by_order[i] += few[frozenset(order[: place + 1])] - few[frozenset(order[:place])]
    values = [
        sum(
            factorial(len(c)) * factorial(3 - len(c)) / factorial(4) * (few[c | {i}] - u)
            for c, u in few.items()
            if i not in c
        )
        for i in range(4)
    ]
    assert by_order / 24 == pytest.approx(values)


def test_tmc_shapley_converges_to_the_shapley_values(utilities):
    exact = semivalue(utilities, shapley_weight)
    assert exact.sum() == pytest.approx(utilities[frozenset(range(N))] - 0.5)
    found = baseline("valuation", "tmc_shapley")(small_task(), orders=3000, tolerance=0.0)
    assert found == pytest.approx(exact, abs=CLOSE)


def test_tmc_truncation_saves_fits_and_keeps_most_of_the_order(utilities):
    exact = semivalue(utilities, shapley_weight)
    task = small_task()
    found = baseline("valuation", "tmc_shapley")(task, orders=500, tolerance=0.02)
    assert isinstance(task.model, FixedModel)
    assert task.model.fits <= N * 500
    assert spearmanr(found, exact).statistic > 0.8


def test_beta_shapley_converges_to_its_semivalue(utilities):
    exact = semivalue(utilities, beta_weight)
    assert sum(comb(N - 1, s) * beta_weight(s) for s in range(N)) == pytest.approx(1)
    function = baseline("valuation", "beta_shapley")
    weights = function.__globals__["beta_weights"](N, 16, 1) / N
    assert weights == pytest.approx([comb(N - 1, s) * beta_weight(s) for s in range(N)])
    assert function(small_task(), orders=6000, left_out=0.0) == pytest.approx(exact, abs=CLOSE)
    assert function(small_task(), orders=3000, alpha=1, beta=1, left_out=0.0) == pytest.approx(
        semivalue(utilities, shapley_weight), abs=CLOSE
    )


def test_banzhaf_converges_to_the_banzhaf_values(utilities):
    exact = semivalue(utilities, lambda s: 0.5 ** (N - 1))
    # the model's own answer for no row at all is class 0; the enumeration calls it chance, as all else does
    no_rows = np.mean(small_task().y_val == 0) - 0.5
    exact -= 0.5 ** (N - 1) * no_rows
    found = baseline("valuation", "banzhaf")(small_task(), fits=20_000)
    assert found == pytest.approx(exact, abs=CLOSE)


def test_ame_converges_to_the_average_marginal_effects(utilities):
    def weight(s):
        return np.mean([p**s * (1 - p) ** (N - 1 - s) for p in (0.2, 0.4, 0.6, 0.8)])

    found = baseline("valuation", "ame")(small_task(), fits=20_000)
    assert found == pytest.approx(semivalue(utilities, weight), abs=CLOSE)


def test_knn_shapley_is_exact():
    task = small_task(m=5)
    k = 3

    def utility(rows):
        total = 0.0
        for x, label in zip(task.X_val, task.y_val, strict=True):
            nearest = sorted(rows, key=lambda i: float(((task.X[i] - x) ** 2).sum()))[:k]
            total += sum(task.y[i] == label for i in nearest) / k
        return total / len(task.y_val)

    utilities = {frozenset(c): utility(c) for s in range(N + 1) for c in combinations(range(N), s)}
    found = baseline("valuation", "knn_shapley")(task, k=k)
    assert found == pytest.approx(semivalue(utilities, shapley_weight), abs=1e-9)


def test_leave_one_out_agrees_with_scikit_learn_refits():
    task = small_task(n=30, m=60)

    def accuracy(rows):
        model = LogisticRegression(C=1.0, tol=1e-10).fit(task.X[rows], task.y[rows])
        return np.mean(model.predict(task.X_val) == task.y_val)

    everything = accuracy(np.arange(30))
    exact = np.array([everything - accuracy(np.delete(np.arange(30), i)) for i in range(30)])
    found = baseline("valuation", "leave_one_out")(task)
    assert len(set(exact)) > 2
    assert np.abs(found - exact).max() < 0.5 / 60  # the tie-break is less than half of one row


@pytest.mark.parametrize("C", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("classes", [2, 3])
def test_influence_is_what_taking_weight_from_a_row_does_to_the_loss(C, classes):
    """Central differences in each row's weight, with scikit-learn's fits; then leaving the row out altogether."""
    task = blobs(classes, C)
    own_C = LogisticRegression(C=C, tol=1e-12, max_iter=10_000)

    def loss(weights):
        fitted = own_C.fit(task.X.astype(np.float64), task.y, sample_weight=weights)
        probability = fitted.predict_proba(task.X_val.astype(np.float64))
        return -np.log(probability[np.arange(60), task.y_val]).mean()

    step, n = 1e-2, len(task.y)
    ones = np.ones(n)
    slope = [(loss(ones - step * row) - loss(ones + step * row)) / (2 * step) for row in np.eye(n)]
    found = baseline("valuation", "influence")(task)
    assert found == pytest.approx(np.array(slope), abs=0.02 * np.abs(slope).max())
    left_out = [loss(ones - row) - loss(ones) for row in np.eye(n)]
    assert spearmanr(found, left_out).statistic > (0.95 if C <= 1 else 0.75)  # far steps bend more where C is large
    suspects = baseline("debugging", "influence")(task)
    assert suspects.tolist() == np.argsort(found, kind="stable").tolist()  # both rank by the same numbers


def blobs(classes, C, n=40, m=60):
    """Overlapping clouds, a tenth of the training labels wrong, and the fixed model with this C."""
    rng = np.random.default_rng(5)
    y = rng.integers(classes, size=n + m)
    X = (rng.normal(size=(n + m, 4)) + 1.5 * np.eye(classes, 4)[y]).astype(np.float32)
    y[: n // 10] = (y[: n // 10] + 1) % classes
    model = load_model("logistic", device="cpu", n_classes=classes, C=C)
    return api.ValuationTask(classes, generator("test", 0, "algorithm"), model, X[:n], y[:n], X[n:], y[n:])


def test_influence_of_wide_rows_is_that_in_all_their_features():
    """More features than rows: the reduced computation of the debugging baseline against the full one of this track."""
    task = blobs(3, 1.0)
    wide = np.random.default_rng(0).normal(size=(100, 200)).astype(np.float32)
    fields = {"X": np.hstack([task.X, wide[:40]]), "X_val": np.hstack([task.X_val, wide[40:]])}
    task = dataclasses.replace(task, **fields)
    found = baseline("valuation", "influence")(task)
    assert baseline("debugging", "influence")(task).tolist() == np.argsort(found, kind="stable").tolist()


def test_data_oob_agrees_with_a_loop_of_bags():
    task = small_task(n=40)
    rng, right, asked = np.random.default_rng(9), np.zeros(40), np.zeros(40)
    for _ in range(300):
        bag = rng.integers(0, 40, 40)
        out = np.setdiff1d(np.arange(40), bag)
        model = LogisticRegression(C=1.0).fit(task.X[bag], task.y[bag])
        right[out] += model.predict(task.X[out]) == task.y[out]
        asked[out] += 1
    found = baseline("valuation", "data_oob")(task)
    assert found == pytest.approx(right / asked, abs=0.15)  # two binomial shares of about 110 and 180 bags
    assert np.corrcoef(found, right / asked)[0, 1] > 0.98


def test_data_oob_of_trees_agrees_with_a_random_forests_own_out_of_bag_votes():
    from sklearn.ensemble import RandomForestClassifier

    task = blobs(3, 1.0, n=80)
    forest = RandomForestClassifier(800, oob_score=True, random_state=0).fit(task.X, task.y)
    votes = forest.oob_decision_function_[np.arange(80), task.y]  # mean leaf share, here of pure leaves
    found = baseline("valuation", "data_oob_trees")(task)
    assert found == pytest.approx(votes, abs=0.16)  # two binomial shares of about 290 trees, four sigma
    assert np.corrcoef(found, votes)[0, 1] > 0.98
    assert task.model.fits == 0


def test_lava_transport_is_near_the_exact_plan():
    rng = np.random.default_rng(0)
    cost = rng.random((6, 7))
    rows = np.kron(np.eye(6), np.ones(7))
    columns = np.tile(np.eye(7), 6)
    exact = linprog(cost.ravel(), A_eq=np.vstack([rows, columns]), b_eq=np.r_[np.full(6, 1 / 6), np.full(7, 1 / 7)])
    potential, found = baseline("valuation", "lava").__globals__["transport"](cost)
    assert exact.fun <= found + 1e-6
    assert found < 1.15 * exact.fun
    dual = exact.eqlin.marginals[:6]
    assert np.corrcoef(potential, dual)[0, 1] > 0.95


# ---- on the challenge


@pytest.mark.parametrize("name", NAMES)
def test_every_baseline_runs_and_repeats(name):
    track = load("track.train=40", "track.validation=30", "track.test=100")
    view, key = track.prepare(0)
    first = run(track, view, key, baseline("valuation", name))
    again = run(track, view, key, baseline("valuation", name))
    assert first["values"].shape == (40,)
    assert np.array_equal(first["values"], again["values"])


def test_the_roster_is_complete():
    assert {
        "random", "leave_one_out", "tmc_shapley", "beta_shapley", "banzhaf", "knn_shapley", "data_oob", "influence", "ame",
        "data_oob_trees",
    } <= set(NAMES)  # fmt: skip


def test_knn_shapley_finds_wrong_labels_as_the_literature_says():
    """1,000 digits, 20 % uniform flips: AUROC .998, average precision .99."""
    track = load("track.train=1000", "track.validation=300", "track.noise=0.2")
    found = []
    for seed in range(3):
        view, key = track.prepare(seed)
        values = baseline("valuation", "knn_shapley")(make_task(track, view, seed))
        found.append([f(-values, key.wrong) for f in (metrics.auroc, metrics.average_precision)])
    assert np.mean(found, axis=0) == pytest.approx([0.998, 0.99], abs=0.01)


def test_removal_gap_of_knn_shapley_is_where_the_prototype_put_it():
    """Ten seeds of the default challenge: .215 with standard error about .01 in the prototype; random about 0."""
    track = load()
    gaps: dict[str, list[float]] = {"knn_shapley": [], "random": []}
    for seed in range(10):
        view, key = track.prepare(seed)
        for name, values in gaps.items():
            values.append(track.score(run(track, view, key, baseline("valuation", name), seed), view, key, seed).value)
    assert np.mean(gaps["knn_shapley"]) == pytest.approx(0.215, abs=0.03)
    assert np.mean(gaps["random"]) == pytest.approx(0, abs=0.03)
    apart = np.subtract(gaps["knn_shapley"], gaps["random"])
    assert apart.mean() > 3 * apart.std(ddof=1) / np.sqrt(10)
