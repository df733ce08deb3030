"""Debugging baselines against enumeration, retraining, scikit-learn and the ranges that libraries reach."""

from __future__ import annotations

import sys
from itertools import combinations
from math import factorial
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, log_loss
from sklearn.model_selection import cross_val_predict
from sklearn.neighbors import NearestNeighbors

from harness import api
from harness.models import load_model
from harness.paths import SUBMISSIONS_DIR
from harness.protocol.catalogue import baseline_names
from harness.protocol.compose import load_challenge
from harness.protocol.manifest import MANIFEST
from harness.randomness import generator
from tests.tracks.helpers import baseline, bind, cell, make_task, run

NAMES = sorted(p.parent.name for p in (SUBMISSIONS_DIR / "debugging").glob(f"*/{MANIFEST}"))


def clouds(n: int = 60, m: int = 20, wrong: int = 8, seed: int = 0, **fields: Any) -> Any:
    """Three overlapping clouds; the labels of the first rows are wrong."""
    rng = np.random.default_rng(seed)
    y = rng.integers(3, size=n + m)
    X = (rng.normal(size=(n + m, 4)) + 2 * np.eye(3, 4)[y]).astype(np.float32)
    y[:wrong] = (y[:wrong] + 1) % 3
    given: dict[str, Any] = {"X": X[:n], "y": y[:n], "X_val": X[n:], "y_val": y[n:]} | fields
    return api.DebuggingTask(
        3, generator("test", seed, "algorithm"), load_model("logistic", device="cpu", n_classes=3), **given
    )


@pytest.fixture(scope="module")
def noisy() -> Any:
    """1,000 digits, 20 % of the labels flipped, 300 clean rows: (track, view, which are wrong)."""
    track = bind("debugging_digits", "track.train=1000", "track.validation=300", "track.noise=0.2")
    view, key = track.prepare(0)
    return track, view, view.arrays["y"] != key.y_true


def test_the_baselines_that_researchers_expect_are_there() -> None:
    expected = {"random", "self_confidence", "knn_shapley", "validation_confidence", "influence"}
    assert expected | {"aum", "data_oob", "confident_learning", "simifeat"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_lists_every_row_once_and_repeats_itself(name: str) -> None:
    track = bind("debugging_digits")
    view, key = track.prepare(0)
    first = run(track, view, key, baseline("debugging", name))["indices"]
    assert sorted(first) == list(range(300))
    assert np.array_equal(first, run(track, view, key, baseline("debugging", name))["indices"])


def test_without_clean_rows_all_work_but_the_one_that_says_so() -> None:
    fitting = baseline_names("debugging", load_challenge("debugging_digits_novalid").left_out())
    assert set(NAMES) - set(fitting) == {"validation_confidence"}
    for name in fitting:
        assert sorted(baseline("debugging", name)(clouds(X_val=None, y_val=None))) == list(range(60))


@pytest.mark.parametrize("name", NAMES)
def test_two_classes_are_as_good_as_ten(name: str) -> None:
    track = bind("debugging_breast_cancer")
    view, key = track.prepare(0)
    assert len(run(track, view, key, baseline("debugging", name))["indices"]) == 200


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"random", "validation_confidence"}))
@pytest.mark.parametrize("clean_rows", [True, False])
def test_wrong_rows_come_early(name: str, clean_rows: bool) -> None:
    found = []
    for seed in range(5):
        task = clouds(m=60, seed=seed) if clean_rows else clouds(seed=seed, X_val=None, y_val=None)
        found.append(np.sum(baseline("debugging", name)(task)[:8] < 8))
    assert np.mean(found) >= 4  # of 8; chance is 1.1


# average precision on 1,000 digits with 20 % flips, as libraries reach it (cleanlab, pyDVL, own Hessian)
RANGES = {
    "random": (0.15, 0.25),
    "knn_shapley": (0.97, 1.0),
    "confident_learning": (0.95, 1.0),
    "self_confidence": (0.95, 1.0),
    "data_oob": (0.93, 1.0),
    "influence": (0.83, 0.97),
}


@pytest.mark.parametrize("name", RANGES)
def test_average_precision_lies_where_libraries_land(name: str, noisy: Any) -> None:
    track, view, wrong = noisy
    order = baseline("debugging", name)(make_task(track, view))
    score = np.empty(1000)
    score[order] = np.arange(1000, 0, -1)
    low, high = RANGES[name]
    assert low <= average_precision_score(wrong, score) <= high


def test_confidence_weighted_entropy_is_its_formula_out_of_fold() -> None:
    """Five fits with scikit-learn on the baseline's own folds; normalised entropy over self-confidence, highest first."""
    task = clouds()
    fold = generator("test", 0, "algorithm").permutation(60) % 5
    probability = np.zeros((60, 3))
    for f in range(5):
        fitted = LogisticRegression(tol=1e-10).fit(task.X[fold != f].astype(float), task.y[fold != f])
        probability[fold == f] = fitted.predict_proba(task.X[fold == f].astype(float))
    entropy = -(probability * np.log(probability)).sum(axis=1)
    expected = np.argsort(-entropy / probability[np.arange(60), task.y], kind="stable")
    found = baseline("debugging", "confidence_weighted_entropy")(task)
    place = np.argsort(found)
    assert np.abs(place[expected] - np.arange(60)).max() <= 2  # fits agree to 1e-4, near ties may swap


def test_knn_shapley_is_the_shapley_value_by_enumeration() -> None:
    rng = np.random.default_rng(0)
    X, X_val = rng.normal(size=(8, 2)), rng.normal(size=(3, 2))
    y, y_val = rng.integers(2, size=8), rng.integers(2, size=3)
    function = baseline("debugging", "knn_shapley").__globals__["knn_shapley"]
    k = function.__globals__["K"]

    def utility(coalition: tuple[int, ...]) -> float:
        total = 0.0
        for x, label in zip(X_val, y_val, strict=True):
            near = sorted(coalition, key=lambda i: float(np.sum((X[i] - x) ** 2)))[:k]
            total += sum(y[i] == label for i in near) / k
        return total / len(X_val)

    exact = np.zeros(8)
    for i in range(8):
        others = [j for j in range(8) if j != i]
        for size in range(8):
            share = factorial(size) * factorial(7 - size) / factorial(8)
            exact[i] += share * sum(utility((*c, i)) - utility(c) for c in combinations(others, size))
    assert function(X, y, X_val, y_val) == pytest.approx(exact)
    alone = function(X, y, X, y, leave_self_out=True)
    by_row = np.zeros(8)
    for i in range(8):
        rest = [j for j in range(8) if j != i]
        by_row[rest] += function(X[rest], y[rest], X[i : i + 1], y[i : i + 1]) / 8
    assert alone == pytest.approx(by_row)


def test_influence_predicts_retraining_without_each_row() -> None:
    task = clouds(n=200, m=60)
    rank = baseline("debugging", "influence")
    helpers = rank.__globals__

    def fit(rows: np.ndarray) -> LogisticRegression:
        return LogisticRegression(C=1.0, tol=1e-12, max_iter=100_000).fit(task.X[rows], task.y[rows])

    every = np.arange(200)
    base = log_loss(task.y_val, fit(every).predict_proba(task.X_val))
    change = np.array([log_loss(task.y_val, fit(np.delete(every, i)).predict_proba(task.X_val)) - base for i in every])
    order = rank(task)
    place = np.argsort(order)
    assert np.corrcoef(place, np.argsort(np.argsort(change)))[0, 1] > 0.98
    p = fit(every).predict_proba(task.X)
    X = helpers["with_constant"](task.X, np.eye(task.X.shape[1]))
    H = helpers["hessian"](X, p, 1.0)

    def gradient(theta: np.ndarray) -> np.ndarray:
        z = X @ theta.T
        q = np.exp(z - z.max(axis=1, keepdims=True))
        q /= q.sum(axis=1, keepdims=True)
        penalty = np.column_stack([theta[:, :-1], helpers["INTERCEPT_RIDGE"] * theta[:, -1]])
        slope: np.ndarray = (q - np.eye(3)[task.y]).T @ X + penalty
        return slope.ravel()

    model = fit(every)
    theta = np.column_stack([model.coef_, model.intercept_])
    direction = np.random.default_rng(0).normal(size=theta.shape)
    difference = (gradient(theta + 1e-5 * direction) - gradient(theta - 1e-5 * direction)) / 2e-5
    assert H @ direction.ravel() == pytest.approx(difference, rel=1e-4, abs=1e-5)


def test_self_confidence_is_scikit_learns_cross_validation(noisy: Any) -> None:
    track, view, _ = noisy
    task = make_task(track, view)
    model = LogisticRegression(C=1.0, max_iter=1000)
    peer = cross_val_predict(model, task.X, task.y, cv=5, method="predict_proba")[np.arange(1000), task.y]
    ours = np.argsort(baseline("debugging", "self_confidence")(task))
    assert np.corrcoef(ours, np.argsort(np.argsort(peer)))[0, 1] > 0.93  # other folds, same method


def test_validation_confidence_is_scikit_learns() -> None:
    task = clouds()
    peer = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000).fit(task.X_val, task.y_val)
    expected = np.argsort(peer.predict_proba(task.X)[np.arange(60), task.y])
    assert np.array_equal(baseline("debugging", "validation_confidence")(task), expected)


def test_simifeat_ranks_rows_alone_among_other_labels_first() -> None:
    task = clouds(n=200, m=20, wrong=30, X_val=None, y_val=None)
    centred = task.X - task.X.mean(axis=0)
    found = NearestNeighbors(n_neighbors=11, metric="cosine").fit(centred).kneighbors(centred, return_distance=False)
    agreeing = (task.y[found[:, 1:]] == task.y[:, None]).sum(axis=1)
    order = baseline("debugging", "simifeat")(task)
    assert agreeing[order[:20]].max() <= 4
    assert agreeing[order[-20:]].min() >= 9


def test_data_oob_counts_only_bags_without_the_row() -> None:
    """With one row of a class far away, every model that saw it is right on it and every other is wrong."""
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(39, 2)), [[20.0, 20.0]]]).astype(np.float32)
    y = np.append(np.arange(39) % 2, 2)
    X[:39, 0] += 6 * y[:39]
    order = baseline("debugging", "data_oob")(clouds(X=X, y=y))
    assert order[0] == 39


def test_confident_learning_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cleanlab.filter", None)
    with pytest.raises(RuntimeError, match=r"pip install 'harness\[baselines\]'"):
        baseline("debugging", "confident_learning")(clouds())


def test_confident_learning_puts_cleanlabs_issues_first(noisy: Any) -> None:
    from cleanlab.filter import find_label_issues

    track, view, wrong = noisy
    task = make_task(track, view)
    p = cross_val_predict(LogisticRegression(max_iter=1000), task.X, task.y, cv=5, method="predict_proba")
    peer = find_label_issues(task.y, p, n_jobs=1)  # other folds, so not quite the same rows
    first = baseline("debugging", "confident_learning")(task)[: peer.sum()]
    assert peer[first].mean() > 0.9
    assert wrong[first].mean() > 0.9


@pytest.mark.parametrize(
    ("challenge", "best"),
    [
        ("debugging_digits", "validation_confidence"),
        ("debugging_digits_novalid", "simifeat"),
        ("debugging_digits_classdep", "validation_confidence"),
        ("debugging_breast_cancer", "validation_confidence"),
        ("debugging_wine", "validation_confidence"),
    ],
)
def test_quick_challenges_tell_the_best_from_random(challenge: str, best: str) -> None:
    track = bind(challenge, "track.step=3")
    gap = np.array([cell(track, best, seed).value - cell(track, "random", seed).value for seed in range(10)])
    assert gap.mean() >= 3 * gap.std(ddof=1) / np.sqrt(10)
