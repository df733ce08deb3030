"""DataPerf's vision debugging protocol of 2022, bit for bit (Mazumder et al., 2023, arXiv:2207.10062).

Kept for comparison with published figures. Its faults stay as well: the target follows from the submission's own last
accuracy, and reaching it once, by luck, is enough. The original gives 0.0, the best score, to a list that repeats rows
or stops early; here such lists are refused.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.api import DebuggingTask, FloatArray, IntArray
from harness.data.base import TEST, TRAIN, VALIDATION
from harness.errors import ProtocolError
from harness.models.dataperf_net import legacy_accuracies
from harness.tracks import checks, metrics
from harness.tracks.base import Arrays, Reference, Score, Settings, Track, View
from harness.tracks.debugging import greedy_order

TARGET = 0.95


class DebuggingLegacySettings(Settings):
    """Nothing to set: the data set names the task."""


@dataclass(frozen=True)
class DebuggingLegacyKey:
    """What stays hidden."""

    y_true: IntArray  # [300]
    X_test: FloatArray  # [500, 2048]
    y_test: IntArray  # [500]


class DebuggingLegacy(Track[DebuggingLegacySettings, DebuggingLegacyKey]):
    """j / n with j the first zero-based place in the list after which accuracy is 0.95 of that after the last.

    The model that is scored is :mod:`harness.models.dataperf_net`; every accuracy is rounded to 2 decimals. Lower is
    better. ``task.model`` of the algorithm is the challenge's, not this one.
    """

    name = "debugging_legacy"
    track = "debugging"
    task = DebuggingTask
    metric = "share_inspected"
    score_alone = True
    direction = "min"
    curve_axes = ("rows inspected", "test accuracy")
    settings_class = DebuggingLegacySettings

    def prepare(self, seed: int) -> tuple[View, DebuggingLegacyKey]:
        data = self.dataset
        if not {"part", "given"} <= data.extras.keys() or data.n_classes != 2:
            raise ProtocolError(f"{data.name} is no task of DataPerf's debugging challenge.", "Use dataperf_debugging.")
        train, validation, test = (data.extras["part"] == which for which in (TRAIN, VALIDATION, TEST))
        arrays = {
            "X": data.X[train],
            "y": data.extras["given"][train].astype(np.int64),
            "X_val": data.X[validation],
            "y_val": data.y[validation],
        }
        return View(arrays, {"n_classes": 2}), DebuggingLegacyKey(data.y[train], data.X[test], data.y[test])

    def read_output(self, arrays: Arrays, view: View) -> Arrays:
        n = len(view.arrays["y"])
        return {"indices": checks.indices(arrays["indices"], name="indices", n=n, at_most=n, exactly=True)}

    def score(self, output: Arrays, view: View, key: DebuggingLegacyKey, seed: int) -> Score:
        order, y = output["indices"], view.arrays["y"]
        place = np.argsort(order)
        mended = place <= np.arange(-1, len(y))[:, None]  # [n + 1, n]: before the first fix, after each of them
        accuracies, correct = legacy_accuracies(
            view.arrays["X"], np.where(mended, key.y_true, y), key.X_test, key.y_test
        )
        items = {"correct": correct.T}  # [m, n + 1]
        is_wrong = (y != key.y_true)[order]
        budget = int(is_wrong.sum())
        secondary = {
            "average_precision": metrics.ranking_average_precision(is_wrong, len(order)),
            "precision_at_b": float(is_wrong[:budget].mean()) if budget else float("nan"),
            "accuracy_dirty": float(accuracies[0]),
            "accuracy_clean": float(accuracies[-1]),
        }
        curve = np.column_stack([np.arange(len(accuracies)), accuracies])
        return Score(float(self.statistic(items, np.ones((1, len(key.y_test))))[0]), items, secondary, curve)

    def reference(self, which: Reference, view: View, key: DebuggingLegacyKey, seed: int) -> Score:
        """``random``: a random order. ``skyline``: wrong rows first, those first whose true labels lower the test
        loss of the challenge's model fastest (see :func:`~harness.tracks.debugging.greedy_order`); no true bound.
        """
        n = len(key.y_true)
        order = self.rng(seed, "random reference").permutation(n)
        if which == "skyline":
            wrong = greedy_order(self.model, view.arrays["X"], view.arrays["y"], key.y_true, key.X_test, key.y_test)
            order = np.concatenate([wrong, order[~np.isin(order, wrong)]])
        return self.score({"indices": order}, view, key, seed)

    def statistic(self, items: Arrays, weights: FloatArray) -> FloatArray:
        accuracies = np.round(weights @ items["correct"].astype(np.float64) / weights.sum(axis=1, keepdims=True), 2)
        after = accuracies[:, 1:]
        first: FloatArray = (after >= TARGET * after[:, -1:]).argmax(axis=1) / after.shape[1]
        return first

    def suspicious_above(self, skyline: float) -> float:
        """0, which nothing can beat: the first accuracy by chance within reach of the last beats any oracle here."""
        return 0.0
