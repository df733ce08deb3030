"""Stream baselines against slow computations and on clouds whose new member is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness import api
from harness.models import load_model
from tests.tracks.helpers import baseline


def arrived(seed: int = 0) -> tuple[Any, np.ndarray]:
    """Three clouds with labels; among forty new rows ten of a cloud that no labelled row is in, two of them reported."""
    rng = np.random.default_rng(seed)
    y = np.arange(60) % 3
    X_labelled = (4 * np.eye(3, 5)[y] + rng.normal(scale=0.4, size=(60, 5))).astype(np.float32)
    y_new = np.arange(40) % 3
    new = np.arange(40) >= 30
    middle = np.where(new[:, None], 4 * np.eye(5)[4] + np.eye(3, 5)[y_new], 4 * np.eye(3, 5)[y_new])
    X = (middle + rng.normal(scale=0.4, size=(40, 5))).astype(np.float32)
    model = load_model("logistic", device="cpu", n_classes=3)
    proba = model.fit(X_labelled, y).predict_proba(X)
    failures = np.array([30, 35])
    task = api.FlywheelTask(
        3, np.random.default_rng(1), model, X_labelled, y, X, proba, failures, y_new[failures], 6, 2
    )  # fmt: skip
    return task, new


@pytest.mark.parametrize("name", ["failure_neighbours", "drift_first", "badge", "margin", "typiclust"])
def test_the_new_cloud_is_found(name: str) -> None:
    task, new = arrived()
    chosen = baseline("flywheel", name)(task)
    assert len(set(chosen)) == 6
    assert new[chosen].mean() > new.mean()


def test_failures_come_first_and_then_doubtful_neighbours_of_failures() -> None:
    task, _ = arrived()
    chosen = baseline("flywheel", "failure_neighbours")(task).tolist()
    assert set(chosen[:2]) == {30, 35}
    cost = []
    for i in range(40):
        low, high = np.sort(task.proba[i])[-2:]
        cost.append((high - low) * min(np.linalg.norm(task.X[i] - task.X[f]) for f in (30, 35)))
    expected = [i for i in np.argsort(cost).tolist() if i not in (30, 35)][:4]
    assert chosen[2:] == expected


def test_drift_first_is_farthest_first() -> None:
    task, _ = arrived()
    known, expected = list(task.X_labelled), []
    for _ in range(6):
        far = [min(float(np.linalg.norm(x - k)) for k in known) for x in task.X]
        expected.append(int(np.argmax(far)))
        known.append(task.X[expected[-1]])
    assert baseline("flywheel", "drift_first")(task).tolist() == expected


def test_margin_is_least_where_two_classes_are_closest() -> None:
    task, _ = arrived()
    margins = [float(np.diff(np.sort(p)[-2:])[0]) for p in task.proba]
    assert set(baseline("flywheel", "margin")(task)) == set(np.argsort(margins)[:6])


def test_badge_begins_with_the_longest_gradient() -> None:
    task, _ = arrived()
    size = []
    for x, p in zip(task.X.astype(float), task.proba.astype(float), strict=True):
        p = p.copy()
        p[p.argmax()] -= 1
        size.append(np.linalg.norm(np.outer(p, np.append(x, 1))))
    assert baseline("flywheel", "badge")(task)[0] == int(np.argmax(size))
