"""The flywheel: a stream in time with a slice that grows; buy labels now, be measured on what comes next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from harness.api import FloatArray, FlywheelTask, IntArray
from harness.errors import ProtocolError, Status, SubmissionError
from harness.models.base import BoolArray
from harness.tracks import checks, metrics, planting
from harness.tracks.base import Arrays, Dialogue, Reference, Score, Settings, Track, View
from harness.tracks.drawing import draw

VOTERS = 3


class FlywheelSettings(Settings):
    """See ``conf/track/flywheel.yaml``."""

    labelled: int = Field(200, ge=1)
    period: int = Field(250, ge=2)
    shares: tuple[float, ...] = Field((0.02, 0.04, 0.08, 0.14, 0.22, 0.32, 0.42), min_length=3)
    budget: int = Field(10, ge=1)
    reports: int = Field(5, ge=0)
    slips: float = Field(0.1, ge=0, lt=1)

    @property
    def rounds(self) -> int:
        """Calls: one for every period between the labelled rows and the last, which is only tested on."""
        return len(self.shares) - 2

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not all(0 <= share < 1 for share in self.shares):
            raise ValueError(f"shares of the slice must be 0 or more and below 1, got {list(self.shares)}")
        if self.budget > self.period:
            raise ValueError(f"budget {self.budget} is more than the {self.period} rows of a period")
        empty = [i for i, share in enumerate(self.shares) if i > 1 and not round(share * self.period)]
        if empty:
            raise ValueError(
                f"period {empty[0]} is tested on and has no row of the slice: share {self.shares[empty[0]]}"
            )
        return self


@dataclass(frozen=True)
class FlywheelKey:
    """What stays hidden of P = rounds + 1 periods, the first of them the one that is shown first."""

    X: FloatArray  # [P, n, ...]
    y: IntArray  # [P, n]
    rare: BoolArray  # [P, n] rows of the slice
    voted: IntArray  # [P, n] label of at least two of three voters, -1 where all disagree
    luck: FloatArray  # [P, n] failures with the smallest numbers are the ones that are reported


class Flywheel(Track[FlywheelSettings, FlywheelKey]):
    """``next_period``: mean over rounds of the mean of macro-F1 and the accuracy on the worse slice, one period later.

    After the purchases of a period the fixed model is trained from scratch on all labelled rows and tested on every row
    of the NEXT period, which nobody has seen. Rows of the slice are transposed pictures; there are more of them every
    period. Macro-F1 alone would hardly notice them while they are few, and the worse slice alone would pay for
    forgetting all other rows: so both, in equal parts. Worse is the lower accuracy of the two, so that whoever buys the
    slice alone is measured on the rest. Failures are shown, not given: a row is trained on when it is bought, so it never
    pays to have a model that fails. A whole output is ``indices`` [rounds, budget], each within its period.

    The loop of Kiela et al., Dynabench, NAACL 2021, in which failures of a model are what is labelled next; the score is
    prequential (Gama, Sebastiao and Rodrigues, On evaluating stream learning algorithms, Machine Learning 2013).
    """

    name = "flywheel"
    track = "selection"
    task = FlywheelTask
    metric = "next_period"
    tie_break = "worst_slice_accuracy"
    curve_axes = ("labels bought", "score of the next period")
    settings_class = FlywheelSettings
    rounds = True

    def prepare(self, seed: int) -> tuple[View, FlywheelKey]:
        s, data = self.settings, self.dataset
        periods = len(s.shares) - 1
        if s.labelled + periods * s.period > len(data.y):
            raise ProtocolError(
                f"{s.labelled} labelled rows and {periods} periods of {s.period} are more than the {len(data.y)} rows of "
                f"{data.name}."
            )
        sizes = (s.labelled, *[s.period] * periods)
        parts = draw(data, np.arange(len(data.y)), sizes, self.rng(seed, "split"))
        rng = self.rng(seed, "stream")
        arrived = [_arrive(data.X[part], share, rng) for part, share in zip(parts, s.shares, strict=True)]
        y = np.stack([data.y[part] for part in parts[1:]])
        slips = rng.random((*y.shape, VOTERS)) < s.slips
        votes = (y[..., None] + slips * rng.integers(1, data.n_classes, slips.shape)) % data.n_classes
        X, rare = np.stack([rows for rows, _ in arrived[1:]]), np.stack([which for _, which in arrived[1:]])
        key = FlywheelKey(X, y, rare, _majority(votes), rng.random(y.shape))
        X_labelled, y_labelled = arrived[0][0], data.y[parts[0]]
        arrays = {"X_labelled": X_labelled, "y_labelled": y_labelled, **self.shown(0, X_labelled, y_labelled, key)}
        return View(arrays, {"n_classes": data.n_classes, "budget": s.budget, "rounds": s.rounds}), key

    def shown(self, period: int, X: FloatArray, y: IntArray, key: FlywheelKey) -> dict[str, FloatArray | IntArray]:
        """What arrives in a period, and what the model trained on X [m, ...], y [m] does with it."""
        proba = self.model.fit(X, y).predict_proba(key.X[period])
        voted = key.voted[period]
        failed = np.flatnonzero((voted >= 0) & (voted != proba.argmax(axis=1)))
        failures = failed[np.argsort(key.luck[period][failed])][: self.settings.reports]
        return {
            "X": key.X[period],
            "proba": np.ascontiguousarray(proba, np.float32),
            "failures": failures,
            "y_failures": voted[failures],
        }

    def dialogue(self, view: View, key: FlywheelKey, seed: int) -> FlywheelDialogue:
        return FlywheelDialogue(self, view, key)

    def read_output(self, arrays: Arrays, view: View) -> Arrays:
        """``indices`` [rounds, budget] of a whole cell, validated period by period."""
        rounds, budget = int(view.scalars["rounds"]), int(view.scalars["budget"])
        history = arrays["indices"]
        if history.shape != (rounds, budget):
            raise SubmissionError(
                f"indices has shape {list(history.shape)}; {rounds} rounds of {budget} rows are asked for."
            )
        return {"indices": np.stack([_query(chosen, round, view) for round, chosen in enumerate(history)])}

    def score(self, output: Arrays, view: View, key: FlywheelKey, seed: int) -> Score:
        score, bought = self._score(list(output["indices"]), view, key), output["indices"]
        rare = np.take_along_axis(key.rare[:-1], bought, axis=1)
        return Score(score.value, score.items, {**score.metrics, "bought_of_slice": float(rare.mean())}, score.curve)

    def reference(self, which: Reference, view: View, key: FlywheelKey, seed: int) -> Score:
        """``random``: random rows of every period. ``skyline``: all rows of every period so far are labelled."""
        rounds, n = self.settings.rounds, self.settings.period
        if which == "skyline":
            return self._score([np.arange(n)] * rounds, view, key)
        rng = self.rng(seed, "random reference")
        return self.score(
            {"indices": np.stack([rng.permutation(n)[: self.settings.budget] for _ in range(rounds)])}, view, key, seed
        )

    def statistic(self, items: Arrays, weights: FloatArray) -> FloatArray:
        f1, worst = self._heights(items, weights)
        mean: FloatArray = np.nanmean(f1 + worst, axis=1) / 2
        return mean

    def suspicious_above(self, skyline: float) -> float:
        """Half-way between the skyline and 1: all labels are no bound, since who buys more of the slice may do better on it."""
        return (1 + skyline) / 2

    def _score(self, chosen: list[IntArray], view: View, key: FlywheelKey) -> Score:
        """chosen: the rows bought in each period."""
        n, first = self.settings.period, len(view.arrays["y_labelled"])
        rounds = len(chosen)
        X = np.concatenate([view.arrays["X_labelled"], *key.X[:-1]])
        y = np.concatenate([view.arrays["y_labelled"], *key.y[:-1]])
        bought = [first + round * n + rows for round, rows in enumerate(chosen)]
        subsets = [np.concatenate([np.arange(first), *bought[: round + 1]]) for round in range(rounds)]
        predicted = self.model.fit_many(X, y, subsets=subsets).predict(np.concatenate(list(key.X[1:])))  # [R, R * n]
        at = np.repeat(np.arange(rounds), n)
        items = {
            "y_true": key.y[1:].ravel(),
            "y_pred": predicted[at, np.arange(len(at))],
            "period": at,
            "rare": key.rare[1:].ravel(),
        }
        ones = np.ones((1, len(at)))
        f1, worst = (found[0] for found in self._heights(items, ones))
        right = items["y_true"] == items["y_pred"]
        secondary = {
            "macro_f1": float(f1.mean()),
            "worst_slice_accuracy": float(worst.mean()),
            "slice_accuracy_last": float(right[items["rare"] & (at == rounds - 1)].mean()),
            "macro_f1_last": float(f1[-1]),
        }
        labels = np.cumsum([len(rows) for rows in chosen])
        curve = np.column_stack([labels, (f1 + worst) / 2])
        return Score(float(self.statistic(items, ones)[0]), items, secondary, curve)

    def _heights(self, items: Arrays, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Macro-F1 and accuracy on the worse slice of every tested period: weights [r, m] -> [r, periods] twice."""
        weights = np.asarray(weights, np.float64)
        f1, worst = [], []
        for period in np.unique(items["period"]):
            rows = np.flatnonzero(items["period"] == period)
            y_true, y_pred, rare = (items[name][rows] for name in ("y_true", "y_pred", "rare"))
            part, right = weights[:, rows], y_true == y_pred
            f1.append(metrics.macro_f1(y_true, y_pred, self.dataset.n_classes, part))
            slices = np.stack([rare, ~rare], axis=1)  # [n, 2]
            mass = part @ slices
            hit = part @ (slices & right[:, None])
            worst.append(np.divide(hit, mass, out=np.ones_like(mass), where=mass > 0).min(axis=1))
        return np.stack(f1, axis=1), np.stack(worst, axis=1)


class FlywheelDialogue(Dialogue):
    """Brings one period after another; tells the labels of rows bought and of confirmed failures, and no others."""

    def __init__(self, track: Flywheel, view: View, key: FlywheelKey) -> None:
        self._track, self._view, self._key = track, view, key
        self._X, self._y = view.arrays["X_labelled"], view.arrays["y_labelled"]
        self._history: list[IntArray] = []

    def reply(self, round: int, arrays: Arrays) -> Arrays | None:
        """``indices`` [budget] of a period -> the next one, with the rows bought among the labelled; None after the last."""
        rounds, now = int(self._view.scalars["rounds"]), len(self._history)
        if now == rounds:
            raise SubmissionError(f"All {rounds} rounds are over; no more labels are sold.")
        chosen = _query(arrays["indices"], now, self._view)
        self._history.append(chosen)
        if len(self._history) == rounds:
            return None
        self._X = np.concatenate([self._X, self._key.X[now][chosen]])
        self._y = np.concatenate([self._y, self._key.y[now][chosen]])
        shown = self._track.shown(now + 1, self._X, self._y, self._key)
        return {"X_labelled": self._X, "y_labelled": self._y, **shown}

    def output(self) -> Arrays:
        """``indices`` [rounds, budget] int64."""
        rounds = int(self._view.scalars["rounds"])
        if len(self._history) < rounds:
            raise SubmissionError(
                f"The algorithm ended after {len(self._history)} of {rounds} rounds.", status=Status.NO_OUTPUT
            )
        return {"indices": np.stack(self._history)}


def _query(array: np.ndarray, round: int, view: View) -> IntArray:
    """One period's rows, unique, as int64 [budget]."""
    n, budget = len(view.arrays["X"]), int(view.scalars["budget"])
    return checks.indices(array, name=f"indices of round {round}", n=n, at_most=budget, exactly=True)


def _arrive(X: FloatArray, share: float, rng: np.random.Generator) -> tuple[FloatArray, BoolArray]:
    """A period's rows, a share of them transposed, and which: X [n, ...] -> the same, [n]."""
    rare = np.zeros(len(X), bool)
    rare[rng.permutation(len(X))[: round(share * len(X))]] = True
    X = X.copy()
    X[rare] = planting.transposed(X[rare])
    return X, rare


def _majority(votes: IntArray) -> IntArray:
    """The label that at least two of three gave, -1 where all differ: votes [..., 3] -> [...]."""
    a, b, c = np.moveaxis(votes, -1, 0)
    found: IntArray = np.where((a == b) | (a == c), a, np.where(b == c, b, -1))
    return found
