"""Weighting: a weight for every training row, or for every source of rows; the fixed model is trained with them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from harness.api import FloatArray, IntArray, WeightingTask
from harness.data import noise
from harness.errors import ProtocolError
from harness.tracks import checks, metrics
from harness.tracks.base import Array, Arrays, Reference, Score, Settings, Track, View, texts_of
from harness.tracks.drawing import Parts, draw_parts

_MOST_SOURCES = 8  # by_source: the oracle trains on every set of sources, 2^8 - 1 of them


class SourceSettings(BaseModel):
    """One source of training rows. See ``conf/track/weighting.yaml``."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    rows: int = Field(ge=1)
    noise: float = Field(0.0, ge=0, lt=1)
    shift: float = Field(0.0, ge=0, le=100)


class WeightingSettings(Settings):
    """See ``conf/track/weighting.yaml``."""

    train: int = Field(300, ge=2)
    validation: int = Field(100, ge=0)
    test: int = Field(0, ge=0)
    parts: Parts = "random"
    noise: float = Field(0.3, ge=0, lt=1)
    human: str | None = None
    sources: tuple[SourceSettings, ...] = ()
    by_source: bool = False

    def left_out(self) -> frozenset[str]:
        clean = set() if self.validation else {"X_val", "y_val"}
        return frozenset(clean if self.sources else clean | {"source"})

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.sources and sum(source.rows for source in self.sources) != self.train:
            raise ValueError(f"the rows of the sources must add up to train, which is {self.train}")
        if self.sources and self.human is not None:
            raise ValueError("human labels are not to be had by source; leave out one of sources and human")
        if self.by_source and not 2 <= len(self.sources) <= _MOST_SOURCES:
            raise ValueError(f"by_source needs 2 to {_MOST_SOURCES} sources, got {len(self.sources)}")
        return self


@dataclass(frozen=True)
class WeightingKey:
    """What stays hidden: which labels are wrong, and the test set."""

    wrong: Array  # [n] bool
    X_test: FloatArray  # [m, ...]
    y_test: IntArray  # [m]


class Weighting(Track[WeightingSettings, WeightingKey]):
    """Macro-F1 on the hidden test set of the fixed model trained with the weights returned, over their mean.

    The weights of all rows add up to n, as equal ones do, so their scale cannot weaken or strengthen the model's
    penalty; only how they differ counts. The floor gives every row the same weight: of all weights that know nothing of the
    rows these are the best, since others leave fewer rows in effect, and they are what everybody has who does nothing.
    """

    name = "weighting"
    track = "weighting"
    task = WeightingTask
    metric = "macro_f1"
    transferable = True
    tie_break = "accuracy"
    settings_class = WeightingSettings

    def rows(self, seed: int) -> IntArray:
        return self._parts(seed)[0]

    def _parts(self, seed: int) -> tuple[IntArray, IntArray, IntArray]:
        s = self.settings
        return draw_parts(self.dataset, s.train, s.validation, s.test, self.rng(seed, "split"), s.parts)

    def prepare(self, seed: int) -> tuple[View, WeightingKey]:
        s, data = self.settings, self.dataset
        train, validation, test = self._parts(seed)
        X, y, source = self._given(train, seed)
        arrays: dict[str, Array] = {"X": X, "y": y}
        if s.sources:
            arrays["source"] = source
        if s.validation:
            arrays |= {"X_val": data.X[validation], "y_val": data.y[validation]}
        scalars = {"n_classes": data.n_classes, "n_sources": max(1, len(s.sources)), "by_source": s.by_source}
        view = View(arrays, scalars, texts_of(data, texts=train, texts_val=validation))
        return view, WeightingKey(y != data.y[train], data.X[test], data.y[test])

    def read_output(self, arrays: Arrays, view: View) -> Arrays:
        length = int(view.scalars["n_sources"]) if self.settings.by_source else len(view.arrays["y"])
        return {"weights": checks.weights(arrays["weights"], name="weights", length=length)}

    def score(self, output: Arrays, view: View, key: WeightingKey, seed: int) -> Score:
        weights = output["weights"]
        if self.settings.by_source:
            weights = weights[view.arrays["source"]]
        weights = to_mean_one(weights)
        predicted = self.model.fit(view.arrays["X"], view.arrays["y"], weights=weights).predict(key.X_test)
        items = {"y_true": key.y_test, "y_pred": predicted}
        secondary = {
            "accuracy": float(np.mean(predicted == key.y_test)),
            "effective_rows": float(weights.sum() ** 2 / (weights**2).sum()),
            "weight_on_wrong_labels": float(weights[key.wrong].sum() / weights.sum()),
            "wrong_label_auroc": metrics.auroc(-weights, key.wrong),
        }
        return Score(float(self.statistic(items, np.ones((1, len(key.y_test))))[0]), items, secondary)

    def reference(self, which: Reference, view: View, key: WeightingKey, seed: int) -> Score:
        """``random``: equal weights. ``skyline``: 1 for rows with right labels, 0 for others (the mask of true labels).

        By source: the set of sources, all of it weighted alike, that does best on the TEST rows.
        """
        n, s = len(key.wrong), self.settings
        if which == "random":
            weights: FloatArray = np.ones(len(s.sources) if s.by_source else n)
        elif s.by_source:
            weights = self._best_sources(view, key)
        else:
            weights = (~key.wrong).astype(np.float64) if not key.wrong.all() else np.ones(n)
        return self.score({"weights": weights}, view, key, seed)

    def statistic(self, items: Arrays, weights: FloatArray) -> FloatArray:
        return metrics.macro_f1(items["y_true"], items["y_pred"], self.dataset.n_classes, weights)

    def suspicious_above(self, skyline: float) -> float:
        """Half-way between the skyline and 1: among rightly labelled rows, too, some serve better than others."""
        return (1 + skyline) / 2

    def _best_sources(self, view: View, key: WeightingKey) -> FloatArray:
        sets = np.array(list(itertools.product((0.0, 1.0), repeat=len(self.settings.sources)))[1:])
        weights = np.stack([to_mean_one(w) for w in sets[:, view.arrays["source"]]])
        predicted = self.model.fit_many(view.arrays["X"], view.arrays["y"], weights=weights).predict(key.X_test)
        ones = np.ones((1, len(key.y_test)))
        f1 = [metrics.macro_f1(key.y_test, p, self.dataset.n_classes, ones)[0] for p in predicted]
        best: FloatArray = sets[int(np.argmax(f1))]
        return best

    def _given(self, train: IntArray, seed: int) -> tuple[FloatArray, IntArray, IntArray]:
        """What participants get of the training rows: features, labels, sources.

        Rows fall to sources at random, whose numbers are shuffled: neither place nor number says which is good. A source
        with a shift moves all its rows by one vector, drawn for it, of so many standard deviations a column on average.
        """
        s, data = self.settings, self.dataset
        X, y = data.X[train], data.y[train]
        rng = self.rng(seed, "noise")
        if s.human is not None:
            return X, self._human(s.human)[train], np.zeros(len(y), np.int64)
        if not s.sources:
            return X, noise.uniform_flips(y, s.noise, data.n_classes, rng), np.zeros(len(y), np.int64)
        number = rng.permutation(len(s.sources))
        source = rng.permutation(np.repeat(number, [one.rows for one in s.sources]))
        X, y, spread = X.copy(), y.copy(), float(data.X.std(axis=0).mean())
        for code, one in zip(number, s.sources, strict=True):
            rows = np.flatnonzero(source == code)
            y[rows] = noise.uniform_flips(y[rows], one.noise, data.n_classes, rng)
            X[rows] += (one.shift * spread * rng.normal(size=X.shape[1:])).astype(np.float32)
        return X, y, source

    def _human(self, column: str) -> IntArray:
        labels = self.dataset.extras.get(column)
        whole = labels is not None and labels.dtype.kind in "iu" and labels.ndim == 1
        if labels is None or not whole or not 0 <= labels.min() <= labels.max() < self.dataset.n_classes:
            raise ProtocolError(
                f"Column {column!r} of {self.dataset.name} does not hold one class a row.",
                "track.human names a column of people's labels; null makes wrong labels at the rate track.noise.",
            )
        return labels.astype(np.int64)


def to_mean_one(weights: FloatArray) -> FloatArray:
    """Weights [n] >= 0, not all zero, over their mean: float64 [n], of mean 1; no sum overflows."""
    scaled = weights / weights.max()
    mean: FloatArray = scaled / scaled.mean()
    return mean
