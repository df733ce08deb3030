"""Debugging with correction: name the wrong labels and say the right ones; nobody else mends them."""

from __future__ import annotations

from dataclasses import replace
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from harness.api import DebuggingCorrectTask, FloatArray, IntArray, Model
from harness.tracks import checks, metrics
from harness.tracks.base import Arrays, Reference, Score, View
from harness.tracks.debugging import Debugging, DebuggingKey, DebuggingSettings, greedy_order, right_after

FOLDS = 5  # of the floor's cross-validation


class DebuggingCorrectSettings(DebuggingSettings):
    """See ``conf/track/debugging_correct.yaml``."""

    budget: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _within_the_rows(self) -> Self:
        if self.budget > self.train:
            raise ValueError(f"budget {self.budget} is more than the {self.train} training rows")
        return self


class DebuggingCorrect(Debugging):
    """``recovery``: mean over i = 1..budget of (acc_i - acc_dirty) / (acc_clean - acc_dirty).

    acc_i is the test accuracy of the fixed model after the first i listed rows got the labels that the SUBMISSION gave
    them. The endpoints come from the key, as in :class:`Debugging`; what is left out keeps its given label, and after
    the end of a list the accuracy stays. A label changed for the worse therefore costs, and a score below 0 is one
    that would better have changed nothing. The budget, known to the algorithm, is the number of wrong labels unless
    one is pinned.
    """

    name = "debugging_correct"
    task = DebuggingCorrectTask
    tie_break = "repaired_share"
    scorer_version = 1
    curve_axes = ("rows relabelled", "test accuracy")
    settings_class = DebuggingCorrectSettings
    settings: DebuggingCorrectSettings

    def prepare(self, seed: int) -> tuple[View, DebuggingKey]:
        view, key = super().prepare(seed)
        budget = self.settings.budget or int(np.sum(view.arrays["y"] != key.y_true))
        return replace(view, scalars={**view.scalars, "budget": budget}), key

    def read_output(self, arrays: Arrays, view: View) -> Arrays:
        n, budget, classes = len(view.arrays["y"]), int(view.scalars["budget"]), int(view.scalars["n_classes"])
        rows = checks.indices(arrays["indices"], name="indices", n=n, at_most=budget)
        return {
            "indices": rows,
            "labels": checks.labels(arrays["labels"], name="labels", length=len(rows), n_classes=classes),
        }

    def score(self, output: Arrays, view: View, key: DebuggingKey, seed: int) -> Score:
        rows, labels, given = output["indices"], output["labels"], view.arrays["y"]
        budget, step = int(view.scalars["budget"]), self.settings.step
        stops = np.arange(step, max(budget, step) + 1, step)
        counts, times = np.unique(np.minimum(stops, len(rows)), return_counts=True)  # an ended list stays as it is
        mended = np.tile(given, (len(counts), 1))
        for row, count in zip(mended, counts, strict=True):
            row[rows[:count]] = labels[:count]
        right = right_after(self.model, view.arrays["X"], mended, key.X_test, key.y_test)  # [stops, m]
        items = {"fixed": times @ right.astype(np.float64) / times.sum(), "dirty": key.dirty, "clean": key.clean}
        heights = np.repeat(right.mean(axis=1), times)
        value = float(self.statistic(items, np.ones((1, len(key.y_test))))[0])
        secondary = _detected(rows, labels, given, key.y_true) | {
            "accuracy_dirty": float(key.dirty.mean()),
            "accuracy_final": float(heights[-1]),
            "accuracy_clean": float(key.clean.mean()),
        }
        curve = np.column_stack([np.r_[0, stops], np.r_[key.dirty.mean(), heights]])
        return Score(value, items, secondary, curve)

    def reference(self, which: Reference, view: View, key: DebuggingKey, seed: int) -> Score:
        """``random``: random rows get what the fixed model says, trained on the other folds of five.

        ``skyline``: true labels, for the wrong rows alone, by :func:`greedy_order`.
        """
        X, y, budget = view.arrays["X"], view.arrays["y"], int(view.scalars["budget"])
        if which == "random":
            rng = self.rng(seed, "random reference")
            order, labels = rng.permutation(len(y)), _out_of_fold(self.model, X, y, rng)
        else:
            exact = self.settings.skyline == "exact"
            order = greedy_order(self.model, X, y, key.y_true, key.X_test, key.y_test, exact=exact)
            labels = key.y_true
        rows = order[:budget]
        return self.score({"indices": rows, "labels": labels[rows]}, view, key, seed)


def _detected(rows: IntArray, labels: IntArray, given: IntArray, true: IntArray) -> dict[str, float]:
    """What was changed and how rightly: rows, labels [k]; given, true [n]."""
    wrong, changed = given != true, labels != given[rows]
    right = labels == true[rows]
    rest = np.setdiff1d(np.arange(len(given)), rows)
    return {
        "repaired_share": float((wrong[rows] & right).sum() / max(wrong.sum(), 1)),
        "corrections": float(changed.sum()),
        "corrections_right": float(right[changed].mean()) if changed.any() else float("nan"),
        "harmed": float((~wrong[rows] & ~right).sum()),
        "average_precision": metrics.ranking_average_precision(np.r_[wrong[rows], wrong[rest]], len(rows)),
        "wrong_labels": float(wrong.sum()),
    }


def _out_of_fold(model: Model, X: FloatArray, y: IntArray, rng: np.random.Generator) -> IntArray:
    """Classes [n] that the fixed model gives rows of X [n, ...] it was not trained on."""
    fold = rng.permutation(len(y)) % FOLDS
    fitted = model.fit_many(X, y, subsets=[np.flatnonzero(fold != f) for f in range(FOLDS)])
    predicted: IntArray = fitted.predict(X)[fold, np.arange(len(y))]
    return predicted
