"""The debugging net against the published reference scores and against its original, serial training."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.errors import ProtocolError
from harness.models import dataperf_net, load_model
from harness.models.base import counting_fits
from harness.models.dataperf_net import best_threshold, legacy_accuracies, train_as_original, train_fast

Task = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]
TASKS = ["01g317-flipped", "01g317", "04hgtk", "09j2d"]


def load(folder: Path, task: str) -> Task:
    """X [300, 2048], given labels, true labels, X_test [500, 2048], y_test."""
    import pandas as pd

    train = pd.read_parquet(folder / f"{task}_train_0.3_300.parquet")
    test = pd.read_parquet(folder / f"{task}_test_500.parquet")
    truth = pd.read_csv(folder / f"dataset_{task}_train.csv").drop_duplicates("ImageID").set_index("ImageID").hv_label
    return (
        np.stack(list(train.encoding)),
        train.label.to_numpy(),
        truth.loc[train.filename].to_numpy(),
        np.stack(list(test.encoding)),
        test.label.to_numpy(),
    )


def label_vectors(given: np.ndarray, true: np.ndarray, order: np.ndarray) -> np.ndarray:
    place = np.argsort(order)
    return np.where(place <= np.arange(-1, len(given))[:, None], true, given)


@pytest.mark.parametrize("task", TASKS)
def test_reference_curves_are_reproduced(dataperf: Path, task: str) -> None:
    reference = json.loads((dataperf / "reference.json").read_text())[task]
    X, given, true, X_test, y_test = load(dataperf, task)
    orders = {"datascope": np.loadtxt(dataperf / f"{task}_datascope.txt", dtype=int)}
    if task == "01g317-flipped":
        orders["oracle"] = np.argsort(given == true, kind="stable")
    for name, order in orders.items():
        prefix = reference["scores"][name]["curve_prefix"]
        vectors = label_vectors(given, true, order)
        accuracies, correct = legacy_accuracies(X, vectors[[0, *range(1, len(prefix) + 1), -1]], X_test, y_test)
        assert accuracies[0] == reference["accuracy_before"]
        assert accuracies[-1] == reference["accuracy_clean"]
        np.testing.assert_array_equal(accuracies[1:-1], prefix)
        assert int(np.argmax(accuracies[1:-1] >= 0.95 * accuracies[-1])) / 300 == pytest.approx(
            reference["scores"][name]["legacy_score"], abs=5e-5
        )
        np.testing.assert_array_equal(np.round(correct.mean(axis=1), 2), accuracies)


def test_fast_training_gives_the_originals_outputs(dataperf: Path) -> None:
    import torch

    X, given, true, X_test, y_test = load(dataperf, "04hgtk")
    train, test = torch.from_numpy(X), torch.from_numpy(X_test)
    start = dataperf_net.initial_parameters(X.shape[1])
    vectors = label_vectors(given, true, np.random.default_rng(0).permutation(300))[::75]
    _, correct = legacy_accuracies(X, vectors, X_test, y_test)
    for y, right in zip(vectors, correct, strict=True):
        original = train_as_original(start, train, y, test)
        fast = train_fast(start, train, y, test)
        assert max(abs(a - b).max() for a, b in zip(original, fast, strict=True)) < dataperf_net.DOUBT
        threshold = best_threshold(original[0], y)
        np.testing.assert_array_equal(right, (original[1] > threshold) == (y_test == 1))


def test_doubtful_answers_are_trained_as_in_the_original(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    X, X_test = rng.random((80, 20), np.float32), rng.random((30, 20), np.float32)
    Y, y_test = rng.integers(0, 2, (3, 80)), rng.integers(0, 2, 30)
    with counting_fits() as count:
        usual = legacy_accuracies(X, Y[[0, 1, 2, 1]], X_test, y_test)
        load_model("logistic", device="cpu").fit_many(X, labels=Y)
    assert count.fits == 3 + 3
    calls = []
    original = dataperf_net.train_as_original

    def counted(*arguments: Any) -> object:
        calls.append(1)
        return original(*arguments)

    monkeypatch.setattr(dataperf_net, "DOUBT", 1.0)  # everything is in doubt
    monkeypatch.setattr(dataperf_net, "train_as_original", counted)
    np.testing.assert_array_equal(legacy_accuracies(X, Y, X_test, y_test)[1], usual[1][:3])
    assert len(calls) == 3
    assert count.fits == 6  # nobody counts outside


def test_trainings_side_by_side_do_not_disturb_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch's generator is one for all threads: weights drawn in one would change those of another."""
    import torch

    rng = np.random.default_rng(1)
    X, X_test = rng.normal(size=(64, 40)).astype(np.float32), rng.normal(size=(50, 40)).astype(np.float32)
    Y, y_test = rng.integers(0, 2, (40, 64)), rng.integers(0, 2, 50)
    monkeypatch.setattr(dataperf_net, "DOUBT", 1.0)
    draw = torch.nn.Linear.reset_parameters

    def interrupted(self: torch.nn.Linear) -> None:
        time.sleep(0.002)  # as on a busy machine
        draw(self)

    monkeypatch.setattr(torch.nn.Linear, "reset_parameters", interrupted)
    _, together = legacy_accuracies(X, Y, X_test, y_test)
    for y, right in zip(Y, together, strict=True):
        torch.manual_seed(42)
        net = torch.nn.Sequential(torch.nn.Linear(40, 128), torch.nn.Linear(128, 1))
        start = [p.detach() for p in net.parameters()]
        on_train, on_test = train_as_original(start, torch.from_numpy(X), y, torch.from_numpy(X_test))
        np.testing.assert_array_equal(right, (on_test > best_threshold(on_train, y)) == (y_test == 1))


def test_an_uncertain_threshold_is_none() -> None:
    labels = np.array([0, 0, 1, 1])
    certain = dataperf_net._certain_threshold
    assert certain(np.array([0.02, 0.02, 0.98, 0.98]), labels) == pytest.approx(0.1)
    assert certain(np.array([0.02, 0.1 + 1e-6, 0.98, 0.98]), labels) is None


def test_bad_input() -> None:
    X, y = np.ones((4, 3), np.float32), np.array([0, 1, 0, 1])
    with pytest.raises(ProtocolError, match=r"\[B, n\]"):
        legacy_accuracies(X, y, X, y)
    with pytest.raises(ProtocolError, match="y_test"):
        legacy_accuracies(X, y[None], X[:, :2], y)
    with pytest.raises(ProtocolError, match="0 and 1"):
        legacy_accuracies(X, y[None] * 2, X, y)
