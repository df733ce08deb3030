"""Active selection baselines where the right rows are known."""

from __future__ import annotations

import numpy as np

from harness import api
from harness.models import load_model
from tests.tracks.helpers import baseline


def test_typiclust_takes_the_middle_of_each_cluster_without_a_label() -> None:
    """Five tight clouds of 30 rows, one of them labelled: one row from each of the others, and a central one."""
    rng = np.random.default_rng(0)
    cloud = np.repeat(np.arange(5), 30)
    X = (20 * np.eye(5)[cloud] + rng.normal(size=(150, 5))).astype(np.float32)
    model = load_model("logistic", device="cpu", n_classes=5)
    labelled = np.array([0])
    task = api.SelectionActiveTask(5, np.random.default_rng(1), model, X, labelled, np.array([0]), 4, 1)
    chosen = baseline("selection_active", "typiclust")(task)
    assert sorted(cloud[chosen]) == [1, 2, 3, 4]
    for row in chosen:
        others = np.sort(np.linalg.norm(X - X[row], axis=1)[cloud == cloud[row]])[1:21].mean()
        everyone = [
            np.sort(np.linalg.norm(X[cloud == cloud[row]] - x, axis=1))[1:21].mean() for x in X[cloud == cloud[row]]
        ]
        assert others <= min(everyone) * (1 + 1e-6)
