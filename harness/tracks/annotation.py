"""Annotation: one label an item from the votes of several annotators; the fixed model is trained on these labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import Field

from harness.api import AnnotationTask, FloatArray, IntArray
from harness.data import workers
from harness.data.base import TRAIN, Dataset
from harness.data.workers import Votes, Workers
from harness.errors import ProtocolError
from harness.models.base import FittedModels
from harness.tracks import checks, metrics
from harness.tracks.base import Array, Arrays, Reference, Score, Settings, Track, View, texts_of
from harness.tracks.drawing import Parts, draw_parts

_LEAST = 1e-15  # a probability below counts as this in a log-loss, or one item could make it infinite


class AnnotationSettings(Settings):
    """See ``conf/track/annotation.yaml``."""

    items: int = Field(600, ge=0)
    gold: int = Field(0, ge=0)
    test: int = Field(0, ge=0)
    parts: Parts = "random"
    features: bool = True
    soft: bool = False
    workers: Workers | None = Workers()
    floor_draws: int = Field(10, ge=1, le=100)

    def left_out(self) -> frozenset[str]:
        return frozenset(() if self.features else ("X",))


@dataclass(frozen=True)
class AnnotationKey:
    """What stays hidden: the rows' features where they are, the truth, and the test set."""

    X: FloatArray  # [n, ...] what the fixed model is trained on
    y: IntArray  # [n] the true labels
    asked: Array  # [n] bool: the truth is known to the harness and was not shown
    X_test: FloatArray  # [m, ...]
    y_test: IntArray  # [m]


class Annotation(Track[AnnotationSettings, AnnotationKey]):
    """Macro-F1 on the hidden test set of the fixed model trained on all items under the labels returned.

    Soft labels are weights: an item stands in the training set once for each class, weighted by its probability. The
    protocol is that of Rodrigues and Pereira (*Deep learning from crowds*, AAAI 2018), with the model fixed.
    """

    name = "annotation"
    track = "annotation"
    task = AnnotationTask
    metric = "macro_f1"
    tie_break = "accuracy"
    settings_class = AnnotationSettings

    def rows(self, seed: int) -> IntArray:
        return self._parts(seed)[0]

    def _parts(self, seed: int) -> tuple[IntArray, IntArray]:
        s, data = self.settings, self.dataset
        items = s.items or (
            int(np.sum(data.extras["part"] == TRAIN)) if s.parts == "official" and "part" in data.extras else 0
        )
        if not items:
            raise ProtocolError(
                f"track.items is 0, all rows for training, and {data.name} is not split by official parts.",
                "Say how many items are to be labelled; the other rows are tested on.",
            )
        rows, _, test = draw_parts(data, items, 0, s.test, self.rng(seed, "split"), s.parts)
        return rows, test

    def prepare(self, seed: int) -> tuple[View, AnnotationKey]:
        s, data = self.settings, self.dataset
        rows, test = self._parts(seed)
        gold = drawn_gold(s.gold, np.arange(len(rows)), self.rng(seed, "gold"))
        votes = drawn_votes(data, rows, s.workers, self.rng(seed, "votes"))
        X, y = data.X[rows], data.y[rows]
        arrays = shown(votes, gold, y) | ({"X": X} if s.features else {})
        texts = texts_of(data, texts=rows) if s.features else {}
        asked = np.ones(len(rows), bool)
        asked[gold] = False
        scalars = {
            "n_classes": data.n_classes,
            "n_items": len(rows),
            "n_annotators": votes.annotators,
            "soft": s.soft,
        }
        return View(arrays, scalars, texts), AnnotationKey(X, y, asked, data.X[test], data.y[test])

    def read_output(self, arrays: Arrays, view: View) -> Arrays:
        n, c = int(view.scalars["n_items"]), int(view.scalars["n_classes"])
        if self.settings.soft:
            return {"labels": checks.distributions(arrays["labels"], name="labels", shape=(n, c))}
        return {"labels": checks.labels(arrays["labels"], name="labels", length=n, n_classes=c)}

    def score(self, output: Arrays, view: View, key: AnnotationKey, seed: int) -> Score:
        labels = output["labels"]
        proba = self._trained(labels, key).predict_proba(key.X_test).astype(np.float64)
        items = {"y_true": key.y_test, "y_pred": proba.argmax(axis=1)}
        secondary = {"accuracy": float(np.mean(items["y_pred"] == key.y_test)), "log_loss": log_loss(proba, key.y_test)}
        if key.asked.any():
            asked, y = labels[key.asked], key.y[key.asked]
            secondary["consensus_accuracy"] = float(agreement(asked, y).mean())
            if labels.ndim == 2:
                secondary["consensus_log_loss"] = log_loss(asked, y)
        return Score(float(self.statistic(items, np.ones((1, len(key.y_test))))[0]), items, secondary)

    def reference(self, which: Reference, view: View, key: AnnotationKey, seed: int) -> Score:
        """``random``: one random vote an item, mean over ``floor_draws`` draws. ``skyline``: the true labels."""
        if which == "skyline":
            return self.score({"labels": key.y}, view, key, seed)
        rng = self.rng(seed, "random reference")
        draws = [one_vote(view, rng) for _ in range(self.settings.floor_draws)]
        scores = [self.score({"labels": labels}, view, key, seed) for labels in draws]
        items = {"y_true": key.y_test, "y_pred": np.column_stack([score.items["y_pred"] for score in scores])}
        return Score.mean(scores, float(self.statistic(items, np.ones((1, len(key.y_test))))[0]), items)

    def statistic(self, items: Arrays, weights: FloatArray) -> FloatArray:
        """Macro-F1 of ``y_pred`` [m]; of the floor's ``y_pred`` [m, draws] the mean over its draws."""
        predicted = items["y_pred"].reshape(len(items["y_true"]), -1)
        mean: FloatArray = metrics.macro_f1_curve(items["y_true"], predicted, self.dataset.n_classes, weights).mean(
            axis=1
        )
        return mean

    def suspicious_above(self, skyline: float) -> float:
        """Half-way between the skyline and 1: labels may honestly suit the fixed model better than the truth does."""
        return (1 + skyline) / 2

    def _trained(self, labels: Array, key: AnnotationKey) -> FittedModels:
        if labels.ndim == 1:
            return self.model.fit(key.X, labels)
        row, label = np.nonzero(labels.astype(np.float32))
        return self.model.fit(key.X[row], label, labels[row, label])


def drawn_votes(data: Dataset, rows: IntArray, simulated: Workers | None, rng: np.random.Generator) -> Votes:
    """The votes on these rows as a participant sees them, simulated or the data's own: order and numbers say nothing."""
    found = workers.kept(data, rows) if simulated is None else simulated.vote(data.y[rows], data.n_classes, rng)
    return found.shuffled(rng)


def drawn_gold(number: int, candidates: IntArray, rng: np.random.Generator) -> IntArray:
    """Items [number] whose truth is shown. Raises ProtocolError for more than there are."""
    if number > len(candidates):
        raise ProtocolError(f"track.gold is {number}, and the truth of {len(candidates)} items is known.")
    return rng.permutation(candidates)[:number]


def shown(votes: Votes, gold: IntArray, y: IntArray) -> dict[str, Array]:
    """The arrays of a view: votes and gold items with their true labels."""
    return {"item": votes.item, "annotator": votes.annotator, "label": votes.label, "gold": gold, "y_gold": y[gold]}


def one_vote(view: View, rng: np.random.Generator) -> IntArray:
    """A vote an item drawn at random, a random class where there is none: [n_items]."""
    item = view.arrays["item"]
    labels = rng.integers(int(view.scalars["n_classes"]), size=int(view.scalars["n_items"]))
    order = rng.permutation(len(item))
    labels[item[order]] = view.arrays["label"][order]  # of several the last one stays, which is any with equal chances
    return labels


def agreement(labels: Array, y: IntArray) -> FloatArray:
    """How right each label is, [n] in 0..1: labels [n], or probabilities [n, C] whose k largest equal ones count 1/k each."""
    if labels.ndim == 1:
        right: FloatArray = (labels == y).astype(np.float64)
        return right
    top = labels == labels.max(axis=1, keepdims=True)
    share: FloatArray = top[np.arange(len(y)), y] / top.sum(axis=1)
    return share


def log_loss(proba: FloatArray, y: IntArray) -> float:
    """Mean of -log of the true class's probability: proba [n, C], y [n]."""
    return float(-np.log(np.maximum(proba[np.arange(len(y)), y], _LEAST)).mean())
