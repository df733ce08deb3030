"""Debugging: rank rows whose labels look wrong; accuracy is measured as the ranking is worked through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from harness.api import DebuggingTask, FloatArray, IntArray, Model, Task
from harness.data import noise
from harness.errors import NothingToMeasure, ProtocolError
from harness.tracks import checks, metrics
from harness.tracks.base import Array, Arrays, Reference, Score, Settings, Track, View, texts_of
from harness.tracks.drawing import Parts, draw_parts

TARGET = 0.95  # fixes_to_target: share of the clean accuracy to be reached
_EXACT_ROUNDS, _GRADIENT_ROUNDS = 30, 18  # of the greedy oracle: every 3 or 5 rows where 90 are wrong
_BLOCK = 20_000_000  # probabilities held at once while testing


class DebuggingSettings(Settings):
    """See ``conf/track/debugging.yaml``."""

    train: int = Field(300, ge=2)
    validation: int = Field(100, ge=0)
    test: int = Field(0, ge=0)
    parts: Parts = "random"
    noise: float = Field(0.3, gt=0, lt=1)
    noise_kind: str = "uniform"
    noise_like: str | None = None
    step: int = Field(1, ge=1)
    skyline: Literal["exact", "gradient"] = "exact"

    def left_out(self) -> frozenset[str]:
        return frozenset(() if self.validation else ("X_val", "y_val"))


@dataclass(frozen=True)
class DebuggingKey:
    """What stays hidden: the true labels, the test set, and how the fixed model does on it before and after."""

    y_true: IntArray  # [n]
    X_test: FloatArray  # [m, d]
    y_test: IntArray  # [m]
    dirty: Array  # [m] bool: right when trained on the given labels
    clean: Array  # [m] bool: right when trained on the true labels


class Debugging(Track[DebuggingSettings, DebuggingKey]):
    """``recovery``: mean over i = 1..B of (acc_i - acc_dirty) / (acc_clean - acc_dirty).

    acc_i is the test accuracy of the fixed model after the first i listed rows got their true labels, B the number
    of wrong labels (Karlas et al., 2022, as DataPerf's debugging task, with the endpoints taken from the key). After
    the end of a list the accuracy stays.
    """

    name = "debugging"
    track = "debugging"
    task: ClassVar[type[Task]] = DebuggingTask
    metric = "recovery"
    transferable = True
    tie_break = "average_precision"
    scorer_version = 2  # the skyline tries every single repair
    curve_axes = ("rows inspected", "test accuracy")
    settings_class = DebuggingSettings

    def rows(self, seed: int) -> IntArray:
        return self._parts(seed)[0]

    def _parts(self, seed: int) -> tuple[IntArray, IntArray, IntArray]:
        s = self.settings
        return draw_parts(self.dataset, s.train, s.validation, s.test, self.rng(seed, "split"), s.parts)

    def prepare(self, seed: int) -> tuple[View, DebuggingKey]:
        """Raises NothingToMeasure where true labels gain less than two standard errors of test accuracy."""
        s, data = self.settings, self.dataset
        train, validation, test = self._parts(seed)
        y_true = data.y[train]
        y = self._wrong_labels(train, self.rng(seed, "noise"))
        arrays: dict[str, Array] = {"X": data.X[train], "y": y}
        if s.validation:
            arrays |= {"X_val": data.X[validation], "y_val": data.y[validation]}
        X_test, y_test = data.X[test], data.y[test]
        dirty, clean = right_after(self.model, data.X[train], np.stack([y, y_true]), X_test, y_test)
        gain = clean.astype(np.float64) - dirty
        error = gain.std() / np.sqrt(len(gain))
        if not gain.mean() >= 2 * error or gain.mean() <= 0:
            raise NothingToMeasure(
                f"Seed {seed} of the debugging protocol has nothing to win: {int((y != y_true).sum())} true labels "
                f"change the test accuracy by {gain.mean():.3f}, and two standard errors are {2 * error:.3f}.",
                "More noise, fewer training rows or more test rows make a difference that can be measured.",
            )
        view = View(arrays, {"n_classes": data.n_classes}, texts_of(data, texts=train, texts_val=validation))
        return view, DebuggingKey(y_true, X_test, y_test, dirty, clean)

    def read_output(self, arrays: Arrays, view: View) -> Arrays:
        n = len(view.arrays["y"])
        return {"indices": checks.indices(arrays["indices"], name="indices", n=n, at_most=n)}

    def score(self, output: Arrays, view: View, key: DebuggingKey, seed: int) -> Score:
        order, y = output["indices"], view.arrays["y"]
        n, m, step = len(y), len(key.y_test), self.settings.step
        is_wrong = y != key.y_true
        budget = int(is_wrong.sum())
        stops = np.arange(step, n + 1, step)
        hit = np.concatenate([is_wrong[order], np.zeros(n - len(order), bool)])  # [n] along the list
        fixed_by = np.cumsum(hit)[stops - 1]  # true labels in place at every stop
        counts = np.unique(fixed_by)
        correct = {0: key.dirty, budget: key.clean}
        missing = [c for c in counts if c not in correct]
        if missing:
            labels = np.tile(y, (len(missing), 1))
            mended = order[is_wrong[order]]
            for row, count in zip(labels, missing, strict=True):
                row[mended[:count]] = key.y_true[mended[:count]]
            correct |= dict(
                zip(missing, right_after(self.model, view.arrays["X"], labels, key.X_test, key.y_test), strict=True)
            )
        counted = fixed_by[stops <= max(budget, step)]  # the stops that recovery averages over
        share = np.zeros(m)
        for count, times in zip(*np.unique(counted, return_counts=True), strict=True):
            share += times / len(counted) * correct[count]
        items = {"fixed": share, "dirty": key.dirty, "clean": key.clean}
        accuracy = {count: float(right.mean()) for count, right in correct.items()}
        curve = np.column_stack([np.r_[0, stops], [accuracy[c] for c in np.r_[0, fixed_by]]])
        reached = stops[curve[1:, 1] >= TARGET * accuracy[budget]]
        rest = np.ones(n, bool)
        rest[order] = False
        secondary = {
            "fixes_to_target": float(reached[0]) if len(reached) else float(n),
            "average_precision": metrics.ranking_average_precision(
                np.concatenate([is_wrong[order], is_wrong[rest]]), len(order)
            ),
            "precision_at_b": float(hit[:budget].mean()),
            "accuracy_dirty": accuracy[0],
            "accuracy_clean": accuracy[budget],
            "wrong_labels": float(budget),
        }
        return Score(float(self.statistic(items, np.ones((1, m)))[0]), items, secondary, curve)

    def reference(self, which: Reference, view: View, key: DebuggingKey, seed: int) -> Score:
        """``random``: a random permutation. ``skyline``: the wrong rows alone, by :func:`greedy_order`."""
        if which == "random":
            order = self.rng(seed, "random reference").permutation(len(key.y_true))
        else:
            X, y, exact = view.arrays["X"], view.arrays["y"], self.settings.skyline == "exact"
            order = greedy_order(self.model, X, y, key.y_true, key.X_test, key.y_test, exact=exact)
        return self.score({"indices": order}, view, key, seed)

    def statistic(self, items: Arrays, weights: FloatArray) -> FloatArray:
        fixed, dirty, clean = (weights @ items[k].astype(np.float64) for k in ("fixed", "dirty", "clean"))
        with np.errstate(divide="ignore", invalid="ignore"):
            recovery: FloatArray = (fixed - dirty) / (clean - dirty)
        return recovery

    def suspicious_above(self, skyline: float) -> float:
        """The skyline, or 1 where that is more and the oracle goes by the gradient alone, which is no bound.

        At 1 the first repairs would have to give the whole gain. Where both oracles are affordable the exact one is
        0.2 to 0.3 above the other, and still below or about 1.
        """
        return skyline if self.settings.skyline == "exact" else max(1.0, skyline)

    def _wrong_labels(self, rows: IntArray, rng: np.random.Generator) -> IntArray:
        """Labels [n] of the rows as the noise kind has it."""
        s, data = self.settings, self.dataset
        y = data.y[rows]
        if s.noise_kind == "uniform":
            return noise.uniform_flips(y, s.noise, data.n_classes, rng)
        if s.noise_kind == "instance":
            return noise.boundary_flips(data.X[rows], y, s.noise, rng)
        if s.noise_kind == "one_class":
            return noise.one_class_flips(y, s.noise, _lookalike_of(data.X, data.y, data.n_classes), rng)[0]
        if s.noise_kind == "class_dependent":
            if s.noise_like is None:
                return noise.class_dependent_flips(y, _lookalikes(data.X, data.y, data.n_classes, s.noise), rng)
            human = self._human(s.noise_like)
            known = human >= 0
            return noise.class_dependent_flips(y, noise.confusion(data.y[known], human[known], data.n_classes), rng)
        human = self._human(s.noise_kind)[rows]
        unlabelled = np.flatnonzero(human < 0)
        if len(unlabelled):
            raise ProtocolError(
                f"Row {rows[unlabelled[0]]} of {data.name} has no label in column {s.noise_kind!r}.",
                "Draw the training rows from the part that people labelled (track.parts=official).",
            )
        return human

    def _human(self, column: str) -> IntArray:
        if column not in self.dataset.extras:
            known = ", ".join(sorted(self.dataset.extras)) or "none"
            raise ProtocolError(
                f"Noise kind {column!r} is neither uniform, class_dependent, one_class nor instance, nor a label column of "
                f"{self.dataset.name} (its columns: {known})."
            )
        labels = self.dataset.extras[column]
        if labels.dtype.kind not in "iu" or labels.ndim != 1 or labels.max(initial=0) >= self.dataset.n_classes:
            raise ProtocolError(f"Column {column!r} of {self.dataset.name} does not hold one class a row.")
        return labels.astype(np.int64)


def greedy_order(
    model: Model,
    X: FloatArray,
    y: IntArray,
    y_true: IntArray,
    X_test: FloatArray,
    y_test: IntArray,
    *,
    exact: bool = False,
) -> IntArray:
    """Wrong rows in the order in which mending them helps on the TEST rows fastest: an oracle.

    Mending row i changes the gradient of the training loss in the last layer by (e_true - e_given) x_i, so a step
    along it changes the test loss by its inner product with the test loss's own gradient, sum_t (p_t - e_{y_t}) x_t.
    ``exact`` fits the model with every single row mended and goes by its test accuracy, equal ones by the gradient:
    ``_EXACT_ROUNDS`` / 2 fits per wrong row. The best rows are taken, the model is refitted on their true labels,
    and so on.
    """
    left = np.flatnonzero(y != y_true)
    block = -(-len(left) // _EXACT_ROUNDS) if exact else max(1, len(left) // _GRADIENT_ROUNDS)
    now, order = y.copy(), []
    flat, flat_test = (np.column_stack([a.reshape(len(a), -1), np.ones(len(a))]) for a in (X, X_test))
    while len(left):
        gradient = model.fit(X, now).predict_proba(X_test).astype(np.float64)  # [m, C]
        gradient[np.arange(len(y_test)), y_test] -= 1
        pull = flat[left] @ (flat_test.T @ gradient)  # [left, C]: rise of the test loss per step away from each class
        rows = np.arange(len(left))
        gain = pull[rows, y[left]] - pull[rows, y_true[left]]
        accuracy = np.zeros(len(left))
        if exact:
            mended = np.tile(now, (len(left), 1))
            mended[rows, left] = y_true[left]
            accuracy = right_after(model, X, mended, X_test, y_test).mean(axis=1)
        best = np.lexsort((-gain, -accuracy))[:block]
        order.append(left[best])
        now[left[best]] = y_true[left[best]]
        left = np.delete(left, best)
    return np.concatenate(order)


def right_after(model: Model, X: FloatArray, labels: IntArray, X_test: FloatArray, y_test: IntArray) -> Array:
    """Which test rows are right after training on each label vector: labels [B, n] -> [B, m] bool."""
    fitted = model.fit_many(X, labels=labels)
    rows = max(1, _BLOCK // (len(labels) * fitted.classes))
    blocks = [slice(start, start + rows) for start in range(0, len(y_test), rows)]
    return np.concatenate([fitted.predict(X_test[b]) == y_test[b] for b in blocks], axis=1)


def _lookalike_of(X: FloatArray, y: IntArray, n_classes: int) -> IntArray:
    """The class whose mean is nearest to that of each class: [C]."""
    means = np.stack([X[y == c].reshape((y == c).sum(), -1).mean(axis=0, dtype=np.float64) for c in range(n_classes)])
    distance = np.linalg.norm(means[:, None] - means[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    nearest: IntArray = distance.argmin(axis=1)
    return nearest


def _lookalikes(X: FloatArray, y: IntArray, n_classes: int, rate: float) -> FloatArray:
    """A transition matrix [C, C]: a share ``rate`` of each class is labelled as the class that looks most alike."""
    transition = (1 - rate) * np.eye(n_classes)
    transition[np.arange(n_classes), _lookalike_of(X, y, n_classes)] += rate
    return transition
