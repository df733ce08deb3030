"""Weighting baselines against scikit-learn, quadratic programming, finite differences and retraining."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from harness import api
from harness.models import load_model
from harness.paths import SUBMISSIONS_DIR
from harness.protocol.catalogue import baseline_names
from harness.protocol.compose import load_challenge
from harness.protocol.manifest import MANIFEST
from harness.randomness import generator
from tests.tracks.helpers import baseline, bind, cell, run

NAMES = sorted(p.parent.name for p in (SUBMISSIONS_DIR / "weighting").glob(f"*/{MANIFEST}"))


def clouds(n: int = 90, m: int = 30, wrong: int = 20, seed: int = 0, **fields: Any) -> Any:
    """Three overlapping clouds; the labels of the first rows are wrong."""
    rng = np.random.default_rng(seed)
    y = rng.integers(3, size=n + m)
    X = (rng.normal(size=(n + m, 4)) + 2 * np.eye(3, 4)[y]).astype(np.float32)
    y[:wrong] = (y[:wrong] + 1) % 3
    given: dict[str, Any] = {"X": X[:n], "y": y[:n], "source": None, "X_val": X[n:], "y_val": y[n:], "n_sources": 1}
    model = load_model("logistic", device="cpu", n_classes=3)
    return api.WeightingTask(3, generator("test", seed, "algorithm"), model, **(given | {"by_source": False} | fields))


def test_the_baselines_that_researchers_expect_are_there() -> None:
    expected = {"random", "uniform", "self_confidence", "validation_model", "small_loss"}
    assert expected | {"kernel_mean_matching", "meta_reweighting", "influence", "source_accuracy"} <= set(NAMES)
    without = baseline_names("weighting", load_challenge("weighting_digits", ["track.validation=0"]).left_out())
    assert set(without) == {"random", "uniform", "self_confidence", "small_loss"}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("challenge", ["weighting_digits", "weighting_vendors_digits"])
def test_answers_are_valid_and_repeat_themselves(name: str, challenge: str) -> None:
    if name not in baseline_names("weighting", load_challenge(challenge).left_out()):
        pytest.skip("needs a field that the challenge leaves out")
    track = bind(challenge)
    view, key = track.prepare(0)
    first, second = (run(track, view, key, baseline("weighting", name))["weights"] for _ in range(2))
    assert np.array_equal(first, second)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"random", "uniform", "source_accuracy"}))
def test_wrong_rows_weigh_less(name: str) -> None:
    share = []
    for seed in range(5):
        weights = baseline("weighting", name)(clouds(seed=seed))
        share.append(weights[:20].sum() / weights.sum())
    assert np.mean(share) < 0.15  # their share of the rows is .22


def test_validation_model_is_scikit_learns() -> None:
    task = clouds()
    peer = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000).fit(task.X_val, task.y_val)
    expected = peer.predict_proba(task.X)[np.arange(90), task.y]
    assert baseline("weighting", "validation_model")(task) == pytest.approx(expected, abs=1e-4)


def test_kernel_mean_matching_solves_its_quadratic_programme() -> None:
    task = clouds(n=25, m=15, wrong=5)
    function = baseline("weighting", "kernel_mean_matching")
    helpers = function.__globals__
    found = function(task)
    within, across = helpers["distances"](task.X, task.X), helpers["distances"](task.X, task.X_val)
    direct = ((task.X[:, None] - task.X_val[None]) ** 2).sum(axis=2)
    assert across == pytest.approx(direct, abs=1e-4)
    width = np.median(across) / 4
    K = np.exp(-within / width) * (task.y[:, None] == task.y) + 1e-3 * np.eye(25)
    kappa = (np.exp(-across / width) * (task.y[:, None] == task.y_val)).sum(axis=1) * 25 / 15

    def loss(w: Any) -> float:
        return float(w @ K @ w / 2 - kappa @ w)

    best = minimize(loss, np.ones(25), jac=lambda w: K @ w - kappa, bounds=[(0, 10)] * 25, method="L-BFGS-B", tol=1e-12)
    assert loss(found) <= loss(np.ones(25))
    assert loss(found) == pytest.approx(loss(best.x), rel=1e-3)


def test_a_meta_weight_is_the_gain_of_a_step_along_the_row() -> None:
    """The first weights against finite differences of the clean loss."""
    task = clouds(n=20, m=12, wrong=6)
    function = baseline("weighting", "meta_reweighting")
    helpers = function.__globals__
    X, X_val = helpers["design"](task.X, task.X), helpers["design"](task.X_val, task.X)
    Y, Y_val = np.eye(3)[task.y], np.eye(3)[task.y_val]

    def clean(theta: Any) -> float:
        return float(-(Y_val * np.log(helpers["softmax"](X_val @ theta))).sum() / 12)

    start = np.zeros((5, 3))
    gains = []
    for i in range(20):
        step = -np.outer(X[i], helpers["softmax"](X[i : i + 1] @ start)[0] - Y[i])
        gains.append((clean(start) - clean(start + 1e-6 * step)) / 1e-6)
    residual = helpers["softmax"](X @ start) - Y
    gradient = X_val.T @ (helpers["softmax"](X_val @ start) - Y_val) / 12
    assert (residual * (X @ gradient)).sum(axis=1) == pytest.approx(gains, abs=1e-4)


def test_influence_predicts_retraining_without_each_row() -> None:
    task = clouds(n=150, m=40, wrong=30)
    helpers = baseline("weighting", "influence").__globals__
    A, A_val = (np.column_stack([a, np.ones(len(a))]).astype(np.float64) for a in (task.X, task.X_val))

    def fit(rows: np.ndarray) -> LogisticRegression:
        return LogisticRegression(C=1.0, tol=1e-12, max_iter=100_000).fit(task.X[rows], task.y[rows])

    every = np.arange(150)
    whole = fit(every)
    p, p_val = whole.predict_proba(task.X), whole.predict_proba(task.X_val)
    target = A_val.T @ (p_val - np.eye(3)[task.y_val]) / 40
    solution = helpers["solve"](A, p, 1.0, target)
    helps = ((p - np.eye(3)[task.y]) * (A @ solution)).sum(axis=1)
    base = log_loss(task.y_val, p_val)
    change = [log_loss(task.y_val, fit(np.delete(every, i)).predict_proba(task.X_val)) - base for i in every]
    assert np.corrcoef(helps, change)[0, 1] > 0.97


def test_a_source_weighs_as_its_labels_are_right() -> None:
    track = bind("weighting_vendors_digits")
    ranks = []
    for seed in range(5):
        view, key = track.prepare(seed)
        weights = run(track, view, key, baseline("weighting", "source_accuracy"), seed)["weights"]
        right = [np.mean(~key.wrong[view.arrays["source"] == code]) for code in range(8)]
        ranks.append(np.corrcoef(np.argsort(np.argsort(weights)), np.argsort(np.argsort(right)))[0, 1])
    assert np.mean(ranks) > 0.6


@pytest.mark.parametrize(
    ("challenge", "best"), [("weighting_digits", "validation_model"), ("weighting_vendors_digits", "source_accuracy")]
)
def test_quick_challenges_tell_the_best_from_equal_weights(challenge: str, best: str) -> None:
    track = bind(challenge)
    gap = np.array([cell(track, best, seed).value - cell(track, "uniform", seed).value for seed in range(10)])
    assert gap.mean() >= 3 * gap.std(ddof=1) / np.sqrt(10)
