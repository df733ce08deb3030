"""Networks trained together against a loop over one torch module at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.errors import ProtocolError
from harness.models import load_model, nets
from harness.models.base import Batch
from harness.models.nets import CnnSettings, FittedNetwork, NetSettings, draw_rows, initial_weights
from tests.models.conftest import CUDA, Split


def images(split: Split) -> Split:
    X, y, X_test, y_test = split
    return X.reshape(-1, 8, 8), y, X_test.reshape(-1, 8, 8), y_test


def plain_loop(name: str, X: np.ndarray, y: np.ndarray, w: np.ndarray, X_test: np.ndarray, updates: int) -> np.ndarray:
    """The same model written with torch.nn, one member, one row at a time drawn from the running weights."""
    import torch
    from torch import nn

    settings = load_model(name, updates=updates).settings
    assert isinstance(settings, NetSettings)
    layers = {
        "mlp": lambda: [nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10)],
        "logistic_sgd": lambda: [nn.Flatten(), nn.Linear(64, 10)],
        "cnn": lambda: [
            nn.Unflatten(1, (1, 8)),
            *[nn.Conv2d(1, 32, 3, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 3, 2, 1), nn.ReLU()],
            *[nn.Conv2d(64, 128, 3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10)],
        ],
    }
    net = nn.Sequential(*layers[name]())
    start = initial_weights(settings.layers(X.shape[1:], 10), settings.seed)
    with torch.no_grad():
        for p, value in zip(net.parameters(), start, strict=True):
            p.copy_(torch.from_numpy(value.T.copy() if value.ndim == 2 else value))
    live = np.repeat(np.arange(len(X)), w.astype(int))
    mean, spread = X[live].astype(float).mean(), X[live].astype(float).std()
    data, test = (torch.from_numpy(((a - mean) / spread).astype(np.float32)) for a in (X, X_test))
    uniform = np.random.default_rng([settings.seed, 2]).random((updates, settings.batch_size))
    optimizer = torch.optim.AdamW(net.parameters(), settings.learning_rate, weight_decay=settings.weight_decay)
    for t in range(updates):
        rows = live[np.floor(uniform[t] * len(live)).astype(int)]
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * (1 - t / updates)
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(data[rows]), torch.from_numpy(y[rows])).backward()
        optimizer.step()
    with torch.no_grad():
        proba: np.ndarray = net(test).softmax(-1).numpy()
    return proba


@pytest.mark.parametrize(("name", "updates"), [("logistic_sgd", 60), ("mlp", 60), ("cnn", 25)])
def test_ensemble_equals_the_loop_over_single_models(digits: Split, name: str, updates: int) -> None:
    X, y, X_test, _ = images(digits)
    W = np.random.default_rng(0).integers(0, 3, (3, len(X))).astype(float)
    P = load_model(name, device="cpu", updates=updates, n_classes=10).fit_many(X, y, weights=W).predict_proba(X_test)
    for b in (0, 2):
        np.testing.assert_allclose(P[b], plain_loop(name, X, y, W[b], X_test, updates), atol=2e-4)


@pytest.mark.parametrize("name", ["logistic_sgd", "mlp", "cnn"])
def test_a_member_does_not_depend_on_its_neighbours_and_repeats_exactly(digits: Split, name: str) -> None:
    X, y, X_test, _ = images(digits)
    W = (np.random.default_rng(0).random((5, len(X))) < 0.5).astype(float)
    model = load_model(name, device="cpu", updates=20, n_classes=10)
    together = model.fit_many(X, y, weights=W).predict_proba(X_test)
    again = load_model(name, device="cpu", updates=20, n_classes=10).fit_many(X, y, weights=W).predict_proba(X_test)
    np.testing.assert_array_equal(together, again)
    alone = model.fit_many(X, y, subsets=[np.flatnonzero(W[3])]).predict_proba(X_test)
    np.testing.assert_allclose(together[3], alone[0], atol=1e-4)


def test_learns_and_counts_distinct_fits(digits: Split) -> None:
    X, y, X_test, y_test = images(digits)
    model = load_model("cnn", device="cpu", updates=100)
    f = model.fit_many(X, labels=np.stack([y, y, np.roll(y, 1)]))
    assert (f.fits, model.fits) == (2, 2)
    again = model.fit_many(X, labels=np.stack([np.roll(y, 1), y]))
    assert (again.fits, model.fits) == (0, 2)
    np.testing.assert_array_equal(again.predict_proba(X_test), f.predict_proba(X_test)[[2, 0]])
    assert model.fit(X[1:], y[1:]).fits == 1
    model.reset()
    assert model.fit(X[1:], y[1:]).fits == model.fits == 1
    hits = (f.predict(X_test) == y_test).mean(axis=1)
    assert hits[0] == hits[1] > 0.9 > 0.3 > hits[2]


@pytest.mark.parametrize("name", ["logistic_sgd", "mlp", "cnn"])
def test_features_are_what_the_last_layer_reads(digits: Split, name: str) -> None:
    X, y, X_test, _ = images(digits)
    W = (np.random.default_rng(0).random((3, len(X))) < 0.5).astype(float)
    many = load_model(name, device="cpu", updates=5, n_classes=10).fit_many(X, y, weights=W)
    assert isinstance(many, FittedNetwork)
    Z = many.features(X_test)
    logits = Z @ many.parameters[-2] + many.parameters[-1][:, None]
    shares = np.exp(logits - logits.max(axis=2, keepdims=True))
    np.testing.assert_allclose(many.predict_proba(X_test), shares / shares.sum(axis=2, keepdims=True), atol=1e-5)
    one = load_model(name, device="cpu", updates=5, n_classes=10).fit(X, y)
    assert one.features(X_test).shape == Z.shape[1:]


def test_a_model_without_hidden_layers_reads_the_rows_themselves(digits: Split) -> None:
    X, y, X_test, _ = images(digits)
    fitted = load_model("logistic", device="cpu").fit_many(X, y, subsets=[np.arange(50), np.arange(90)])
    np.testing.assert_array_equal(fitted.features(X_test), np.stack([X_test.reshape(len(X_test), -1)] * 2))


def test_classes_that_are_absent_alone_or_all_absent(digits: Split) -> None:
    X, y, X_test, _ = images(digits)
    W = np.stack([y != 3, y == 4, np.zeros(len(y), bool)])
    P = load_model("mlp", device="cpu", updates=10, n_classes=10).fit_many(X, y, weights=W).predict_proba(X_test)
    assert (P[0, :, 3] == 0).all()
    assert (P[1, :, 4] == 1).all()
    np.testing.assert_allclose(P[2], 0.1)


@pytest.mark.parametrize("shape", [(28, 28), (32, 32, 3)])
def test_cnn_has_about_a_hundred_thousand_parameters(shape: tuple[int, ...]) -> None:
    sizes = [p.size for p in initial_weights(CnnSettings().layers(shape, 10), 0)]
    assert 90_000 < sum(sizes) < 110_000
    X = np.random.default_rng(0).random((12, *shape))
    assert load_model("cnn", device="cpu", updates=2).fit(X, np.arange(12) % 4).predict_proba(X).shape == (12, 4)


def test_cnn_refuses_feature_vectors() -> None:
    with pytest.raises(ProtocolError, match="needs images"):
        load_model("cnn", device="cpu").fit(np.ones((4, 64)), np.array([0, 1, 0, 1]))


def test_rows_are_drawn_in_proportion_to_weight() -> None:
    w = np.array([0.0, 1.0, 3.0, 0.0])
    drawn = draw_rows(w, np.random.default_rng(0).random(40_000))
    assert set(drawn) == {1, 2}
    assert (drawn == 2).mean() == pytest.approx(0.75, abs=0.01)
    assert draw_rows(w, np.array([np.nextafter(1, 0)]))[0] == 2


@pytest.mark.parametrize("device", ["cpu", CUDA])
@pytest.mark.parametrize(("name", "updates"), [("logistic_sgd", 60), ("mlp", 60), ("cnn", 40)])
def test_the_gpus_way_is_within_its_tolerance(
    digits: Split, name: str, updates: int, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Members stacked, bfloat16 inputs: on the CPU the same code, as far as one goes without the other."""
    X, y, X_test, y_test = images(digits)
    W = (np.random.default_rng(0).random((5, len(X))) < 0.5).astype(float)
    usual = load_model(name, device="cpu", updates=updates, n_classes=10).fit_many(X, y, weights=W)
    if device == "cpu":
        monkeypatch.setattr(nets, "mixed_precision", lambda backend: True)
        monkeypatch.setattr(nets, "members_at_once", lambda *_: 4)
    other = load_model(name, device=device, updates=updates, n_classes=10).fit_many(X, y, weights=W)
    P, Q = usual.predict_proba(X_test), other.predict_proba(X_test)
    apart = abs(P - Q).max(axis=-1)
    assert 1e-5 < apart.mean() < 0.02  # not one path twice
    assert abs((P.argmax(-1) == y_test).mean(axis=1) - (Q.argmax(-1) == y_test).mean(axis=1)).max() <= 0.01
    assert isinstance(other, FittedNetwork)
    assert all(p.dtype == np.float32 for p in other.parameters)


def test_members_that_do_not_fit_together_are_trained_in_halves(digits: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    X, y, X_test, _ = images(digits)
    W = (np.random.default_rng(0).random((6, len(X))) < 0.5).astype(float)
    whole = load_model("mlp", device="cpu", updates=5).fit_many(X, y, weights=W).predict_proba(X_test)
    train, sizes = nets.train, []

    def small_device(settings: NetSettings, batch: Batch, members: np.ndarray, *rest: Any) -> object:
        sizes.append(len(members))
        if len(members) > 2:
            raise torch.OutOfMemoryError
        return train(settings, batch, members, *rest)

    monkeypatch.setattr(nets, "train", small_device)
    halves = load_model("mlp", device="cpu", updates=5).fit_many(X, y, weights=W)
    assert sizes == [6, 3, 1, 2, 3, 1, 2]
    assert halves.fits == 6
    np.testing.assert_allclose(halves.predict_proba(X_test), whole, atol=1e-4)
