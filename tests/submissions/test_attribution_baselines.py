"""Attribution baselines against autograd, dense Hessians, leave-one-out retraining, closed forms and loops."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge

from harness import api
from harness.models import load_model
from harness.paths import SUBMISSIONS_DIR
from harness.protocol.manifest import MANIFEST
from tests.tracks.helpers import baseline, bind, make_task

NAMES = sorted(p.parent.name for p in (SUBMISSIONS_DIR / "attribution").glob(f"*/{MANIFEST}"))
C, D = 3, 4


def part(name: str, function: str) -> Any:
    return baseline("attribution", name).__globals__[function]


def small_task(n: int = 60, q: int = 7, model: str = "logistic", **params: Any) -> Any:
    """Three overlapping clouds in four dimensions."""
    rng = np.random.default_rng(3)
    y, y_query = np.arange(n) % C, np.arange(q) % C
    X, X_query = (rng.normal(size=(len(of), D)) + 1.5 * np.eye(C, D)[of] for of in (y, y_query))
    return api.AttributionTask(
        C, np.random.default_rng(1), load_model(model, device="cpu", n_classes=C, **params),
        X.astype(np.float32), y, X_query.astype(np.float32), y_query, 50,
    )  # fmt: skip


def last_layer_gradients(task: Any) -> tuple[np.ndarray, np.ndarray]:
    """By autograd at the fitted model: of minus each row's loss [n, (h + 1) C], of each query's margin [q, (h + 1) C]."""
    fitted: Any = task.model.fit(task.X, task.y)
    if hasattr(fitted, "coef"):
        W = np.vstack([fitted.coef[0].T, fitted.intercept[0]])
    else:
        W = np.vstack([fitted.parameters[-2][0], fitted.parameters[-1][0]])
    weights = torch.tensor(W, dtype=torch.float64, requires_grad=True)

    def gradient(x: np.ndarray, y: int, *, margin: bool) -> np.ndarray:
        logp = (torch.tensor(np.append(x, 1.0), dtype=torch.float64) @ weights).log_softmax(0)[y]
        value = logp - torch.log1p(-logp.exp()) if margin else logp
        return torch.autograd.grad(value, weights)[0].numpy().ravel()

    rows, queries = fitted.features(task.X), fitted.features(task.X_query)
    return (
        np.stack([gradient(x, int(y), margin=False) for x, y in zip(rows, task.y, strict=True)]),
        np.stack([gradient(x, int(y), margin=True) for x, y in zip(queries, task.y_query, strict=True)]),
    )


@pytest.mark.parametrize("model", [("logistic", {}), ("mlp", {"updates": 40, "hidden": 6})], ids=["logistic", "mlp"])
def test_gradient_products_and_cosines_are_autograds(model: tuple[str, dict[str, Any]]) -> None:
    task = small_task(model=model[0], **model[1])
    of_rows, of_queries = last_layer_gradients(task)
    assert baseline("attribution", "gradient_dot")(task) == pytest.approx(of_queries @ of_rows.T, abs=1e-4)
    a, b = (g / np.linalg.norm(g, axis=1, keepdims=True) for g in (of_queries, of_rows))
    assert baseline("attribution", "gradient_cosine")(task) == pytest.approx(a @ b.T, abs=1e-4)


def test_influence_solves_with_the_dense_hessian() -> None:
    task = small_task()
    of_rows, of_queries = last_layer_gradients(task)
    p = task.model.fit(task.X, task.y).predict_proba(task.X).astype(np.float64)
    A = np.column_stack([task.X, np.ones(len(task.X))]).astype(np.float64)
    H = sum(np.kron(np.outer(a, a), np.diag(r) - np.outer(r, r)) for a, r in zip(A, p, strict=True))
    H = H + np.diag(np.repeat([1.0] * D + [1e-6], C))
    expected = of_queries @ np.linalg.solve(H, of_rows.T)
    assert baseline("attribution", "influence")(task) == pytest.approx(expected, abs=1e-3 * np.abs(expected).max())


def test_influence_at_half_weight_is_the_derivative_of_the_margin_by_a_rows_weight() -> None:
    task = small_task(polish=True)

    def margin(weights: np.ndarray) -> np.ndarray:
        fitted = LogisticRegression(C=1.0, tol=1e-12, max_iter=10_000)
        fitted.fit(task.X.astype(float), task.y, sample_weight=weights)
        p = fitted.predict_proba(task.X_query.astype(float))[np.arange(len(task.y_query)), task.y_query]
        odds: np.ndarray = np.log(p / (1 - p))
        return odds

    half, steps = np.full(60, 0.5), 0.01 * np.eye(60)
    expected = np.stack([(margin(half + step) - margin(half - step)) / 0.02 for step in steps], axis=1)
    found = (
        baseline("attribution", "influence_half")(task) / 0.5
    )  # the scale counts for nothing: H is over its weight there
    assert found == pytest.approx(expected, abs=5e-3 * float(np.abs(expected).max()))


def test_influence_is_what_leaving_a_row_out_takes_from_the_margin() -> None:
    task = small_task(n=90)

    def margin(X: np.ndarray, y: np.ndarray) -> np.ndarray:
        fitted = LogisticRegression(C=1.0, tol=1e-12, max_iter=10_000).fit(X.astype(float), y)
        p = fitted.predict_proba(task.X_query.astype(float))[np.arange(len(task.y_query)), task.y_query]
        odds: np.ndarray = np.log(p / (1 - p))
        return odds

    whole = margin(task.X, task.y)
    removed = np.stack([whole - margin(np.delete(task.X, i, 0), np.delete(task.y, i)) for i in range(90)], axis=1)
    found = baseline("attribution", "influence")(task)
    for q in range(len(found)):
        assert np.corrcoef(found[q], removed[q])[0, 1] > 0.99
    slope = (found * removed).sum() / (removed**2).sum()
    assert 0.8 < slope < 1.1


def test_representer_points_add_up_to_the_logits_of_scikit_learn() -> None:
    task = small_task()
    fitted = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000).fit(task.X, task.y)
    expected = (task.X_query * fitted.coef_[task.y_query]).sum(axis=1)
    assert baseline("attribution", "representer")(task).sum(axis=1) == pytest.approx(expected, abs=5e-3)


def test_trak_with_as_many_directions_as_parameters_is_the_regression_without_projection() -> None:
    task = small_task(n=80)
    found = baseline("attribution", "trak")(task, checkpoints=1, dimensions=10_000)
    half = np.random.default_rng(1).permutation(80)[:40]
    fitted: Any = small_task(n=80).model.fit_many(task.X, task.y, subsets=[half])
    p, p_query = (fitted.predict_proba(X)[0].astype(np.float64) for X in (task.X, task.X_query))

    def gradients(X: np.ndarray, proba: np.ndarray, y: np.ndarray) -> np.ndarray:
        rows = []
        for x, r, label in zip(X, proba, y, strict=True):
            push = np.array([1.0 if c == label else -r[c] / (1 - r[label]) for c in range(C)])
            rows.append(np.outer(np.append(x, 1), push).ravel())
        return np.stack(rows)

    phi, of_queries = gradients(task.X, p, task.y), gradients(task.X_query, p_query, task.y_query)
    fit = np.linalg.lstsq(phi.T, of_queries.T, rcond=1e-6)[0].T  # the smallest combination of rows that gives the query
    expected = fit * (1 - p[np.arange(80), task.y])
    assert found == pytest.approx(expected, abs=0.02 * np.abs(expected).max())


def test_datamodels_are_scikit_learns_ridge_at_the_penalty_chosen() -> None:
    rng = np.random.default_rng(0)
    halves, w = rng.random((40, 60)) < 0.5, rng.normal(size=(60, 2))
    outputs = halves @ w
    found, errors = part("datamodel", "ridge")(halves, outputs), {}
    A = halves - halves.mean(axis=0)
    for penalty in part("datamodel", "PENALTIES"):
        hat = A @ np.linalg.solve(A.T @ A + penalty * np.eye(60), A.T)
        left = (outputs - outputs.mean(axis=0)) - hat @ (outputs - outputs.mean(axis=0))
        errors[penalty] = (left**2).sum() / np.trace(np.eye(40) - hat) ** 2
    best = min(errors, key=lambda penalty: errors[penalty])
    expected = Ridge(alpha=best, solver="svd").fit(halves.astype(float), outputs).coef_.T
    assert found == pytest.approx(expected, abs=1e-6)


def test_nearness_is_the_kernel_summed_by_hand() -> None:
    task = small_task()
    distance = np.array([[np.linalg.norm(x - row) for row in task.X] for x in task.X_query])
    scale = np.median([sorted(row)[9] ** 2 for row in distance])
    found = baseline("attribution", "knn")(task)
    for q, label in enumerate(task.y_query):
        near, same = np.exp(-(distance[q] ** 2) / scale), task.y == label
        expected = np.where(same, near / near[same].sum(), -near / near[~same].sum())
        assert found[q] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_no_baseline_trains_more_than_it_may(name: str) -> None:
    for most in (1, 3):
        task = dataclasses.replace(small_task(), max_fits=most)
        task.model.allowed = most
        assert np.isfinite(baseline("attribution", name)(task)).all()


def test_baselines_come_in_the_order_of_what_they_know() -> None:
    track = bind("attribution_digits")
    view, key = track.prepare(0)
    scores = {
        name: track.score({"scores": np.asarray(baseline("attribution", name)(make_task(track, view)))}, view, key, 0)
        for name in NAMES
    }
    value = {name: score.value for name, score in scores.items()}
    assert abs(value["random"]) < 0.1 < value["trak"]
    assert value["gradient_dot"] < value["knn"] < value["influence"]
    assert value["influence"] > 0.9
