"""Curriculum: order the rows so that the first few already teach the fixed model (Bengio et al., 2009)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import Field

from harness.api import FloatArray, IntArray, Task
from harness.errors import SubmissionError
from harness.tracks.base import Arrays, Reference, Score, Settings, Track, View


@dataclass(frozen=True)
class CurriculumTask(Task):
    """Order all rows, best to learn from first; return a permutation, int [n]."""

    kind = "curriculum"
    outputs = ("order",)
    function = "order"

    X: FloatArray  # [n, d] float32
    y: IntArray  # [n] int64
    steps: int  # prefixes that are trained on: 1/steps, 2/steps ... of the rows


class CurriculumSettings(Settings):
    """``train``: rows to order; ``steps``: prefixes scored."""

    train: int = Field(100, ge=4)
    steps: int = Field(5, ge=1)


@dataclass(frozen=True)
class CurriculumKey:
    """The hidden test rows."""

    X: FloatArray
    y: IntArray


class Curriculum(Track[CurriculumSettings, CurriculumKey]):
    """Mean test accuracy of the fixed model over the prefixes of the order."""

    name = "curriculum"
    track = "selection"
    task = CurriculumTask
    metric = "mean_accuracy"
    settings_class = CurriculumSettings
    curve_axes = ("rows", "accuracy")

    def prepare(self, seed: int) -> tuple[View, CurriculumKey]:
        rows = self.rng(seed, "split").permutation(len(self.dataset.y))
        train, test = rows[: self.settings.train], rows[self.settings.train :]
        scalars = {"n_classes": self.dataset.n_classes, "steps": self.settings.steps}
        view = View({"X": self.dataset.X[train], "y": self.dataset.y[train]}, scalars)
        return view, CurriculumKey(self.dataset.X[test], self.dataset.y[test])

    def read_output(self, arrays: Arrays, view: View) -> Arrays:
        order, n = np.asarray(arrays["order"]), len(view.arrays["y"])
        if order.dtype.kind not in "iu" or sorted(order.tolist()) != list(range(n)):
            raise SubmissionError(f"order must hold each of 0..{n - 1} once.")
        return {"order": order.astype(np.int64)}

    def score(self, output: Arrays, view: View, key: CurriculumKey, seed: int) -> Score:
        n, steps = len(view.arrays["y"]), self.settings.steps
        sizes = [round(n * (i + 1) / steps) for i in range(steps)]
        subsets = [output["order"][:size] for size in sizes]
        predicted = self.model.fit_many(view.arrays["X"], view.arrays["y"], subsets=subsets).predict(key.X)
        right = (predicted == key.y).T.astype(np.float64)  # [m, steps]
        curve = np.column_stack([sizes, right.mean(axis=0)])
        return Score(float(right.mean()), {"right": right}, {"last_accuracy": float(curve[-1, 1])}, curve)

    def reference(self, which: Reference, view: View, key: CurriculumKey, seed: int) -> Score:
        """``random``: a random order. ``skyline``: rows nearest to their class's mean on the test set first."""
        order = self.rng(seed, "random reference").permutation(len(view.arrays["y"]))
        if which == "skyline":
            means = np.stack([key.X[key.y == c].mean(axis=0) for c in range(self.dataset.n_classes)])
            order = np.argsort(((view.arrays["X"] - means[view.arrays["y"]]) ** 2).sum(axis=1), kind="stable")
        return self.score({"order": order}, view, key, seed)

    def statistic(self, items: Arrays, weights: FloatArray) -> FloatArray:
        per_item = items["right"].mean(axis=1)
        mean: FloatArray = (weights @ per_item) / weights.sum(axis=1)
        return mean

    def suspicious_above(self, skyline: float) -> float:
        """Half-way to 1: the skyline is a good order, no bound."""
        return (1 + skyline) / 2
