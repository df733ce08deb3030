"""Speed of the engine's parts, for pytest-benchmark: ``pytest tests/benchmarks --benchmark-only``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.models import load_model
from harness.models.coalitions import Banzhaf
from harness.models.dataperf_net import legacy_accuracies
from harness.models.knn import knn_shapley
from tests.benchmarks.compare import digits


@pytest.mark.parametrize("share", [0.9, 0.3, 0.1])
def test_logistic_256_coalitions(benchmark: Any, share: float) -> None:
    X, y, _, _ = digits()
    W = (np.random.default_rng(0).random((256, len(X))) < share).astype(np.float32)
    f = benchmark(lambda: load_model("logistic", device="cpu").fit_many(X, y, weights=W))
    assert f.fits == 256


def test_logistic_one_fit(benchmark: Any) -> None:
    X, y, X_test, y_test = digits()
    f = benchmark(lambda: load_model("logistic", device="cpu").fit(X, y))
    assert (f.predict(X_test) == y_test).mean() > 0.9


@pytest.mark.gpu
def test_logistic_4096_coalitions_on_cuda(benchmark: Any) -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    X, y, _, _ = digits()
    W = (np.random.default_rng(0).random((4096, len(X))) < 0.7).astype(np.float32)
    f = benchmark(lambda: load_model("logistic", device="cuda").fit_many(X, y, weights=W))
    assert f.fits == 4096


def test_mlp_16_members(benchmark: Any) -> None:
    X, y, _, _ = digits()
    W = (np.random.default_rng(0).random((16, len(X))) < 0.5).astype(np.float32)
    f = benchmark(lambda: load_model("mlp", device="cpu", updates=50).fit_many(X, y, weights=W))
    assert f.fits == 16


def test_debugging_net_4_label_vectors(benchmark: Any) -> None:
    rng = np.random.default_rng(0)
    X, X_test = rng.random((300, 2048), np.float32), rng.random((500, 2048), np.float32)
    Y, y_test = rng.integers(0, 2, (4, 300)), rng.integers(0, 2, 500)
    accuracies, _ = benchmark(lambda: legacy_accuracies(X, Y, X_test, y_test))
    assert accuracies.shape == (4,)


def test_knn_shapley_1000_by_300(benchmark: Any) -> None:
    X, y, X_val, y_val = digits()
    assert benchmark(lambda: knn_shapley(X, y, X_val, y_val)).shape == (1000,)


def test_banzhaf_bookkeeping_256_coalitions(benchmark: Any) -> None:
    rng = np.random.default_rng(0)
    masks, u = rng.random((256, 1000)) < 0.5, rng.random(256)
    benchmark(lambda: Banzhaf(1000).add(masks, u))
