"""Baselines of training-set creation: allowed, reproducible, and doing what their papers say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.api import TASKS, TrainingSetTask
from harness.data.base import Dataset
from harness.paths import SUBMISSIONS_DIR
from harness.protocol.compose import load_challenge
from harness.tracks.base import View
from harness.tracks.training_set import TrainingSet, TrainingSetKey
from tests.tracks.helpers import baseline, make_task, named, run

NAMES = sorted(path.parent.name for path in Path(SUBMISSIONS_DIR / "training_set").glob("*/submission.yaml"))


@pytest.fixture(scope="module")
def track() -> TrainingSet:
    challenge = load_challenge("training_set_digits")
    found = challenge.load_track(challenge.load_dataset(), "cpu")
    assert isinstance(found, TrainingSet)
    return found


@pytest.fixture(scope="module")
def prepared(track: TrainingSet) -> tuple[View, TrainingSetKey]:
    return track.prepare(0)


def function(name: str, steps: int | None = 5) -> Any:
    """The baseline; a GAN is trained for a few steps only, unless told otherwise."""
    found = baseline("training_set", name)
    if name.startswith("dcgan") and steps is not None:
        found.__globals__["STEPS"] = steps
    return found


def truth(track: TrainingSet, X: Any) -> Any:
    known = {row.tobytes(): label for row, label in zip(track.dataset.X, track.dataset.y, strict=True)}
    return np.array([known[row.tobytes()] for row in X])


def test_all_of_them_are_there() -> None:
    assert set(NAMES) >= {
        "random", "as_given", "deduplicate_balance", "drop_suspects", "relabel_suspects", "augment", "self_train",
        "mixup", "dcgan", "dcgan_balance", "class_ppca",
    }  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_valid_scored_and_reproducible(name: str, track: TrainingSet, prepared: Any) -> None:
    view, key = prepared
    first, again = (run(track, view, key, function(name)) for _ in range(2))
    assert np.array_equal(first["X"], again["X"])
    assert np.array_equal(first["y"], again["y"])
    assert 0.3 < track.score(first, view, key, 0).value < 1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("budget", [30, 120])
def test_a_small_budget_is_kept(name: str, budget: int, track: TrainingSet, prepared: Any) -> None:
    view, _ = prepared
    tight = View(view.arrays, {**view.scalars, "budget": budget})
    X, y = function(name)(make_task(track, tight))
    assert len(X) <= budget
    assert set(y) == set(range(10))


@pytest.mark.parametrize("name", NAMES)
def test_rows_of_any_shape(name: str, track: TrainingSet, prepared: Any) -> None:
    """Pictures, colour pictures of an odd side, and a table that is no picture at all."""
    view, _ = prepared
    flat = view.arrays["X"].reshape(-1, 8, 8)
    table = np.random.default_rng(0).random((300, 16)).astype(np.float32)
    for X in (flat, np.repeat(flat[:, :7, :6, None], 3, axis=3), table):
        arrays = {"X": X, "y": view.arrays["y"]}
        data = Dataset("made", X, np.zeros(300, np.int64), track.dataset.class_names)
        other = TrainingSet(track.settings, data, track.model, "secret")
        shown = View(arrays, {**view.scalars, "low": 0.0, "high": 1.0})
        output = other.read_output(named(TASKS["training_set"], function(name)(make_task(other, shown))), shown)
        assert output["X"].shape[1:] == X.shape[1:]


@pytest.mark.parametrize("name", ["as_given", "random", "drop_suspects", "relabel_suspects", "self_train"])
def test_some_only_choose_and_label(name: str, track: TrainingSet, prepared: Any) -> None:
    view, key = prepared
    raw = {row.tobytes() for row in view.arrays["X"]}
    assert {row.tobytes() for row in run(track, view, key, function(name))["X"]} <= raw


def test_merged_rows_are_distinct_and_classes_even(track: TrainingSet, prepared: Any) -> None:
    view, key = prepared
    task = make_task(track, view)
    X, y = baseline("training_set", "deduplicate_balance").__globals__["deduplicate"](task)
    rows = {row.tobytes() for row in view.arrays["X"]}
    assert {row.tobytes() for row in X} == rows
    assert len(X) == len(rows)
    for row, label in zip(X, y, strict=True):
        given = view.arrays["y"][(view.arrays["X"] == row).all(axis=1)]
        counts = np.bincount(given, minlength=10)
        assert counts[label] == counts.max() or label not in set(y) - {label}
    out = run(track, view, key, function("deduplicate_balance"))
    assert len(set(np.bincount(out["y"]))) == 1


def test_doubted_rows_are_wrong_more_often(track: TrainingSet) -> None:
    before: list[float] = []
    dropped: list[float] = []
    relabelled: list[float] = []
    for seed in range(4):
        view, key = track.prepare(seed)
        before.append(np.mean(truth(track, view.arrays["X"]) != view.arrays["y"]))
        for name, wrong in (("drop_suspects", dropped), ("relabel_suspects", relabelled)):
            out = run(track, view, key, function(name), seed)
            wrong.append(np.mean(truth(track, out["X"]) != out["y"]))
    assert np.mean(dropped) < np.mean(before) - 0.08
    assert np.mean(relabelled) < np.mean(before) - 0.04


def test_suspects_as_the_paper_counts_them() -> None:
    """Thresholds .8 and .55: row 1 reaches class 1's although its own class is likelier than chance."""
    proba = np.array([[0.9, 0.1], [0.4, 0.6], [0.45, 0.55], [0.5, 0.5], [0.65, 0.35]])
    y = np.array([0, 0, 1, 1, 0])
    threshold = [np.mean([0.9, 0.4, 0.65]), np.mean([0.55, 0.5])]
    wanted = []
    for row, label in zip(proba, y, strict=True):
        reached = [c for c in (0, 1) if row[c] >= threshold[c]]
        wanted.append(max(reached, key=lambda c: row[c]) if reached else label)
    for name in ("drop_suspects", "relabel_suspects"):
        suggestion = baseline("training_set", name).__globals__["suggestion"]
        assert list(suggestion(proba, y)) == wanted


def test_mixtures_lie_between_their_parents_and_labels_follow_the_share(track: TrainingSet) -> None:
    """Two rows, one a class: every mixture lies between them and has the second's label as often as its share."""
    raw = np.array([[0, 0], [1, 1]], np.float32)
    shown = View(
        {"X": raw, "y": np.array([0, 1])}, {"n_classes": 2, "budget": 4000, "low": 0.0, "high": 1.0, "updates": 0}
    )
    X, y = baseline("training_set", "mixup")(make_task(track, shown))
    assert len(y) == 4000
    assert (X[:, 0] == X[:, 1]).all()
    between = (X[:, 0] > 0.1) & (X[:, 0] < 0.9)
    assert between.sum() > 500
    for rows in (between & (X[:, 0] < 0.5), between & (X[:, 0] > 0.5)):
        assert y[rows].mean() == pytest.approx(X[rows, 0].mean(), abs=0.06)


def test_pictures_are_told_from_tables(track: TrainingSet) -> None:
    image_shape = baseline("training_set", "augment").__globals__["image_shape"]
    assert image_shape(track.dataset.X) == (8, 8)
    rng = np.random.default_rng(0)
    assert image_shape(track.dataset.X[:, rng.permutation(64)]) is None
    assert image_shape(rng.random((100, 64))) is None
    assert image_shape(rng.random((100, 50))) is None
    assert image_shape(rng.random((10, 5, 7, 3))) == (5, 7)


def test_augmented_digits_are_new_and_still_recognised(track: TrainingSet, prepared: Any) -> None:
    view, key = prepared
    out = run(track, view, key, function("augment"))
    assert len(set(np.bincount(out["y"]))) == 1
    raw = {row.tobytes() for row in view.arrays["X"]}
    assert sum(row.tobytes() not in raw for row in out["X"]) > 100

    distort = baseline("training_set", "augment").__globals__["distort"]
    drawn = distort(key.X_test, np.arange(len(key.y_test)), None, np.random.default_rng(0))
    clean = track.model.fit(key.X_clean, key.y_clean)
    on_drawn = np.mean(clean.predict(drawn) == key.y_test)
    assert on_drawn > 0.7  # a linear model, which never saw a shifted digit


@pytest.mark.slow
def test_gan_draws_digits(track: TrainingSet, prepared: Any) -> None:
    """A model of clean digits recognises what was asked for, where three labels in ten are wrong anyway."""
    import torch

    torch.set_num_threads(1)  # as in the sandbox; many threads on a busy machine are many times slower
    view, key = prepared
    task = make_task(track, view)
    parts = baseline("training_set", "dcgan").__globals__
    X, y = parts["deduplicate"](task)
    wanted = np.repeat(np.arange(10), 30)
    drawn = parts["synthesise"](X, y, wanted, (8, 8), task)
    assert drawn.shape == (300, 64)
    assert np.mean(track.model.fit(key.X_clean, key.y_clean).predict(drawn) == wanted) > 0.3


@pytest.mark.parametrize(("shift", "helps"), [(0, True), (1, False)])
def test_gan_is_dropped_where_held_out_rows_speak_against_it(
    shift: int, helps: bool, track: TrainingSet, prepared: Any
) -> None:
    """In the place of synthetic rows: real ones of the class asked for, or of the next class."""
    view, _ = prepared
    rng = np.random.default_rng(0)

    def real(X: Any, y: Any, wanted: Any, shape: Any, task: Any) -> Any:
        return np.stack(
            [track.dataset.X[rng.choice(np.flatnonzero(track.dataset.y == (c + shift) % 10))] for c in wanted]
        )

    dcgan = function("dcgan")
    dcgan.__globals__["synthesise"] = real
    X, _ = dcgan(make_task(track, view))
    distinct = len(np.unique(view.arrays["X"], axis=0))
    assert len(X) > distinct if helps else len(X) == distinct


def test_drawn_rows_have_the_covariance_of_probabilistic_pca() -> None:
    """That of scikit-learn's PCA, which is Tipping and Bishop's, for as many directions."""
    from sklearn.decomposition import PCA

    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 30)) * np.linspace(3, 0.1, 30)
    parts = baseline("training_set", "class_ppca").__globals__
    drawn = parts["draw"](np.cov(X.T), 200_000, rng)
    theirs = PCA(n_components=parts["DIRECTIONS"]).fit(X).get_covariance()
    np.testing.assert_allclose(np.cov(drawn.T), theirs, atol=0.1)


def test_a_class_of_one_row_has_the_shape_of_the_others() -> None:
    """Its rows lie around it, spread as those of the large class."""
    rng = np.random.default_rng(1)
    large = rng.normal(size=(300, 2)) @ np.array([[0.1, 0.05], [0.0, 0.02]]) + 0.5
    shown = View(
        {"X": np.r_[large, [[0.2, 0.8]]].astype(np.float32), "y": np.r_[np.zeros(300, int), 1]},
        {"n_classes": 2, "budget": 4000, "low": 0.0, "high": 1.0, "updates": 0},
    )
    fields: dict[str, Any] = {**shown.arrays, **shown.scalars, "rng": rng, "model": None, "X_val": None, "y_val": None}
    task = TrainingSetTask(**fields)
    X, y = baseline("training_set", "class_ppca")(task)
    assert np.bincount(y).tolist() == [2000, 2000]
    own = X[y == 1]
    np.testing.assert_allclose(own.mean(axis=0), [0.2, 0.8], atol=0.01)
    pooled = np.cov(large.T, bias=True)
    np.testing.assert_allclose(np.cov(own.T), pooled * 20 / 21, atol=0.001)


def test_scarce_classes_are_better_filled_up_than_left() -> None:
    """Three seeds of `training_set_scarce_digits`: a generator of five lines beats the raw rows."""
    challenge = load_challenge("training_set_scarce_digits")
    scarce = challenge.load_track(challenge.load_dataset(), "cpu")
    for seed in range(3):
        view, key = scarce.prepare(seed)
        raw, made = (
            scarce.score(run(scarce, view, key, baseline("training_set", name), seed), view, key, seed)
            for name in ("as_given", "class_ppca")
        )
        assert made.value > raw.value + 0.01
        assert made.metrics["synthetic_gain"] > 0.01
