"""Distillation: put what many clean rows teach the fixed model into a few rows, which need not be among them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from pydantic import Field

from harness.api import DistillationTask, FloatArray, IntArray
from harness.tracks import metrics
from harness.tracks.base import Arrays, Reference, Score, View
from harness.tracks.training_set import TrainingSet, TrainingSetKey, TrainingSetSettings


class DistillationSettings(TrainingSetSettings):
    """See ``conf/track/distillation.yaml``."""

    raw: int = Field(1000, ge=0)
    test: int = Field(0, ge=0)
    cap: int = Field(10, ge=1)
    imbalance: float | None = Field(None, gt=0, le=1)
    noise: float = Field(0.0, ge=0, lt=1)
    duplicates: float = Field(0.0, ge=0, lt=1)
    floor_draws: int = Field(20, ge=1, le=100)


class Distillation(TrainingSet):
    """Accuracy on hidden rows of the fixed model trained on the few rows handed in, as in training-set creation.

    The task of Wang et al. (*Dataset distillation*, 2018), with hard labels and the model fixed: rows are made or kept, at most
    ``cap``, all values within those of the raw rows. There are no weights: their sum would choose the model's penalty, whose
    share of the objective is what makes ten rows teach less than a thousand. A row handed in twice counts twice, as everywhere.
    """

    name = "distillation"
    task = DistillationTask
    metric = "accuracy"
    tie_break = "macro_f1"
    scorer_version = 1
    settings_class = DistillationSettings
    settings: DistillationSettings

    def reference(self, which: Reference, view: View, key: TrainingSetKey, seed: int) -> Score:
        """``random``: the mean over ``floor_draws`` draws of ``cap`` raw rows, as many of each class as there can be.

        ``skyline``: all clean rows, whatever the cap; rows that are made may honestly do better.
        """
        if which == "skyline":
            return super().reference(which, view, key, seed)
        X, y = view.arrays["X"], view.arrays["y"]
        rng = self.rng(seed, "random reference")
        draws = [balanced(y, self.settings.cap, rng) for _ in range(self.settings.floor_draws)]
        scores = [self._train_and_test(X[rows], y[rows], key) for rows in draws]
        items = {**scores[0].items, "y_pred": np.column_stack([score.items["y_pred"] for score in scores])}
        return Score.mean(scores, float(self.statistic(items, np.ones((1, len(key.y_test))))[0]), items)

    def statistic(self, items: Arrays, weights: FloatArray) -> FloatArray:
        """Accuracy of ``y_pred`` [m]; of the floor's ``y_pred`` [m, draws] the mean over its draws."""
        right = items["y_pred"].reshape(len(items["y_true"]), -1) == items["y_true"][:, None]
        mean: FloatArray = (np.asarray(weights, np.float64) @ right).mean(axis=1) / weights.sum(axis=1)
        return mean

    def _fidelity(
        self, X: FloatArray, y: IntArray, view: View, key: TrainingSetKey, value: float, seed: int
    ) -> dict[str, float]:
        """How many of the rows are made, and the score less the floor: random raw rows at the same budget."""
        raw = {row.tobytes() for row in view.arrays["X"]}
        made = float(sum(row.tobytes() not in raw for row in X))
        return {"gain": value - self.reference("random", view, key, seed).value, "synthetic_rows": made}

    def _train_and_test(self, X: FloatArray, y: IntArray, key: TrainingSetKey) -> Score:
        score = super()._train_and_test(X, y, key)
        predicted, classes = score.items["y_pred"], self.dataset.n_classes
        macro = metrics.macro_f1(key.y_test, predicted, classes, np.ones((1, len(predicted))))[0]
        others = {name: value for name, value in score.metrics.items() if name != "accuracy"}
        return replace(score, metrics={"macro_f1": float(macro), **others})


def balanced(y: IntArray, budget: int, rng: np.random.Generator) -> IntArray:
    """At most ``budget`` random rows of y [n], as many of each class as there can be: classes take turns."""
    order = rng.permutation(len(y))
    turn = np.empty(len(y), np.int64)
    for c in np.unique(y):
        mine = np.flatnonzero(y[order] == c)
        turn[mine] = np.arange(len(mine))
    rows: IntArray = order[np.argsort(turn, kind="stable")][:budget]
    return rows
