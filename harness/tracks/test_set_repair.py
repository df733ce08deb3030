"""Test-set repair: correct at most k labels of a test set so that it measures models as the true labels would."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from harness.api import FloatArray, IntArray, TestSetRepairTask
from harness.data import noise, splits
from harness.errors import NothingToMeasure
from harness.tracks import checks
from harness.tracks.base import Array, Arrays, Reference, Score, Settings, Track, View, texts_of
from harness.tracks.drawing import apart, draw
from harness.tracks.sources import Source, rows_of
from harness.tracks.unseen import FIXED, ModelName, probabilities


class TestSetRepairSettings(Settings):
    """See ``conf/track/test_set_repair.yaml``."""

    __test__ = False  # not a test case, whatever pytest makes of the name

    test: int = Field(600, ge=2)
    test_from: Source = "any"
    models_from: Source = "any"
    noise: float = Field(0.2, gt=0, lt=1)
    budget: int = Field(120, ge=1)
    public_models: tuple[ModelName, ...] = Field((FIXED,), min_length=1)
    public_rows: int = Field(150, ge=1)
    hidden_models: tuple[ModelName, ...] = Field((FIXED, FIXED, FIXED, FIXED), min_length=1)
    hidden_rows: tuple[int, ...] = Field((50, 100, 200, 400), min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.budget > self.test:
            raise ValueError(f"budget {self.budget} is more than the test set's {self.test} rows")
        if len(self.hidden_rows) != len(self.hidden_models):
            raise ValueError(f"{len(self.hidden_models)} hidden models, but {len(self.hidden_rows)} numbers of rows")
        return self


@dataclass(frozen=True)
class TestSetRepairKey:
    """What stays hidden: the true labels and what the measured models predict."""

    y: IntArray  # [n]
    hidden: IntArray  # [h, n]


class TestSetRepair(Track[TestSetRepairSettings, TestSetRepairKey]):
    """``accuracy_error``: mean over hidden models of |accuracy under the repaired labels - under the true labels|.

    Lower is better; 0 is perfect. The models differ in how many rows they were trained on, hence in accuracy, so that
    a shift that suits one of them does not suit the others.
    """

    __test__ = False  # not a test case, whatever pytest makes of the name
    name = "test_set_repair"
    track = "test_set"
    task = TestSetRepairTask
    metric = "accuracy_error"
    tie_break = "repaired_share"
    direction = "min"
    settings_class = TestSetRepairSettings

    def prepare(self, seed: int) -> tuple[View, TestSetRepairKey]:
        s, data = self.settings, self.dataset
        rng = self.rng(seed, "split")
        candidates = rows_of(data, s.test_from)
        (test,) = draw(data, candidates, (s.test,), rng)
        others = apart(data, rows_of(data, s.models_from), test)
        sizes = [s.public_rows] * len(s.public_models) + list(s.hidden_rows)
        trained_on = [others[part] for part in splits.stratified(data.y[others], sizes, rng)]
        X, y = data.X[test], data.y[test]
        proba = probabilities([*s.public_models, *s.hidden_models], self.model, data, trained_on, X)
        public, hidden = np.split(proba, [len(s.public_models)])
        given = noise.uniform_flips(y, s.noise, data.n_classes, self.rng(seed, "noise"))
        key = TestSetRepairKey(y, hidden.argmax(axis=2))
        if self._error(given, key) == 0:
            raise NothingToMeasure(f"On seed {seed} the wrong labels change no measured accuracy.")
        arrays: dict[str, Array] = {"X": X, "y": given, "public_proba": public}
        return View(arrays, {"n_classes": data.n_classes, "budget": s.budget}, texts_of(data, texts=test)), key

    def read_output(self, arrays: Arrays, view: View) -> Arrays:
        n, classes = len(view.arrays["X"]), int(view.scalars["n_classes"])
        rows = checks.indices(arrays["indices"], name="indices", n=n, at_most=self.settings.budget)
        return {
            "indices": rows,
            "labels": checks.labels(arrays["labels"], name="labels", length=len(rows), n_classes=classes),
        }

    def score(self, output: Arrays, view: View, key: TestSetRepairKey, seed: int) -> Score:
        given, rows = view.arrays["y"], output["indices"]
        repaired = given.copy()
        repaired[rows] = output["labels"]
        items = {"excess": excess(repaired, key)}
        value, before = float(self.statistic(items, np.ones((1, len(given))))[0]), self._error(given, key)
        wrong, right = given != key.y, repaired == key.y
        secondary = {
            "error_before": before,
            "reduction": 1 - value / before,
            "repaired_share": float((wrong & right).sum() / max(wrong.sum(), 1)),
            "harmed": float((~wrong & ~right).sum()),
            "labels_wrong_after": float((~right).sum()),
        }
        return Score(value, items, secondary)

    def reference(self, which: Reference, view: View, key: TestSetRepairKey, seed: int) -> Score:
        """``random``: random rows get the public models' label. ``skyline``: wrong labels become true ones.

        Where the budget does not cover all wrong labels, those that most hidden models get right are mended first.
        """
        given, k = view.arrays["y"], self.settings.budget
        order = self.rng(seed, "random reference").permutation(len(given))
        if which == "random":
            labels = view.arrays["public_proba"].mean(axis=0).argmax(axis=1)
        else:
            labels = key.y
            order = order[given[order] != key.y[order]]
            right = (key.hidden == key.y).sum(axis=0)
            order = order[np.argsort(-right[order], kind="stable")]
        rows = order[:k]
        return self.score({"indices": rows, "labels": labels[rows]}, view, key, seed)

    def statistic(self, items: Arrays, weights: FloatArray) -> FloatArray:
        total = weights.sum(axis=1, keepdims=True)
        shift = np.divide(
            weights @ items["excess"].astype(np.float64),
            total,
            where=total > 0,
            out=np.zeros((len(weights), items["excess"].shape[1])),
        )
        value: FloatArray = np.abs(shift).mean(axis=1)
        return value

    def suspicious_above(self, skyline: float) -> float:
        """Never: no error is below 0, which false labels whose effects cancel can reach as honestly repaired ones do."""
        return 0.0

    def _error(self, labels: IntArray, key: TestSetRepairKey) -> float:
        return float(self.statistic({"excess": excess(labels, key)}, np.ones((1, len(labels))))[0])


def excess(labels: IntArray, key: TestSetRepairKey) -> IntArray:
    """[n, h] in -1, 0, 1: a hidden model counts as right under ``labels`` [n], less under the true labels."""
    difference: IntArray = ((key.hidden == labels).astype(np.int64) - (key.hidden == key.y)).T
    return difference
