"""Valuation of sets: what each unlabelled candidate set would add to the base set's accuracy.

This is what the data valuation task of DataPerf meant (Mazumder et al. 2023, arXiv:2207.10062): the worth of a set is
to be told before it is bought and labelled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from harness.api import FloatArray, IntArray, ValuationSetsTask
from harness.errors import ProtocolError, SubmissionError
from harness.tracks import checks, metrics
from harness.tracks.base import Arrays, Reference, Score, Settings, Track, View
from harness.tracks.drawing import Parts, draw_parts


class ValuationSetsSettings(Settings):
    """See ``conf/track/valuation_sets.yaml``."""

    pool: int = Field(1000, ge=2)
    test: int = Field(0, ge=0)
    parts: Parts = "random"
    base: int = Field(100, ge=2)
    sets: int = Field(30, ge=3)
    smallest: int = Field(10, ge=1)
    largest: int = Field(100, ge=1)
    class_mix: float = Field(0.5, gt=0)

    @model_validator(mode="after")
    def _enough_rows(self) -> Self:
        if self.smallest > self.largest:
            raise ValueError(f"smallest {self.smallest} is more than largest {self.largest}")
        if self.base + self.largest > self.pool:
            raise ValueError(
                f"base {self.base} and a set of {self.largest} rows are more than the pool's {self.pool} rows"
            )
        return self


@dataclass(frozen=True)
class ValuationSetsKey:
    """What stays hidden: what every set really adds on the test set."""

    gains: FloatArray  # [m] accuracy with the set less accuracy without, -1..1
    base_accuracy: float


class ValuationSets(Track[ValuationSetsSettings, ValuationSetsKey]):
    """Mean absolute error of the predicted against the measured accuracy gains of m candidate sets.

    Base and sets each have a class mix of their own, drawn from a symmetric Dirichlet distribution (``class_mix``),
    and are drawn from one pool without replacement; sets may share rows with each other, never with the base. A
    measured gain is that of the fixed model trained on base and set with true labels.
    """

    name = "valuation_sets"
    track = "valuation"
    task = ValuationSetsTask
    metric = "mean_absolute_error"
    tie_break = "spearman"
    direction = "min"
    curve_axes = ("measured gain", "predicted gain")
    settings_class = ValuationSetsSettings

    def prepare(self, seed: int) -> tuple[View, ValuationSetsKey]:
        s, data = self.settings, self.dataset
        pool, _, test = draw_parts(data, s.pool, 0, s.test, self.rng(seed, "split"), s.parts)
        rng = self.rng(seed, "sets")
        base = self._draw(data.y[pool], np.arange(s.pool), s.base, rng)
        if len(np.unique(data.y[pool[base]])) < 2:
            raise ProtocolError(
                f"The base set of seed {seed} has a single class, so nothing can be learned from it.",
                "Raise track.class_mix or track.base.",
            )
        rest = np.setdiff1d(np.arange(s.pool), base)
        sizes = rng.integers(s.smallest, s.largest, size=s.sets, endpoint=True)
        sets = [self._draw(data.y[pool], rest, int(size), rng) for size in sizes]
        subsets = [base] + [np.concatenate([base, rows]) for rows in sets]
        fitted = self.model.fit_many(data.X[pool], data.y[pool], subsets=subsets)
        accuracy = (fitted.predict(data.X[test]) == data.y[test]).mean(axis=1)
        arrays = {
            "X": data.X[pool[base]],
            "y": data.y[pool[base]],
            "X_sets": data.X[pool[np.concatenate(sets)]],
            "set_of": np.repeat(np.arange(s.sets), sizes),
        }
        view = View(arrays, {"n_classes": data.n_classes, "n_sets": s.sets})
        return view, ValuationSetsKey(accuracy[1:] - accuracy[0], float(accuracy[0]))

    def read_output(self, arrays: Arrays, view: View) -> Arrays:
        gains = checks.finite(arrays["gains"], name="gains", shape=(int(view.scalars["n_sets"]),))
        bad = np.flatnonzero(np.abs(gains) > 1)
        if len(bad):
            raise SubmissionError(
                f"gains[{bad[0]}] is {gains[bad[0]]:g}; a gain is a difference of two accuracies and lies in -1..1.",
                "Two points of accuracy are 0.02.",
            )
        return {"gains": gains}

    def score(self, output: Arrays, view: View, key: ValuationSetsKey, seed: int) -> Score:
        items = {"predicted": output["gains"], "measured": key.gains}
        order = np.argsort(key.gains, kind="stable")
        secondary = {
            "spearman": metrics.spearman(output["gains"], key.gains),
            "mean_error": float(np.mean(output["gains"] - key.gains)),
            "mean_measured_gain": float(key.gains.mean()),
            "base_accuracy": key.base_accuracy,
        }
        curve = np.column_stack([key.gains, output["gains"]])[order]
        return Score(float(self.statistic(items, np.ones((1, len(order))))[0]), items, secondary, curve)

    def reference(self, which: Reference, view: View, key: ValuationSetsKey, seed: int) -> Score:
        """``random``: gains anywhere between none and perfect accuracy. ``skyline``: the measured gains (error 0).

        No error is below 0, so nothing is ever beyond the skyline.
        """
        gains = key.gains
        if which == "random":
            gains = self.rng(seed, "random reference").uniform(0, 1 - key.base_accuracy, size=len(gains))
        return self.score({"gains": gains}, view, key, seed)

    def statistic(self, items: Arrays, weights: FloatArray) -> FloatArray:
        error: FloatArray = weights @ np.abs(items["predicted"] - items["measured"]) / weights.sum(axis=1)
        return error

    def _draw(self, y: IntArray, among: IntArray, size: int, rng: np.random.Generator) -> IntArray:
        """``size`` of the rows ``among``, in a class mix of their own, without replacement.

        Where a class has run out, the others fill in. Row keys are exponential with the row's weight as rate
        (Efraimidis and Spirakis 2006), so that the first ``size`` are a weighted sample without replacement.
        """
        mix = rng.dirichlet(np.full(self.dataset.n_classes, self.settings.class_mix))
        count = np.bincount(y[among], minlength=self.dataset.n_classes)
        weight = (np.maximum(mix, 1e-9) / np.maximum(count, 1))[y[among]]
        return among[np.argsort(rng.exponential(size=len(among)) / weight, kind="stable")[:size]]
