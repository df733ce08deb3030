"""Selection: choose at most k rows; the fixed model is trained on them alone and tested on hidden rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from harness.api import FloatArray, IntArray, SelectionTask
from harness.data import noise
from harness.tracks import checks, leaks, metrics
from harness.tracks.base import Array, Arrays, Reference, Score, Settings, Track, View, texts_of
from harness.tracks.drawing import Parts, draw_parts


class SelectionSettings(Settings):
    """See ``conf/track/selection.yaml``."""

    pool: int = Field(1000, ge=1)
    validation: int = Field(0, ge=0)
    test: int = Field(0, ge=0)
    parts: Parts = "random"
    budget: int = Field(100, ge=1)
    budgets: tuple[int, ...] = ()
    hide_labels: bool = False
    noise: float = Field(0.0, ge=0, lt=1)
    floor_draws: int = Field(10, ge=1, le=100)

    def left_out(self) -> frozenset[str]:
        hidden = {"y", "group"} if self.hide_labels else {"group"}
        return frozenset(hidden if self.validation else hidden | {"X_val", "y_val"})

    @model_validator(mode="after")
    def _within_budget(self) -> Self:
        if self.budget > self.pool:
            raise ValueError(f"budget {self.budget} is more than the pool's {self.pool} rows")
        if any(not 0 < b <= self.budget for b in self.budgets) or list(self.budgets) != sorted(set(self.budgets)):
            raise ValueError(f"budgets must rise from 1 to at most budget {self.budget}, got {list(self.budgets)}")
        return self


@dataclass(frozen=True)
class SelectionKey:
    """What stays hidden: the pool's labels (those trained on and the true ones) and the test set."""

    y_pool: IntArray  # [n] what the fixed model is trained with
    y_clean: IntArray  # [n]
    X_test: FloatArray  # [m, ...]
    y_test: IntArray  # [m]


class Selection(Track[SelectionSettings, SelectionKey]):
    """Macro-F1 on the hidden test set of the fixed model trained on the chosen rows with the pool's labels.

    Where ``budgets`` are pinned, the first b rows of the list are trained on as well for each b: the curve.
    """

    name = "selection"
    track = "selection"
    task = SelectionTask
    metric = "macro_f1"
    transferable = True
    tie_break = "accuracy"
    curve_axes = ("rows chosen", "macro-F1")
    settings_class = SelectionSettings

    def prepare(self, seed: int) -> tuple[View, SelectionKey]:
        s, data = self.settings, self.dataset
        pool, validation, test = self._parts(seed)
        y_clean = data.y[pool]
        y_pool = y_clean
        if s.noise:
            y_pool = noise.uniform_flips(y_clean, s.noise, data.n_classes, self.rng(seed, "noise"))
        arrays: dict[str, Array] = {"X": data.X[pool]}
        if not s.hide_labels:
            arrays["y"] = y_pool
        if s.validation:
            arrays |= {"X_val": data.X[validation], "y_val": data.y[validation]}
        texts = texts_of(data, texts=pool, texts_val=validation)
        view = View(arrays, {"n_classes": data.n_classes, "budget": s.budget}, texts)
        return view, SelectionKey(y_pool, y_clean, data.X[test], data.y[test])

    def _parts(self, seed: int) -> tuple[IntArray, IntArray, IntArray]:
        """Rows of the pool, for validation and tested on."""
        s, data = self.settings, self.dataset
        pool, validation, test = draw_parts(data, s.pool, s.validation, s.test, self.rng(seed, "split"), s.parts)
        return pool, validation, leaks.unrepeated(data, test, pool, validation)

    def read_output(self, arrays: Arrays, view: View) -> Arrays:
        n, budget = len(view.arrays["X"]), int(view.scalars["budget"])
        return {"indices": checks.indices(arrays["indices"], name="indices", n=n, at_most=budget)}

    def score(self, output: Arrays, view: View, key: SelectionKey, seed: int) -> Score:
        return self._train_and_test(output["indices"], key.y_pool, view, key)

    def reference(self, which: Reference, view: View, key: SelectionKey, seed: int) -> Score:
        """``random``: the mean over ``floor_draws`` draws of as many rows as the budget allows (a single draw of 20
        rows moves the floor by several points). ``skyline``: the whole pool with true labels, a level line beside
        the curves of those who choose.
        """
        n = len(view.arrays["X"])
        if which == "skyline":
            every = self._train_and_test(np.arange(n), key.y_clean, view, key, budgets=())
            level = [(b, every.value) for b in (*self.settings.budgets, self.settings.budget)]
            return replace(every, curve=np.array(level, np.float64))
        rng = self.rng(seed, "random reference")
        draws = [rng.permutation(n)[: self.settings.budget] for _ in range(self.settings.floor_draws)]
        scores = [self._train_and_test(chosen, key.y_pool, view, key) for chosen in draws]
        items = {**scores[0].items, "y_pred": np.column_stack([score.items["y_pred"] for score in scores])}
        return Score.mean(scores, float(self.statistic(items, np.ones((1, len(key.y_test))))[0]), items)

    def statistic(self, items: Arrays, weights: FloatArray) -> FloatArray:
        """Macro-F1 of ``y_pred`` [m]; of the floor's ``y_pred`` [m, draws] the mean over its draws."""
        predicted = items["y_pred"].reshape(len(items["y_true"]), -1)
        mean: FloatArray = metrics.macro_f1_curve(items["y_true"], predicted, self.dataset.n_classes, weights).mean(
            axis=1
        )
        return mean

    def suspicious_above(self, skyline: float) -> float:
        """Half-way between the skyline and 1: all rows are no bound.

        With few updates a part of them honestly does better: 30 % of Fashion-MNIST .826, all .824 after 500 updates.
        """
        return (1 + skyline) / 2

    def _train_and_test(
        self, chosen: IntArray, labels: IntArray, view: View, key: SelectionKey, budgets: tuple[int, ...] | None = None
    ) -> Score:
        shorter = [b for b in (self.settings.budgets if budgets is None else budgets) if b < len(chosen)]
        subsets = [chosen[:b] for b in shorter] + [chosen]
        predicted = self.model.fit_many(view.arrays["X"], labels, subsets=subsets).predict(key.X_test)  # [B, m]
        ones, items = np.ones((1, len(key.y_test))), [self._items(p, key) for p in predicted]
        heights = [float(self.statistic(one, ones)[0]) for one in items]
        means, parts = self._beside(predicted[-1], key)
        at = {f"{self.metric}_at_{b}": height for b, height in zip(shorter, heights, strict=False)}
        curve = np.array([(len(s), height) for s, height in zip(subsets, heights, strict=True)], np.float64)
        return Score(heights[-1], items[-1], {**means, "rows": float(len(chosen)), **at, **parts}, curve)

    def _items(self, predicted: IntArray, key: SelectionKey) -> dict[str, Array]:
        """What ``statistic`` takes, of predictions [m]."""
        return {"y_true": key.y_test, "y_pred": predicted}

    def _beside(self, predicted: IntArray, key: SelectionKey) -> tuple[dict[str, float], dict[str, float]]:
        """Secondary metrics of predictions [m]: of all rows, and of each class."""
        y, classes = key.y_test, self.dataset.n_classes
        per_class = metrics.per_class_f1(y, predicted, classes, np.ones((1, len(y))))[0]
        named = zip(self.dataset.class_names, per_class, strict=True)
        parts = {"f1_" + metrics.named(name): float(f1) for name, f1 in named}
        balanced = float(np.nanmean(metrics.recall(y, predicted, classes)))
        return {"accuracy": float(np.mean(predicted == y)), "balanced_accuracy": balanced}, parts
