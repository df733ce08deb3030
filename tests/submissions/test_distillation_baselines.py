"""Distillation baselines against scikit-learn, plain loops, torch's gradients and finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import NearestCentroid

from harness.paths import SUBMISSIONS_DIR
from harness.tracks.base import View
from tests.tracks.helpers import baseline, bind, make_task, named, run

NAMES = sorted(path.parent.name for path in (SUBMISSIONS_DIR / "distillation").glob("*/submission.yaml"))
CHOOSE = {"random", "medoids", "herding"}  # among the raw rows
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def track() -> Any:
    return bind("distillation_digits")


@pytest.fixture(scope="module")
def prepared(track: Any) -> Any:
    return track.prepare(0)


def part(name: str, function: str) -> Any:
    """A helper function inside a baseline's file."""
    return baseline("distillation", name).__globals__[function]


def quick(name: str) -> Any:
    """The baseline, with few of its steps."""
    function = baseline("distillation", name)
    function.__globals__.update(STEPS=3, STARTS=3, ITERATIONS=3)
    return function


def blobs() -> tuple[Any, Any]:
    """Twelve rows of three classes in four dimensions, and two more of each class to begin with."""
    rng = np.random.default_rng(1)
    y = np.arange(12) % 3
    return rng.normal(size=(12, 4)) + np.eye(3, 4)[y], y


def test_the_baselines_that_researchers_expect_are_there() -> None:
    assert set(NAMES) == CHOOSE | {
        "class_means", "kmeans_centres", "distribution_matching", "gradient_matching", "kernel_inducing_points",
        "implicit_gradients",
    }  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("budget", [10, 25])
def test_valid_reproducible_and_every_class_has_its_share(name: str, budget: int, track: Any, prepared: Any) -> None:
    view, _ = prepared
    shown = View(view.arrays, {**view.scalars, "budget": budget})
    track = bind("distillation_digits", f"track.cap={budget}")
    first, again = (track.read_output(named(track.task, quick(name)(make_task(track, shown))), shown) for _ in range(2))
    assert np.array_equal(first["X"], again["X"])
    assert np.array_equal(first["y"], again["y"])
    counts = np.bincount(first["y"], minlength=10)
    assert counts.sum() == budget
    assert counts.max() - counts.min() <= 1
    raw = {(row.tobytes(), c) for row, c in zip(view.arrays["X"], view.arrays["y"], strict=True)}
    chosen = {(row.tobytes(), c) for row, c in zip(first["X"], first["y"], strict=True)}
    assert len(chosen & raw) == (budget if name in CHOOSE else 0)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"random"}))
def test_each_beats_random_rows(name: str, track: Any) -> None:
    gains = []
    for seed in range(2):
        view, key = track.prepare(seed)
        output = run(track, view, key, baseline("distillation", name), seed)
        gains.append(track.score(output, view, key, seed).metrics["gain"])
    assert min(gains) > 0.05


def test_means_are_scikit_learns_centroids_and_repeat_in_turn(track: Any, prepared: Any) -> None:
    view, _ = prepared
    X, y = baseline("distillation", "class_means")(make_task(track, View(view.arrays, {**view.scalars, "budget": 25})))
    peer = NearestCentroid().fit(view.arrays["X"], view.arrays["y"])
    assert y.tolist() == [i % 10 for i in range(25)]
    assert X[:10] == pytest.approx(peer.centroids_, abs=1e-5)
    assert np.array_equal(X[10:20], X[:10])


def test_centres_and_medoids_cover_as_well_as_scikit_learns(track: Any, prepared: Any) -> None:
    view, _ = prepared
    task = make_task(track, View(view.arrays, {**view.scalars, "budget": 50}))
    mine = view.arrays["X"][view.arrays["y"] == 3]
    peer = KMeans(5, n_init=10, random_state=0).fit(mine).cluster_centers_
    theirs = {"kmeans_centres": peer, "medoids": mine[cdist(peer, mine).argmin(axis=1)]}
    for name, rows in theirs.items():
        X, y = baseline("distillation", name)(task)
        ours, best = (np.mean(cdist(mine, made, "sqeuclidean").min(axis=1)) for made in (X[y == 3], rows))
        assert ours < 1.1 * best


def test_herding_follows_the_mean_row_by_row() -> None:
    X = np.random.default_rng(0).normal(size=(60, 5))
    mean, chosen = X.mean(axis=0), part("herding", "herd")(X, 5)
    weight = mean.copy()  # Welling's rule, word by word
    for t, row in enumerate(chosen):
        assert X[row] @ weight == pytest.approx(max(X[i] @ weight for i in range(60) if i not in chosen[:t]))
        weight += mean - X[row]
    by_chance = [np.linalg.norm(X[RNG.permutation(60)[:5]].mean(axis=0) - mean) for _ in range(300)]
    assert np.linalg.norm(X[chosen].mean(axis=0) - mean) < np.quantile(by_chance, 0.05)


def test_the_slope_of_distribution_matching_is_that_of_the_distance() -> None:
    X, y = blobs()
    Z, made_y = X[:6] + 0.1, y[:6]
    W = np.random.default_rng(2).normal(size=(4, 7))
    averaging, slope = part("distribution_matching", "averaging"), part("distribution_matching", "slope_of")

    def distance(z: Any) -> float:
        total = 0.0
        for c in range(3):
            features = [
                np.maximum(rows[labels == c] @ W, 0).mean(axis=0)
                for rows, labels in ((z.reshape(6, 4), made_y), (X, y))
            ]
            total += float(((features[0] - features[1]) ** 2).sum())
        return total

    expected = approx_fprime(Z.ravel(), distance, 1e-7).reshape(6, 4)
    assert slope(Z, X, W, averaging(y, 3), averaging(made_y, 3)) == pytest.approx(expected, abs=1e-4)


def test_the_slopes_of_gradient_matching_are_torchs() -> None:
    import torch

    X, y = blobs()
    W0 = np.random.default_rng(2).normal(size=(3, 5))
    W = torch.tensor(W0, requires_grad=True)

    def gradient(rows: Any, label: int) -> Any:
        logits = torch.cat([rows, torch.ones(len(rows), 1, dtype=torch.float64)], dim=1) @ W.T
        loss = torch.nn.functional.cross_entropy(logits, torch.full((len(rows),), label))
        return torch.autograd.grad(loss, W, create_graph=True)[0]

    Z = torch.tensor(X[:6] + 0.3, requires_grad=True)
    made_y, total = y[:6], torch.zeros((), dtype=torch.float64)
    for c in range(3):
        target = gradient(torch.tensor(X[y == c]), c).detach()
        total = total + ((gradient(Z[made_y == c], c) - target) ** 2).sum() / (target**2).sum()
    (expected,) = torch.autograd.grad(total, Z)
    target = part("gradient_matching", "class_gradients")(W0, X, y)
    slope, own = part("gradient_matching", "slope_of")(Z.detach().numpy(), made_y, W0, target)
    assert slope == pytest.approx(expected.numpy(), abs=1e-10)
    logits = torch.cat([Z, torch.ones(6, 1, dtype=torch.float64)], dim=1) @ W.T
    whole = torch.autograd.grad(torch.nn.functional.cross_entropy(logits, torch.tensor(made_y)), W)[0]
    assert own == pytest.approx(whole.numpy(), abs=1e-10)


def test_inducing_points_are_judged_by_scikit_learns_ridge_regression() -> None:
    X, y = blobs()
    Z = X[:6] + 0.2
    wanted = np.eye(3)[y] - 1 / 3
    loss = part("kernel_inducing_points", "loss")
    ridge = loss.__globals__["RIDGE"]
    with_constant = Ridge(alpha=ridge, fit_intercept=False).fit(np.column_stack([Z, np.ones(6)]), wanted[:6])
    off = (
        with_constant.predict(np.column_stack([X, np.ones(12)])) - wanted
    )  # the kernel x.x' + 1 penalises the constant too
    value, slope = loss(Z, wanted[:6], X, wanted)
    assert value == pytest.approx((off**2).sum() / 24)
    expected = approx_fprime(Z.ravel(), lambda z: loss(z.reshape(6, 4), wanted[:6], X, wanted)[0], 1e-7)
    assert slope == pytest.approx(expected, abs=1e-5)


def test_the_optimum_is_scikit_learns_and_the_slope_through_it_that_of_fitting_again() -> None:
    X, y = blobs()
    Z, made_y = X[:6] + 0.2, y[:6]
    helpers = baseline("distillation", "implicit_gradients").__globals__
    optimum, loss, through = helpers["optimum"], helpers["loss"], helpers["through_optimum"]
    W = optimum(Z, made_y, 0.5, np.zeros((3, 5)))
    peer = LogisticRegression(C=2.0, tol=1e-10, max_iter=10_000).fit(Z, made_y)
    logits = np.column_stack([X, np.ones(12)]) @ W.T
    proba = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert proba == pytest.approx(peer.predict_proba(X), abs=1e-4)

    def again(z: Any) -> float:
        return float(loss(optimum(z.reshape(6, 4), made_y, 0.5, W), X, y)[0])

    value, slope = loss(W, X, y)
    sharp = 5 * logits
    assert value == pytest.approx(np.mean(np.log(np.exp(sharp).sum(axis=1)) - sharp[np.arange(12), y]))
    numeric = np.array([(again(Z.ravel() + e) - again(Z.ravel() - e)) / 2e-3 for e in 1e-3 * np.eye(24)]).reshape(6, 4)
    assert through(Z, made_y, 0.5, W, slope) == pytest.approx(numeric, abs=0.02 * np.abs(numeric).max())


def test_made_rows_teach_more_than_means_and_means_more_than_medoids(track: Any) -> None:
    names = ("medoids", "class_means", "kernel_inducing_points", "implicit_gradients")
    found = []
    for seed in range(3):
        view, key = track.prepare(seed)
        found.append(
            [
                track.score(run(track, view, key, baseline("distillation", n), seed), view, key, seed).value
                for n in names
            ]
        )
    mean = np.mean(found, axis=0)
    assert (np.diff(mean) > 0).all()
    assert mean[-1] > 0.94
