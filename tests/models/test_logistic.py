"""Logistic regression against scikit-learn at a converged tolerance, in every shape a request can take."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.linear_model import LogisticRegression

from harness.errors import BenchmarkError, HarnessError, ProtocolError
from harness.models import load_model, solver
from harness.models.backend import Backend
from harness.models.engine import Chunk, minimise
from harness.models.logistic import FittedLogistic
from harness.models.newton import damped_newton
from tests.models.conftest import CUDA, Split

Proba = Callable[..., np.ndarray]
TOLERANCE = 5e-4  # the contract says 1e-3


def coalitions(n: int, share: float, size: int, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).random((size, n)) < share).astype(np.float32)


@pytest.mark.parametrize("share", [0.9, 0.4, 0.1])
def test_digits_coalitions_equal_scikit_learn(digits: Split, sklearn_proba: Proba, share: float) -> None:
    X, y, X_test, _ = digits
    W = coalitions(len(X), share, 80)
    P = load_model("logistic", device="cpu", n_classes=10).fit_many(X, y, weights=W).predict_proba(X_test)
    assert P.shape == (80, len(X_test), 10)
    for b in (0, 79):
        assert abs(P[b] - sklearn_proba(X, y, W[b], X_test, 10)).max() < TOLERANCE


@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize("load", [load_wine, load_breast_cancer])
def test_tabular_equals_scikit_learn(load: Callable[[], Any], scaled: bool, sklearn_proba: Proba) -> None:
    data = load()
    X, y = np.asarray(data.data), data.target
    if scaled:
        X = (X - X.mean(0)) / X.std(0)
    X = X.astype(np.float32)
    C = len(data.target_names)
    W: np.ndarray = coalitions(len(X), 0.6, 40) * np.random.default_rng(1).integers(1, 4, (40, len(X)))
    P = load_model("logistic", device="cpu", n_classes=C).fit_many(X, y, weights=W).predict_proba(X)
    # its first-order solver gives up early on features of such different scales: the second-order one decides
    settings = {} if scaled else {"solver": "newton-cholesky", "tol": 1e-10, "max_iter": 1000}
    assert abs(P[7] - sklearn_proba(X, y, W[7], X, C, **settings)).max() < TOLERANCE


def test_label_vectors_equal_scikit_learn(digits: Split, sklearn_proba: Proba) -> None:
    X, y, X_test, _ = digits
    rng = np.random.default_rng(2)
    Y = np.where(rng.random((70, len(X))) < 0.3, rng.integers(0, 10, (70, len(X))), y)
    P = load_model("logistic", device="cpu").fit_many(X, labels=Y).predict_proba(X_test)
    for b in (0, 69):
        assert abs(P[b] - sklearn_proba(X, Y[b], np.ones(len(X)), X_test, 10)).max() < TOLERANCE


@pytest.mark.parametrize("C", [1e-4, 0.1, 30.0, 1e4, 1e6])
def test_every_C_equals_the_second_order_solver(digits: Split, sklearn_proba: Proba, C: float) -> None:
    X, y, X_test, _ = digits
    X, y, X_test = X[:200, 20:44], y[:200], X_test[:, 20:44]
    W = coalitions(200, 0.7, 3)
    P = load_model("logistic", device="cpu", C=C).fit_many(X, y, weights=W).predict_proba(X_test)
    expected = sklearn_proba(X, y, W[1], X_test, 10, C=C, solver="newton-cholesky", tol=1e-13, max_iter=2000)
    assert abs(P[1] - expected).max() < 1e-3


def test_more_features_than_rows_and_constant_features(sklearn_proba: Proba) -> None:
    rng = np.random.default_rng(3)
    X = rng.standard_normal((50, 120)).astype(np.float32) + 5
    X[:, 7] = 3.0
    y = rng.integers(0, 3, 50)
    new = rng.standard_normal((40, 120)).astype(np.float32) + 5
    f = load_model("logistic", device="cpu").fit(X, y)
    assert abs(f.predict_proba(new) - sklearn_proba(X, y, np.ones(50), new, 3)).max() < TOLERANCE


def test_reported_coefficients_make_the_reported_probabilities(digits: Split) -> None:
    X, y, X_test, _ = digits
    f = load_model("logistic", device="cpu").fit_many(X, y, weights=coalitions(len(X), 0.5, 2))
    assert isinstance(f, FittedLogistic)
    z = np.einsum("bcd,nd->bnc", f.coef, X_test) + f.intercept[:, None]
    p = np.exp(z - z.max(-1, keepdims=True))
    np.testing.assert_allclose(p / p.sum(-1, keepdims=True), f.predict_proba(X_test), atol=1e-5)


def test_answers_do_not_depend_on_batching_or_order(digits: Split) -> None:
    X, y, X_test, _ = digits
    W = np.concatenate([coalitions(len(X), s, 30, seed=4) for s in (0.05, 0.3, 0.9)])
    together = load_model("logistic", device="cpu").fit_many(X, y, weights=W).predict_proba(X_test)
    backwards = load_model("logistic", device="cpu").fit_many(X, y, weights=W[::-1]).predict_proba(X_test)
    assert abs(together - backwards[::-1]).max() < TOLERANCE
    for b in (0, 45, 89):
        alone = load_model("logistic", device="cpu").fit(X, y, weights=W[b]).predict_proba(X_test)
        assert abs(together[b] - alone).max() < TOLERANCE


def test_large_batches_are_solved_in_parts(digits: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y, X_test, _ = digits
    W = coalitions(len(X), 0.1, 50)
    whole = load_model("logistic", device="cpu").fit_many(X, y, weights=W).predict_proba(X_test)
    monkeypatch.setattr("harness.models.logistic.AT_ONCE", 20)
    parts = load_model("logistic", device="cpu").fit_many(X, y, weights=W)
    assert parts.fits == 50
    assert abs(parts.predict_proba(X_test) - whole).max() < TOLERANCE


def test_same_call_gives_the_same_bits(digits: Split) -> None:
    X, y, X_test, _ = digits
    W = coalitions(len(X), 0.5, 70)
    first, second = (load_model("logistic", device="cpu").fit_many(X, y, weights=W) for _ in range(2))
    np.testing.assert_array_equal(first.predict_proba(X_test), second.predict_proba(X_test))


def test_subsets_are_weights_and_repeats_count(digits: Split) -> None:
    X, y, X_test, _ = digits
    rows = np.random.default_rng(5).integers(0, 300, 200)
    W = np.bincount(rows, minlength=len(X))[None].astype(float)
    model = load_model("logistic", device="cpu", n_classes=10)
    a = model.fit_many(X, y, subsets=[rows]).predict_proba(X_test)
    b = load_model("logistic", device="cpu", n_classes=10).fit_many(X, y, weights=W).predict_proba(X_test)
    c = load_model("logistic", device="cpu", n_classes=10).fit(X[rows], y[rows]).predict_proba(X_test)
    np.testing.assert_array_equal(a, b)
    assert abs(a[0] - c).max() < TOLERANCE


def test_images_are_flattened(digits: Split) -> None:
    X, y, X_test, _ = digits
    flat = load_model("logistic", device="cpu").fit(X, y).predict_proba(X_test)
    image = load_model("logistic", device="cpu").fit(X.reshape(-1, 8, 8), y).predict_proba(X_test.reshape(-1, 8, 8))
    np.testing.assert_array_equal(flat, image)


def test_absent_classes_have_probability_zero(digits: Split, sklearn_proba: Proba) -> None:
    X, y, X_test, _ = digits
    live = (y != 3) & (y != 7)
    f = load_model("logistic", device="cpu", n_classes=10).fit_many(X, y, weights=live[None].astype(float))
    P = f.predict_proba(X_test)[0]
    assert (P[:, [3, 7]] == 0).all()
    assert abs(P - sklearn_proba(X, y, live, X_test, 10)).max() < TOLERANCE
    assert not np.isin(f.predict(X_test), [3, 7]).any()


def test_two_classes_left_of_many_are_the_limit_of_vanishing_weights(digits: Split) -> None:
    X, y, X_test, _ = digits
    W = np.where(y < 2, 1.0, 0.0)
    faint = np.where(y < 2, 1.0, 1e-9)
    model = load_model("logistic", device="cpu", n_classes=10, polish=True)
    P = model.fit_many(X, y, weights=np.stack([W, faint])).predict_proba(X_test)
    assert abs(P[0] - P[1]).max() < 1e-4


@pytest.mark.parametrize("C", [0.1, 1.0, 10.0])
def test_two_classes_left_of_many_are_scikit_learns_two_at_twice_its_c(digits: Split, C: float) -> None:
    """|w|^2 / 2C on each of w and -w is |2w|^2 / 4C on their difference, the one vector of scikit-learn."""
    X, y, X_test, _ = digits
    pair = (y == 3) | (y == 8)
    ours = load_model("logistic", device="cpu", n_classes=10, C=C, polish=True).fit(X[pair], y[pair])
    two = load_model("logistic", device="cpu", n_classes=2, C=C, polish=True).fit(X[pair], (y[pair] == 8).astype(int))

    def theirs(inverse_penalty: float) -> np.ndarray:
        model = LogisticRegression(C=inverse_penalty, solver="newton-cholesky", tol=1e-10, max_iter=1000)
        proba: np.ndarray = model.fit(X[pair].astype(float), y[pair]).predict_proba(X_test.astype(float))
        return proba

    P = ours.predict_proba(X_test)
    assert abs(P[:, [3, 8]] - theirs(2 * C)).max() < 1e-4
    assert abs(P[:, [3, 8]] - theirs(C)).max() > 0.01  # the same C is another model
    assert abs(two.predict_proba(X_test) - theirs(C)).max() < 1e-4  # where there are two classes in all, it is the same


def test_one_class_no_row_and_no_model(digits: Split) -> None:
    X, y, X_test, _ = digits
    model = load_model("logistic", device="cpu", n_classes=10)
    P = model.fit_many(X, y, weights=np.stack([y == 4, np.zeros(len(y), bool)])).predict_proba(X_test)
    assert (P[0, :, 4] == 1).all()
    assert (P[0, :, :4] == 0).all()
    np.testing.assert_allclose(P[1], 0.1)
    none = model.fit_many(X, y, weights=np.zeros((0, len(X))))
    assert none.predict_proba(X_test).shape == (0, len(X_test), 10)
    assert none.predict(X_test).shape == (0, len(X_test))
    assert model.fit(X[:0], y[:0]).predict_proba(X_test).shape == (len(X_test), 10)


def test_equal_requests_are_fitted_once(digits: Split) -> None:
    X, y, X_test, _ = digits
    W = np.repeat(coalitions(len(X), 0.2, 3), 5, axis=0)
    model = load_model("logistic", device="cpu")
    f = model.fit_many(X, y, weights=W)
    assert (f.fits, model.fits, f.size) == (3, 3, 15)
    again = model.fit_many(X, y, weights=W[:5])
    assert (again.fits, model.fits) == (0, 3)
    np.testing.assert_array_equal(again.predict_proba(X_test), f.predict_proba(X_test)[:5])
    hidden = np.where(W[0] > 0, y, (y + 1) % 10)  # other labels where the weight is 0 change nothing
    same = model.fit_many(X, labels=np.stack([hidden, y]), weights=W[[0, 0]])
    assert same.fits == 1


def test_a_hundred_thousand_requests_in_one_call() -> None:
    data = load_wine()
    X = ((data.data - data.data.mean(0)) / data.data.std(0)).astype(np.float32)[:, :3]
    W = np.zeros((100_000, len(X)), np.float32)
    W[:, ::10] = 1
    W[np.arange(100_000), np.arange(100_000) % 50] += 1
    f = load_model("logistic", device="cpu", n_classes=3).fit_many(X, data.target, weights=W)
    assert f.fits == 50
    assert f.predict(X[:2]).shape == (100_000, 2)


def test_gradient_norms_are_reported_and_polish_lowers_them(digits: Split, sklearn_proba: Proba) -> None:
    X, y, X_test, _ = digits
    W = coalitions(len(X), 0.5, 4)
    rough = load_model("logistic", device="cpu").fit_many(X, y, weights=W)
    fine = load_model("logistic", device="cpu", polish=True).fit_many(X, y, weights=W)
    assert rough.gradient_norm.shape == (4,)
    assert 0 < rough.gradient_norm.max() < 1e-2
    assert fine.gradient_norm.max() < 1e-6
    expected = sklearn_proba(X, y, W[2], X_test, 10, solver="newton-cholesky", tol=1e-13)
    assert abs(fine.predict_proba(X_test)[2] - expected).max() < 1e-6


@pytest.mark.parametrize("where", ["torch", CUDA, "not rotated", "no class blocks"])
def test_other_ways_through_the_engine_agree(digits: Split, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y, X_test, _ = digits
    W = np.concatenate([coalitions(len(X), 0.2, 60), coalitions(len(X), 0.8, 60)])
    usual = load_model("logistic", device="cpu").fit_many(X, y, weights=W).predict_proba(X_test)
    if where == "torch":  # the code that runs on CUDA
        there = SimpleNamespace(of=lambda device: Backend.of(device, torch_on_cpu=True))
        monkeypatch.setattr("harness.models.logistic.Backend", there)
    elif where == "not rotated":
        monkeypatch.setattr("harness.models.design.ROTATE_UP_TO", 0)
    elif where == "no class blocks":
        monkeypatch.setattr(solver, "ROTATE_UP_TO", 0)
    device = where if where == "cuda" else "cpu"
    other = load_model("logistic", device=device).fit_many(X, y, weights=W).predict_proba(X_test)
    assert abs(usual - other).max() < TOLERANCE


def test_what_the_engine_leaves_is_solved_by_newton(
    digits: Split, sklearn_proba: Proba, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y, X_test, _ = digits

    def lazy(*arguments: Any, **_: object) -> object:
        backend, chunk, theta, precondition, tolerance = arguments[:5]
        return minimise(backend, chunk, theta, precondition, tolerance, 2)  # two evaluations: nothing converges

    monkeypatch.setattr(solver, "minimise", lazy)
    X, X_test = X[:150, 20:44], X_test[:, 20:44]
    f = load_model("logistic", device="cpu").fit(X, y[:150])
    assert abs(f.predict_proba(X_test) - sklearn_proba(X, y[:150], np.ones(150), X_test, 10)).max() < TOLERANCE
    monkeypatch.setattr(solver, "damped_newton", lambda *a: (a[5], np.inf, np.inf))
    with pytest.raises(BenchmarkError, match="did not converge"):
        load_model("logistic", device="cpu").fit(X, y[:150])


def test_newton_alone_for_two_and_three_classes(sklearn_proba: Proba) -> None:
    data = load_wine()
    X = ((data.data - data.data.mean(0)) / data.data.std(0)).astype(np.float64)
    for classes in (2, 3):
        live = data.target < classes
        Z, y = np.hstack([X[live], np.ones((live.sum(), 1))]), data.target[live]
        penalty = np.append(np.full(13, 0.5), 0.0)
        start = np.zeros((1 if classes == 2 else 3, 14))
        theta, norm, _ = damped_newton(Z, y, np.ones(len(y)), np.ones(classes, bool), penalty, start, 1e-9)
        z = Z @ theta.T
        z = np.hstack([0 * z, z]) if classes == 2 else z
        p = np.exp(z - z.max(1, keepdims=True))
        expected = sklearn_proba(X[live], y, np.ones(len(y)), X[live], classes, C=2.0)
        assert norm < 1e-6
        assert abs(p / p.sum(1, keepdims=True) - expected).max() < 1e-5


@pytest.mark.parametrize("on_torch", [False, True])
def test_full_memory_halves_the_part(on_torch: bool) -> None:
    import torch

    done: list[int] = []

    def work(part: np.ndarray) -> None:
        if len(part) > 3 or 99 in part:
            raise torch.OutOfMemoryError if on_torch else MemoryError
        done.extend(part.tolist())

    backend = Backend.of("cpu", torch_on_cpu=on_torch)
    backend.map_halving(work, [np.arange(10), np.arange(10, 12)])
    assert sorted(done) == list(range(12))
    with pytest.raises(HarnessError, match="ran out while training one model"):
        backend.map_halving(work, [np.array([99])])
    with pytest.raises(ValueError, match="not memory"):
        backend.map_halving(lambda part: (_ for _ in ()).throw(ValueError("not memory")), [np.arange(4)])


def test_chunks_too_large_for_the_device_are_halved(digits: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    X, y, X_test, _ = digits
    W = coalitions(len(X), 0.7, 24)
    whole = load_model("logistic", device="cpu").fit_many(X, y, weights=W).predict_proba(X_test)
    there = SimpleNamespace(of=lambda device: Backend.of(device, torch_on_cpu=True))
    monkeypatch.setattr("harness.models.logistic.Backend", there)
    sizes = []

    def small_device(backend: Backend, chunk: Chunk, *rest: Any, **named: Any) -> object:
        sizes.append(len(chunk.weights))
        if len(chunk.weights) > 6:
            raise torch.OutOfMemoryError
        return minimise(backend, chunk, *rest, **named)

    monkeypatch.setattr(solver, "minimise", small_device)
    parts = load_model("logistic", device="cpu").fit_many(X, y, weights=W).predict_proba(X_test)
    assert {24, 12, 6} <= set(sizes)
    assert abs(parts - whole).max() < TOLERANCE


def test_kept_answers_are_bounded_and_forgotten_on_request(digits: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y, X_test, _ = digits
    W = coalitions(len(X), 0.5, 40)
    model = load_model("logistic", device="cpu", n_classes=10)
    first = model.fit_many(X, y, weights=W).predict_proba(X_test)
    model.reset()
    assert model.fits == 0
    again = model.fit_many(X, y, weights=W)
    assert again.fits == model.fits == 40
    np.testing.assert_array_equal(again.predict_proba(X_test), first)
    model.reset()
    monkeypatch.setattr("harness.models.cache.BYTES", 10 * 10 * 65 * 4)  # ten models of 10 x 65 float32
    model.fit_many(X, y, weights=W)
    assert model.fit_many(X, y, weights=W[:30]).fits == 30
    assert model.fit_many(X, y, weights=W[20:30]).fits == 0


@pytest.mark.parametrize("C", [1e6, 1e9])
@pytest.mark.parametrize("classes", [2, 3])
def test_separable_rows_and_a_huge_C(classes: int, C: float) -> None:
    rng = np.random.default_rng(0)
    y = np.arange(90) % classes
    X = (rng.normal(size=(90, 3)) + 10 * y[:, None]).astype(np.float32)
    f = load_model("logistic", device="cpu", C=C).fit_many(X, y, weights=coalitions(90, 0.8, 3))
    assert f.gradient_norm.max() < 1e-6
    assert (f.predict(X) == y).all()
    assert np.isfinite(f.predict_proba(X)).all()


@pytest.mark.parametrize("C", [1.0, 1e3, 1e6])
@pytest.mark.parametrize("share", [0.9, 0.15])  # rows of the design that all share, or rows of each model's own
@pytest.mark.parametrize("classes", [2, 3])
def test_hard_and_easy_requests_side_by_side_end_where_scikit_learn_does(
    classes: int, share: float, C: float, sklearn_proba: Proba
) -> None:
    """Real weights, columns twice, a class left out, one class, no rows: each as if it had been asked for alone."""
    data = load_wine()
    kept = data.target < classes
    X = ((data.data - data.data.mean(0)) / data.data.std(0))[kept]
    X, y = np.hstack([X, X[:, :4], np.ones((len(X), 1))]).astype(np.float32), data.target[kept]
    y = np.where(np.random.default_rng(6).random(len(y)) < 0.2, (y + 1) % classes, y)  # not separable
    W: np.ndarray = coalitions(len(X), share, 40) * np.random.default_rng(1).gamma(1.0, 1.0, (40, len(X)))
    W = W.astype(np.float32)
    W[3], W[4] = 0, W[4] * (y == 1)
    W[5:8] *= y != classes - 1
    W[8] *= 100
    P = load_model("logistic", device="cpu", n_classes=classes, C=C).fit_many(X, y, weights=W).predict_proba(X)
    assert (P[3] == np.float32(1 / classes)).all()
    assert (P[4, :, 1] == 1).all()
    for b in (0, 8, 9, 39) if classes == 2 else (0, 8, 9, 39, 6):
        expected = sklearn_proba(X, y, W[b], X, classes, C=two_of_three(C, y[W[b] > 0], classes), **SECOND_ORDER)
        assert abs(P[b] - expected).max() < 1e-3


SECOND_ORDER = {"solver": "newton-cholesky", "tol": 1e-12, "max_iter": 2000}


def two_of_three(C: float, seen: np.ndarray, classes: int) -> float:
    """scikit-learn's C for a model of ``classes`` that has seen only two: one vector for their difference, twice C."""
    return 2 * C if classes > 2 and len(np.unique(seen)) == 2 else C


def test_mean_distance_to_the_optimum_is_far_below_the_promise(digits: Split, sklearn_proba: Proba) -> None:
    X, y, X_test, _ = digits
    W = np.concatenate([coalitions(len(X), share, 40) for share in (0.9, 0.3, 0.1)])
    P = load_model("logistic", device="cpu", n_classes=10).fit_many(X, y, weights=W).predict_proba(X_test)
    off = [abs(P[b] - sklearn_proba(X, y, W[b], X_test, 10, **SECOND_ORDER)) for b in (1, 2, 50, 51, 100, 101)]
    assert np.max(off) < 1e-4
    assert np.mean(off) < 3e-6


def test_a_model_that_goes_too_far_costs_the_others_nothing(digits: Split) -> None:
    """Together, models take as many evaluations as the one that takes most alone: no line search holds up the rest."""
    X, y, _, _ = digits
    rng = np.random.default_rng(0)
    design = np.hstack([X, np.ones((len(X), 1))])
    weights = coalitions(len(X), 0.5, 6)
    one = np.ones((6, 1))
    chunk = Chunk(
        design_t=design.T,
        weights=weights.astype(float),
        target=((weights * (y > 4)) @ design)[:, None],
        penalty=np.append(np.full(64, 1.0), 0.0),
        present=one,
        projection=None,
        scale=one[:, 0],
        reference=True,
    )
    start = rng.normal(size=(6, 1, 65)) * np.array([0, 0.1, 0.3, 1, 2, 3])[:, None, None]

    def evaluations(part: slice) -> int:
        own = replace(chunk, **{k: getattr(chunk, k)[part] for k in ("weights", "target", "present", "scale")})
        limit = np.full(len(own.weights), 1e-6)
        found = minimise(Backend.of("cpu"), own, start[part], lambda g, _: 0.02 * g, limit, 400, patience=400)
        assert (found.decrement <= limit).all()
        return found.evaluations

    alone = [evaluations(slice(b, b + 1)) for b in range(6)]
    assert min(alone) < max(alone) - 5
    assert evaluations(slice(None)) <= max(alone) + 1


def test_nothing_but_constant_features_leaves_the_shares_of_the_classes() -> None:
    X, y = np.ones((20, 3)), np.arange(20) % 4 // 3
    np.testing.assert_allclose(
        load_model("logistic", device="cpu").fit(X, y).predict_proba(X)[0], [0.75, 0.25], atol=1e-4
    )


@settings(max_examples=25, deadline=None)
@given(
    st.integers(2, 12), st.integers(1, 6), st.integers(2, 4), st.integers(1, 5), st.integers(0, 2**31), st.floats(-2, 2)
)
def test_any_small_problem_ends_at_its_optimum(n: int, d: int, C: int, B: int, seed: int, log_c: float) -> None:
    rng = np.random.default_rng(seed)
    X, y = rng.integers(-2, 3, (n, d)).astype(np.float32), rng.integers(0, C, n)
    W = rng.integers(0, 3, (B, n)).astype(float)
    c = 10**log_c
    f = load_model("logistic", device="cpu", C=c, n_classes=C, polish=True).fit_many(X, y, weights=W)
    assert isinstance(f, FittedLogistic)
    P = f.predict_proba(X)
    np.testing.assert_allclose(P.sum(-1), 1, atol=1e-5)
    onehot = np.eye(C)[y]
    for b in range(B):
        if len(np.unique(y[W[b] > 0])) < 2:
            continue
        residual = W[b][:, None] * (P[b].astype(float) - onehot)
        coef = f.coef[b]
        if C == 2:  # one vector, class 1 against class 0
            residual, coef = residual[:, 1:], coef[1:]
        scale = 1e-4 * max(1.0, np.abs(X).sum() * W[b].max())
        assert abs(residual.sum(0)).max() < scale
        assert abs(residual.T @ X + coef / c).max() < scale


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"X": np.full((6, 2), np.nan)}, "NaN"),
        ({"X": np.full((6, 2), 1e20)}, "beyond 1e"),
        ({"X": np.ones((6, 0))}, "without a single feature"),
        ({"X": np.ones(6)}, "at least two axes"),
        ({"X": "text"}, "array of numbers"),
        ({"y": np.zeros(5, int)}, "n = 6"),
        ({"y": np.zeros(6)}, "integers"),
        ({"y": np.array([0, 1, 2, 3, 4, -1])}, "0..C-1"),
        ({"y": np.array([0, 1, 2, 0, 1, 5])}, "out of range"),
        ({"weights": np.ones(6)}, r"\[B, n\]"),
        ({"weights": np.ones((2, 5))}, "n = 6"),
        ({"weights": -np.ones((2, 6))}, ">= 0"),
        ({"weights": np.full((2, 6), np.inf)}, "finite"),
        ({"weights": np.full((2, 6), "a")}, "numbers"),
        ({"labels": np.zeros((2, 6), int)}, "not both"),
        ({"y": None}, "Give either"),
        ({"subsets": [[0, 6]]}, "row 6"),
        ({"subsets": [[0.5]]}, "indices"),
        ({"subsets": 3}, "list of index arrays"),
        ({"subsets": [[0]], "weights": np.ones((1, 6))}, "not both"),
        ({"y": None, "labels": np.zeros((3, 6), int), "weights": np.ones((2, 6))}, "differs"),
    ],
)
def test_bad_input_is_one_clear_error(change: dict[str, Any], says: str) -> None:
    arguments: dict[str, Any] = {"X": np.arange(12.0).reshape(6, 2), "y": np.array([0, 1, 2, 0, 1, 2]), **change}
    with pytest.raises(ProtocolError, match=says):
        load_model("logistic", device="cpu", n_classes=3).fit_many(**arguments)


def test_wrong_number_of_features_when_predicting(digits: Split) -> None:
    X, y, _, _ = digits
    with pytest.raises(ProtocolError, match="fitted on 64"):
        load_model("logistic", device="cpu").fit(X, y).predict_proba(np.ones((2, 3)))


def test_fitting_on_the_cpu_loads_neither_torch_nor_scikit_learn() -> None:
    code = (
        "import sys, numpy as np; from harness.models import load_model, model_settings;"
        "load_model('logistic', device='cpu').fit(np.eye(4), np.array([0, 1, 0, 1])).predict(np.eye(4));"
        "print([m for m in ('torch', 'sklearn') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_features_of_a_million_are_solved_to_their_optimum() -> None:
    """Scaling X by s and C by 1/s^2 is the same problem: probabilities agree with those of the unscaled one."""
    rng = np.random.default_rng(3)
    y = np.arange(60) % 4
    X = (rng.normal(size=(60, 6)) + 2 * np.eye(4, 6)[y]).astype(np.float32)
    bags = rng.multinomial(60, np.full(60, 1 / 60), size=40).astype(np.float32)
    plain = load_model("logistic", device="cpu", n_classes=4, C=1.0).fit_many(X, y, weights=bags)
    scaled = load_model("logistic", device="cpu", n_classes=4, C=1e-8).fit_many(X * 1e4, y, weights=bags)
    assert np.abs(plain.predict_proba(X) - scaled.predict_proba(X * 1e4)).max() < 1e-3
    huge = load_model("logistic", device="cpu", n_classes=4).fit_many(
        X * 1e6, y, weights=bags
    )  # C = 1: no penalty left
    assert (huge.predict(X * 1e6) == y)[bags > 0].mean() > 0.95
