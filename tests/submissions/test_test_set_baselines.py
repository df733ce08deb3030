"""Baselines of test-set creation and repair: allowed, reproducible, and doing what their papers say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import entropy

from harness.paths import SUBMISSIONS_DIR
from harness.protocol.compose import load_challenge
from harness.tracks.base import Track, View
from tests.tracks.helpers import baseline, make_task, run

NAMES = [
    (task, path.parent.name)
    for task in ("test_set", "test_set_repair")
    for path in sorted(Path(SUBMISSIONS_DIR / task).glob("*/submission.yaml"))
]


@pytest.fixture(scope="module")
def tracks() -> dict[str, Track[Any, Any]]:
    challenges = {task: load_challenge(f"{task}_digits") for task in ("test_set", "test_set_repair")}
    return {task: c.load_track(c.load_dataset(), "cpu") for task, c in challenges.items()}


def test_all_of_them_are_there() -> None:
    assert {name for task, name in NAMES if task == "test_set"} >= {
        "random", "lowest_margin", "disagreement", "dense_margin"
    }  # fmt: skip
    assert {name for task, name in NAMES if task == "test_set_repair"} >= {"random", "confident_learning"}


@pytest.mark.parametrize(("task", "name"), NAMES)
def test_valid_scored_and_reproducible(task: str, name: str, tracks: Any) -> None:
    track = tracks[task]
    view, key = track.prepare(0)
    first, again = (run(track, view, key, baseline(task, name)) for _ in range(2))
    for array in first:
        assert np.array_equal(first[array], again[array])
    assert 0 <= track.score(first, view, key, 0).value < 1


@pytest.mark.parametrize("name", [name for task, name in NAMES if task == "test_set"])
def test_floors_are_filled_even_for_a_class_that_is_never_predicted(name: str, tracks: Any) -> None:
    track = tracks["test_set"]
    view, key = track.prepare(0)
    proba = view.arrays["public_proba"].copy()
    proba[:, :, 3] *= 1e-3
    shown = View({**view.arrays, "public_proba": proba / proba.sum(axis=2, keepdims=True)}, view.scalars)
    labels = run(track, shown, key, baseline("test_set", name))["labels"]
    assert len(labels) == 40
    assert np.bincount(labels, minlength=10).min() >= 2


def without_floor(view: View) -> View:
    return View(view.arrays, {**view.scalars, "class_floor": 0})


def test_margin_and_disagreement_against_scipy(tracks: Any) -> None:
    track = tracks["test_set"]
    view, _ = track.prepare(0)
    task = make_task(track, without_floor(view))
    rows, labels = baseline("test_set", "lowest_margin")(task)
    mean = task.public_proba.mean(axis=0)
    margin = [row[0] - row[1] for row in np.sort(mean, axis=1)[:, ::-1]]
    assert max(margin[i] for i in rows) <= min(margin[i] for i in set(range(1097)) - set(rows))
    assert list(labels) == [mean[i].argmax() for i in rows]

    rows, labels = baseline("test_set", "disagreement")(task)
    each = task.public_proba.astype(float)
    mean = each.mean(axis=0)
    divergence = np.mean([entropy(proba, mean, axis=1) for proba in each], axis=0)
    assert min(divergence[i] for i in rows) >= max(divergence[i] for i in set(range(1097)) - set(rows)) - 1e-6
    assert list(labels) == [mean[i].argmax() for i in rows]


def test_neighbours_against_a_full_sort(tracks: Any) -> None:
    view, _ = tracks["test_set"].prepare(0)
    X = view.arrays["X"]
    distance, index = baseline("test_set", "dense_margin").__globals__["neighbours"](X, 8)
    full = np.linalg.norm(X[:, None, :].astype(float) - X[None], axis=2)
    np.fill_diagonal(full, np.inf)
    assert np.sort(distance, axis=1) == pytest.approx(np.sort(full, axis=1)[:, :8], abs=1e-3)
    assert all(i not in near for i, near in enumerate(index))


def test_best_baseline_beats_chance(tracks: Any) -> None:
    for task, best in (("test_set", "dense_margin"), ("test_set_repair", "confident_learning")):
        track = tracks[task]
        gaps = []
        for seed in range(4):
            view, key = track.prepare(seed)
            scores = [
                track.score(run(track, view, key, baseline(task, name), seed), view, key, seed).value
                for name in (best, "random")
            ]
            gaps.append((scores[0] - scores[1]) * (1 if track.direction == "max" else -1))
        assert np.mean(gaps) > 3 * np.std(gaps, ddof=1) / 2


def test_confident_learning_changes_wrong_labels(tracks: Any) -> None:
    track = tracks["test_set_repair"]
    view, key = track.prepare(0)
    out = run(track, view, key, baseline("test_set_repair", "confident_learning"))
    given = view.arrays["y"]
    assert (out["labels"] != given[out["indices"]]).all()
    assert np.mean(given[out["indices"]] != key.y[out["indices"]]) > 0.8  # one in five at random


def test_repair_of_labels_that_are_all_right(tracks: Any) -> None:
    """Nothing to doubt: one row is returned, and its label stays."""
    track = tracks["test_set_repair"]
    view, key = track.prepare(0)
    sure = np.eye(10)[key.y][None].astype(np.float32)
    parts = baseline("test_set_repair", "confident_learning")
    parts.__globals__["cross_validate"] = lambda task, folds: sure[0]
    rows, labels = parts(make_task(track, View({**view.arrays, "y": key.y, "public_proba": sure}, view.scalars)))
    assert len(rows) == 1
    assert labels[0] == key.y[rows[0]]
