"""Real data for tests of the fixed models, and scikit-learn as the independent answer."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.api import Texts

Split = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


CUDA = pytest.param("cuda", marks=pytest.mark.gpu)
"""A parameter of tests that have another one for the same code on the CPU."""


@pytest.fixture(autouse=True)
def _gpu_where_there_is_one(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("no CUDA device")


@pytest.fixture(scope="session")
def digits() -> Split:
    """X [600, 64] in 0..1, y, X_test [300, 64], y_test."""
    from sklearn.datasets import load_digits

    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))[:900]
    X, y = (data.data[order] / 16).astype(np.float32), data.target[order].astype(np.int64)
    return X[:600], y[:600], X[600:], y[600:]


@pytest.fixture(scope="session")
def sklearn_proba() -> Callable[..., np.ndarray]:
    """scikit-learn's converged probabilities for one weighted problem, columns of absent classes zero."""

    def proba(X: Any, y: Any, w: Any, X_test: Any, n_classes: int, C: float = 1.0, **settings: Any) -> np.ndarray:
        from sklearn.linear_model import LogisticRegression

        live = np.asarray(w) > 0
        settings = {"tol": 1e-8, "max_iter": 50_000, **settings}
        model = LogisticRegression(C=C, **settings)
        model.fit(X[live].astype(np.float64), y[live], sample_weight=np.asarray(w, float)[live])
        out = np.zeros((len(X_test), n_classes))
        out[:, model.classes_] = model.predict_proba(X_test.astype(np.float64))
        return out

    return proba


@pytest.fixture(scope="session")
def dataperf() -> Path:
    """Folder of the DataPerf debugging tasks; skips where it is not there."""
    root = Path(os.environ.get("HARNESS_DATA_DIR") or Path(__file__).parents[3] / "shared" / "data")
    folder = root / "dataperf_debugging"
    if not folder.is_dir():
        pytest.skip(f"DataPerf's debugging tasks are not in {root} (HARNESS_DATA_DIR)")
    return folder


@pytest.fixture(scope="session")
def films() -> Texts:
    """Sixty film reviews, 200 kB; skips where they are not there."""
    root = Path(os.environ.get("HARNESS_DATA_DIR") or Path(__file__).parents[3] / "shared" / "data")
    path = root / "nltk_text" / "movie_reviews.zip"
    if not path.is_file():
        pytest.skip(f"no film reviews at {path} (HARNESS_DATA_DIR)")
    with zipfile.ZipFile(path) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".txt"))
        return Texts.of(archive.read(name).decode("latin-1") for name in names[:: len(names) // 59][:60])
