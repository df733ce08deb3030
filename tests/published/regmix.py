"""RegMix: how well regressions on 512 small language models order 256 others, domain by domain."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.data.base import TRAIN
from harness.data.regmix import Mixtures, Regmix
from harness.tracks.metrics import spearman
from tests.published.baselines import digest, recorded
from tests.published.table import About, Row

_PRINTED = {
    "arxiv": 99.60, "freelaw": 99.71, "pubmed_central": 99.08, "wikipedia_en": 99.45, "dm_mathematics": 97.20, "github": 99.77,
    "stackexchange": 99.73, "gutenberg_pg_19": 99.18, "pile_cc": 98.92, "ubuntu_irc": 96.87, "hackernews": 98.51,
    "pubmed_abstracts": 99.19, "uspto_backgrounds": 99.12,
}  # fmt: skip
ABOUT = About(
    "RegMix, rank correlation at one million parameters",
    "Liu et al., RegMix, ICLR 2025 (arXiv:2407.01492)",
    "regression_fitting/regression.ipynb of sail-sg/regmix at commit b004d3a, read in its output",
    "Spearman correlation times 100 on the 256 test mixtures. LightGBM is no dependency: its predictions with the notebook's settings are"
    " recorded (tests/published/record.py), stopped early on the test mixtures as there, and with all 1,000 trees. HistGradientBoosting is"
    " scikit-learn's kin of it, fitted now: 1,000 trees of 31 leaves, at least 20 rows a leaf, rate 0.01, without early stopping",
    "LightGBM stopped as in the notebook: 0.05, as its version there is not known. The others are other computations: 1.0",
    within=0.05,
    files=tuple(Regmix.files()),
    slow=True,
)


def mixtures() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Shares [512, 17] and losses [512, 13] that RegMix fits on, and those it tests on."""
    data, train = _data()
    return data.X[train].astype(np.float64), data.losses[train], data.X[~train].astype(np.float64), data.losses[~train]


def rows() -> list[Row]:
    data, _ = _data()
    X, losses, X_test, losses_test = mixtures()
    told = recorded("regmix")
    if told["task"] != digest(X, losses, X_test, losses_test):
        raise ValueError(
            "LightGBM's predictions were recorded on other mixtures: python -m tests.published.record regmix"
        )
    found = []
    for i, name in enumerate(data.targets):
        printed, true = _PRINTED[name], losses_test[:, i]
        found += [
            Row(
                f"{name}, LightGBM {told['version']}, stopped on the test mixtures",
                printed,
                _agreement(told["stopped"][i], true),
            ),
            Row(f"{name}, LightGBM {told['version']}, all trees", printed, _agreement(told["whole"][i], true), 1.0),
            Row(f"{name}, HistGradientBoosting", printed, _agreement(_trees(X, losses[:, i], X_test), true), 1.0),
        ]
    return found


def _data() -> tuple[Mixtures, np.ndarray]:
    data = Regmix().load()
    assert isinstance(data, Mixtures)
    return data, data.extras["part"] == TRAIN


def _agreement(predicted: Any, true: np.ndarray) -> float:
    return 100 * float(spearman(np.asarray(predicted), true))


def _trees(X: np.ndarray, losses: np.ndarray, X_test: np.ndarray) -> np.ndarray:
    from sklearn.ensemble import HistGradientBoostingRegressor

    model = HistGradientBoostingRegressor(max_iter=1000, learning_rate=0.01, early_stopping=False, random_state=42)
    predicted: np.ndarray = model.fit(X, losses).predict(X_test)
    return predicted
