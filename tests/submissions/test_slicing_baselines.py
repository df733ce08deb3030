"""Slicing baselines on a slice that is known, their parts against exhaustive search, scikit-learn and scipy."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.stats import multivariate_normal

from harness import api
from harness.models import load_model
from harness.paths import SUBMISSIONS_DIR
from harness.protocol.compose import load_challenge
from harness.protocol.manifest import MANIFEST
from harness.randomness import generator
from tests.tracks.helpers import baseline, run

NAMES = sorted(p.name for p in (SUBMISSIONS_DIR / "slicing").iterdir() if (p / MANIFEST).exists())


def parts(name):
    """Everything an algorithm's module defines."""
    return baseline("slicing", name).__globals__


def blobs(seed=0, n=400) -> tuple[api.SlicingTask, np.ndarray]:
    """Four blobs and a model that is sure and right but in the fourth, where it is sure of the other class."""
    rng = np.random.default_rng(seed)
    centres = np.array([[0, 0, 0], [4, 0, 0], [0, 4, 0], [4, 4, 0]], float)

    def draw():
        blob = rng.integers(0, 4, n)
        y = blob % 2
        predicted = np.where(blob == 3, 0, y)
        sure = rng.uniform(0.8, 0.95, n)
        proba = np.stack([np.where(predicted == 0, sure, 1 - sure), np.where(predicted == 1, sure, 1 - sure)], axis=1)
        return (centres[blob] + rng.normal(size=(n, 3))).astype(np.float32), y, proba.astype(np.float32), blob == 3

    X_val, y_val, proba_val, _ = draw()
    X_test, _, proba_test, inside = draw()
    model = load_model("logistic", device="cpu", n_classes=2)
    task = api.SlicingTask(
        2, generator("test", seed, "algorithm"), model, X_val, y_val, proba_val, X_test, proba_test, 3
    )
    return task, inside


@pytest.mark.parametrize("name", [n for n in NAMES if n not in ("random", "confusion_cells")])
def test_a_slice_in_plain_sight_is_found(name):
    task, inside = blobs()
    scores = baseline("slicing", name)(task)
    top = np.argsort(-scores, axis=0, kind="stable")[:25]
    assert inside[top].mean(axis=0).max() >= 0.95
    assert scores.max(axis=0)[inside[top].mean(axis=0).argmax()] >= 0.5  # and declared


def test_confusion_cells_names_the_cell_with_the_most_errors():
    task, _ = blobs()
    scores = baseline("slicing", "confusion_cells")(task)
    assert (scores[:, 0] > 0).tolist() == (task.proba_test.argmax(axis=1) == 0).tolist()  # true 1, predicted 0
    assert scores[:, 0] == pytest.approx(np.where(scores[:, 0] > 0, task.proba_test[:, 1] / task.proba_test[:, 0], 0))


@pytest.mark.parametrize("name", NAMES)
def test_a_model_without_errors_is_borne(name):
    task, _ = blobs()
    right = np.eye(2, dtype=np.float32)[task.y_val]
    flawless = api.SlicingTask(2, task.rng, task.model, task.X_val, task.y_val, right, task.X_test, task.proba_test, 3)
    scores = baseline("slicing", name)(flawless)
    assert scores.shape[0] == len(task.X_test)
    assert 1 <= scores.shape[1] <= 3
    assert np.isfinite(scores).all()


# ---- parts against independent computations


def test_the_domino_posterior_is_bayes_rule():
    rng = np.random.default_rng(0)
    k, d, c, n = 3, 2, 4, 5
    prior, mean, variance = rng.dirichlet(np.ones(k)), rng.normal(size=(k, d)), rng.uniform(0.5, 2, (k, d))
    of_label, of_prediction = rng.dirichlet(np.ones(c), k), rng.dirichlet(np.ones(c), k)
    Z, proba, label = rng.normal(size=(n, d)), rng.dirichlet(np.ones(c), n), np.eye(c)[rng.integers(0, c, n)]
    gamma = parts("domino")["GAMMA"]
    joint = np.empty((n, k))
    for i in range(n):
        for j in range(k):
            gauss = multivariate_normal(mean[j], np.diag(variance[j])).pdf(Z[i])
            classes = np.prod(of_label[j] ** label[i]) * np.prod(of_prediction[j] ** proba[i])
            joint[i, j] = prior[j] * gauss * classes**gamma
    found = parts("domino")["posterior"]((prior, mean, variance, of_label, of_prediction), Z, proba, label)
    assert found == pytest.approx(joint / joint.sum(axis=1, keepdims=True))


def test_a_spotlight_lights_as_much_as_it_should_and_moves_uphill():
    kernel, width_for, search = (parts("spotlight")[name] for name in ("kernel", "width_for", "search"))
    rng = np.random.default_rng(0)
    Z, loss = rng.normal(size=(300, 2)), rng.random(300)
    loss += 3 * (Z[:, 0] > 1)
    where = np.array([0.2, 0.3])
    width = width_for(Z, where, 20.0)
    assert kernel(Z, where, width).sum() == pytest.approx(20, rel=1e-3)

    def mean_loss(at):
        weight = kernel(Z, at, width)
        return weight @ loss / weight.sum()

    weight = kernel(Z, where, width)
    pull = weight * (loss - mean_loss(where))
    ours, numeric = pull @ (Z - where), approx_fprime(where, mean_loss, 1e-6)
    assert ours @ numeric / np.linalg.norm(ours) / np.linalg.norm(numeric) == pytest.approx(1, abs=1e-4)
    mean, found, _ = search(Z, loss, where)
    assert mean > mean_loss(where)
    assert found[0] > 0.8


def test_sliceline_finds_the_best_conjunction_of_all():
    """Against all conjunctions of up to three conditions on six binary features, scored by the paper's formula."""
    rng = np.random.default_rng(1)
    n, alpha, least = 300, parts("sliceline")["ALPHA"], parts("sliceline")["LEAST"]
    X = rng.integers(0, 2, (n, 6)).astype(np.float32)
    hard = (X[:, 1] == 1) & (X[:, 4] == 1)
    wrong = rng.random(n) < np.where(hard, 0.7, 0.05)
    proba = np.where(wrong[:, None], [0.4, 0.6], [0.9, 0.1]).astype(np.float32)
    proba[:, 1] = 1 - proba[:, 0]
    y = np.where(wrong, 1 - proba.argmax(axis=1), proba.argmax(axis=1))
    same = np.tile(np.array([[0.9, 0.1]], np.float32), (n, 1))  # the prediction tells nothing on the test side
    error = (proba.argmax(axis=1) != y).astype(float)
    best, best_rows = -np.inf, None
    for size in (1, 2, 3):
        for columns in combinations(range(6), size):
            rows = X[:, columns].all(axis=1)
            if rows.sum() >= least:
                ratio = error[rows].mean() / error.mean()
                score = alpha * (ratio - 1) - (1 - alpha) * (n / rows.sum() - 1)
                if score > best:
                    best, best_rows = score, rows
    assert best_rows is not None
    grown = parts("sliceline")
    sizes, scores, bounds = grown["rate"](np.stack([best_rows, hard]), error)
    assert scores[0] == pytest.approx(best)
    assert sizes.tolist() == [best_rows.sum(), hard.sum()]
    assert (bounds >= scores - 1e-12).all()
    model = load_model("logistic", device="cpu", n_classes=2)
    y_same = np.where(error > 0, 1, 0)  # predicted 0 everywhere, wrong where the label is 1
    task = api.SlicingTask(2, generator("t", 0, "a"), model, X, y_same, same, X, same, 1)
    assert (baseline("slicing", "sliceline")(task)[:, 0] > 0).tolist() == best_rows.tolist()


def test_sliceline_bounds_hold_for_every_part_of_a_slice():
    rng = np.random.default_rng(2)
    error = (rng.random(200) < 0.3).astype(float)
    whole = rng.random(200) < 0.6
    inner = whole & (rng.random((200, 200)) < rng.random((200, 1)))
    rate = parts("sliceline")["rate"]
    assert rate(inner, error)[1].max() <= rate(whole[None], error)[2][0] + 1e-12


# ---- on the challenge


@pytest.fixture(scope="module")
def digits():
    challenge = load_challenge("slicing_digits")
    track = challenge.load_track(challenge.load_dataset(), "cpu")
    return track, [track.prepare(seed) for seed in range(5)]


@pytest.mark.parametrize("name", NAMES)
def test_every_baseline_runs_repeats_and_beats_chance(name, digits):
    track, seeds = digits
    found = []
    for seed, (view, key) in enumerate(seeds):
        output = run(track, view, key, baseline("slicing", name), seed)
        found.append(track.score(output, view, key, seed).value)
    again = run(track, view, key, baseline("slicing", name), seed)
    assert np.array_equal(output["membership"], again["membership"])
    chance = [track.reference("random", view, key, seed).value for seed, (view, key) in enumerate(seeds)]
    if name != "random":
        apart = np.subtract(found, chance)
        assert apart.mean() > 3 * apart.std(ddof=1) / np.sqrt(len(apart))


def test_the_roster_is_complete():
    assert {"random", "confusion_cells", "kmeans_errors", "residual_tree", "domino", "spotlight", "sliceline"} <= set(
        NAMES
    )
