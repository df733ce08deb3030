"""Slicing: propose groups of test rows on which the fixed model fails; they are matched to the hidden ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from harness.api import Fitted, FloatArray, IntArray, SlicingTask
from harness.errors import NothingToMeasure, ProtocolError, SubmissionError
from harness.models.base import BoolArray
from harness.tracks import checks, metrics, planting
from harness.tracks.base import Arrays, Reference, Score, Settings, Track, View, texts_of
from harness.tracks.drawing import Parts, draw_parts
from harness.tracks.planting import Kind

DECLARED = 0.5
"""Confidence from which a proposal is declared: the mean of its ``top`` highest scores."""


class SlicingSettings(Settings):
    """See ``conf/track/slicing.yaml``."""

    train: int = Field(600, ge=2)
    validation: int = Field(200, ge=1)
    test: int = Field(0, ge=0)
    parts: Parts = "random"
    max_slices: int = Field(5, ge=1, le=100)
    top: int = Field(25, ge=1)
    support: int = Field(50, ge=1)
    planted: tuple[Kind, ...] = ("rare", "noisy", "correlated")
    superclasses: int = Field(5, ge=2)
    kept: float = Field(0.1, ge=0, lt=1)
    flipped: float = Field(0.7, gt=0, le=1)
    empty_every: int = Field(0, ge=0)
    attributes: tuple[str, ...] = ()
    cuts: dict[str, tuple[float, ...]] = Field(default_factory=dict)
    most_groups: int = Field(3, ge=1)

    @model_validator(mode="after")
    def _one_kind_of_slice(self) -> Self:
        if bool(self.planted) == bool(self.attributes):
            raise ValueError("name either planted kinds or attributes, and not both")
        if self.support < self.top:
            raise ValueError(f"support {self.support} is less than the {self.top} rows of a proposal that count")
        if self.empty_every and not self.planted:
            raise ValueError("empty_every needs planted slices: groups by attributes are there on every seed")
        if self.empty_every == 1:
            raise ValueError("empty_every 1 would leave no seed with a slice; ask for 0 or at least 2")
        if len(self.planted) > self.superclasses:
            raise ValueError(f"{len(self.planted)} planted slices need as many superclasses, got {self.superclasses}")
        if unknown := set(self.cuts) - set(self.attributes):
            raise ValueError(f"cuts name {', '.join(sorted(unknown))}, which attributes do not")
        return self


@dataclass(frozen=True)
class SlicingKey:
    """What stays hidden: which test rows belong to which slice, and where the model is wrong."""

    member: BoolArray  # [m, s]; s = 0 on a seed that plants nothing
    wrong: BoolArray  # [m] the fixed model's prediction is wrong
    names: tuple[str, ...]  # [s]


class Slicing(Track[SlicingSettings, SlicingKey]):
    """``precision_at_25``: mean over hidden slices of the precision of the matched proposal's 25 highest-scored rows.

    Proposals and hidden slices are matched one to one so that the sum of average precisions is largest (Hungarian
    method); a hidden slice without a partner counts 0. Equal scores are ordered by a seeded shuffle. With
    ``empty_every``, only proposals whose confidence (mean of their ``top`` highest scores) is at least
    :data:`DECLARED` take part. On a seed that plants nothing the declared share of the proposals is the
    false-discovery rate, and each declared proposal costs 1 / ``max_slices`` of the score: the rate itself could be
    thinned at will with columns that declare nothing.
    """

    name = "slicing"
    track = "slicing"
    task = SlicingTask
    metric = "precision_at_25"
    tie_break = "average_precision"
    scorer_version = 2  # false_discovery_rate is a share of the proposals returned
    curve_axes = ("highest-scored rows per slice", "precision")
    settings_class = SlicingSettings

    def prepare(self, seed: int) -> tuple[View, SlicingKey]:
        """Raises NothingToMeasure where the model fails in no slice, ProtocolError where a slice is too small."""
        s, data = self.settings, self.dataset
        parts = draw_parts(data, s.train, s.validation, s.test, self.rng(seed, "split"), s.parts)
        train, validation, test = parts
        names: Sequence[str]
        if s.planted:
            of_class, plan = self._plant(train, test, seed)
            truth, classes = of_class[data.y], s.superclasses
            rows, labels, member, names = train[plan.kept], plan.labels[plan.kept], plan.member, s.planted
        else:
            truth, classes, rows, labels = data.y, data.n_classes, train, data.y[train]
            member, names = planting.groups(data, test, s.attributes, s.cuts)
        fitted = self.model.fit(data.X[rows], labels)
        proba_val, proba_test = (_probabilities(fitted, data.X[part], classes) for part in (validation, test))
        wrong = proba_test.argmax(axis=1) != truth[test]
        real = planting.failing(wrong, member, s.support)
        if member.shape[1] and not len(real):
            raise NothingToMeasure(
                f"Seed {seed}: in none of {member.shape[1]} groups does the fixed model fail more than elsewhere."
            )
        real = np.sort(real) if s.planted else real[: s.most_groups]
        arrays = {
            "X_val": data.X[validation],
            "y_val": truth[validation],
            "proba_val": proba_val,
            "X_test": data.X[test],
            "proba_test": proba_test,
        }
        texts = texts_of(data, texts=test, texts_val=validation)
        view = View(arrays, {"n_classes": classes, "max_slices": s.max_slices}, texts)
        return view, SlicingKey(np.ascontiguousarray(member[:, real]), wrong, tuple(names[j] for j in real))

    def read_output(self, arrays: Arrays, view: View) -> Arrays:
        m, most = len(view.arrays["X_test"]), int(view.scalars["max_slices"])
        scores = checks.finite(arrays["membership"], name="membership", shape=(m, None))
        if scores.shape[1] > most:
            raise SubmissionError(
                f"membership has {scores.shape[1]} columns, over the {most} slices allowed; column {most} is too many.",
                "Return the slices you are surest of.",
            )
        return {"membership": scores}

    def score(self, output: Arrays, view: View, key: SlicingKey, seed: int) -> Score:
        scores, top = output["membership"], self.settings.top
        m, hidden = key.member.shape
        order = metrics.shuffled_order(scores, self.rng(seed, "ties").permutation(m))  # [m, k], highest first
        declared = np.take_along_axis(scores, order[:top], axis=0).mean(axis=0) >= DECLARED
        usable = np.flatnonzero(declared) if self.settings.empty_every else np.arange(scores.shape[1])
        precision = metrics.average_precisions(key.member, order[:, usable])
        partner = match(precision)  # [s], -1: none
        position, found = np.tile(np.arange(m)[:, None], (1, hidden)), np.zeros((m, hidden), bool)
        curve = np.arange(1, min(4 * top, m) + 1)
        hits = np.zeros((hidden, len(curve)))
        recall = np.zeros(hidden)
        for j in np.flatnonzero(partner >= 0):
            rows = order[:, usable[partner[j]]]
            position[rows, j], found[:, j] = np.arange(m), key.member[:, j]
            hits[j] = np.cumsum(key.member[rows[: len(curve)], j]) / curve
            recall[j] = key.member[rows[: key.member[:, j].sum()], j].mean()
        abstained = 1 - float(declared.sum()) / self.settings.max_slices
        items = {"position": position, "found": found} if hidden else {"abstained": np.full(m, abstained)}
        matched = [precision[partner[j], j] if partner[j] >= 0 else 0.0 for j in range(hidden)]
        gap = planting.error_gaps(key.wrong, key.member)[0]
        nan = float("nan")
        secondary = {
            "average_precision": float(np.mean(matched)) if hidden else nan,
            "recall": float(recall.mean()) if hidden else nan,
            "adjusted_mutual_information": _agreement(key.member, scores) if hidden else nan,
            "error_gap": float(key.wrong[order[:top]].mean() - key.wrong.mean()),
            "hidden_error_gap": float(gap.mean()) if hidden else nan,
            "hidden_slices": float(hidden),
            "declared": float(declared.sum()),
            "false_discovery_rate": nan if hidden else float(declared.mean()),
        }
        return Score(
            float(self.statistic(items, np.ones((1, m)))[0]),
            items,
            secondary,
            np.column_stack([curve, hits.mean(axis=0)]) if hidden else None,
        )

    def reference(self, which: Reference, view: View, key: SlicingKey, seed: int) -> Score:
        """``random``: random scores in every column. ``skyline``: the hidden memberships themselves."""
        if which == "random":
            scores = self.rng(seed, "random reference").random((len(key.wrong), self.settings.max_slices))
        else:
            scores = np.zeros((len(key.wrong), max(1, key.member.shape[1])))
            scores[:, : key.member.shape[1]] = key.member
        return self.score({"membership": scores}, view, key, seed)

    def statistic(self, items: Arrays, weights: FloatArray) -> FloatArray:
        if "abstained" in items:
            rate: FloatArray = weights @ items["abstained"] / weights.sum(axis=1)
            return rate
        top, (m, hidden) = self.settings.top, items["position"].shape
        value = np.zeros(len(weights))
        for j in range(hidden):
            order, reach = np.argsort(items["position"][:, j]), min(8 * top, m)
            while (weights[:, order[:reach]].sum(axis=1) < top).any() and reach < m:
                reach = min(2 * reach, m)  # rows after the ``top``-th count nothing: look no farther than needed
            rows = order[:reach]
            w = np.asarray(weights[:, rows], np.float64)
            counted = np.clip(top - (np.cumsum(w, axis=1) - w), 0, w)  # of each row, until ``top`` are reached
            value += counted @ items["found"][rows, j] / (top * hidden)
        return value

    def _plant(self, train: IntArray, test: IntArray, seed: int) -> tuple[IntArray, planting.Training]:
        """Superclass of each class, and the training rows with the planted slices (none on an empty seed)."""
        s, data, rng = self.settings, self.dataset, self.rng(seed, "slices")
        if s.superclasses > data.n_classes:
            raise ProtocolError(f"{s.superclasses} superclasses cannot be made of {data.n_classes} classes.")
        of_class = planting.superclasses(data.n_classes, s.superclasses, rng)
        X, y, X_test, y_test = data.X[train], data.y[train], data.X[test], data.y[test]
        plan = planting.plant(s.planted, X, y, X_test, y_test, of_class, kept=s.kept, flipped=s.flipped, rng=rng)
        sizes = plan.member.sum(axis=0)
        if sizes.min() < s.support:
            raise ProtocolError(
                f"Seed {seed}: the {s.planted[sizes.argmin()]} slice has {sizes.min()} test rows, {s.support} are needed.",
                "Ask for more test rows or fewer superclasses.",
            )
        if s.empty_every and self.rng(seed // s.empty_every, "empty").integers(s.empty_every) == seed % s.empty_every:
            plan = planting.spread(plan, y, of_class, rng)
        return of_class, plan


def match(precision: FloatArray) -> IntArray:
    """Partner of each hidden slice: precision [k, s] -> [s] int, -1 for none; the one-to-one sum is largest."""
    from scipy.optimize import linear_sum_assignment

    partner = np.full(precision.shape[1], -1, np.int64)
    proposals, slices = linear_sum_assignment(precision, maximize=True)
    partner[slices] = proposals
    return partner


def _probabilities(fitted: Fitted, X: FloatArray, classes: int) -> FloatArray:
    """Probabilities [n, classes] float32: a model that knows more classes than it was asked for loses the others."""
    proba = fitted.predict_proba(X)[:, :classes]
    return np.ascontiguousarray(proba / proba.sum(axis=1, keepdims=True), np.float32)


def _agreement(member: BoolArray, scores: FloatArray) -> float:
    """Adjusted mutual information of hidden slices and proposals; a row below 0.5 everywhere is in no proposal."""
    hidden = np.where(member.any(axis=1), member.argmax(axis=1), -1)
    proposed = np.where(scores.max(axis=1) >= DECLARED, scores.argmax(axis=1), -1)
    return metrics.adjusted_mutual_information(hidden, proposed)
