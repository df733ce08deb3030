"""Valuation: one value per training row; rows are removed by value and the fixed model is trained again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import Field

from harness.api import FloatArray, IntArray, Model, ValuationTask
from harness.data import noise
from harness.tracks import checks, metrics
from harness.tracks.base import Array, Arrays, Reference, Score, Settings, Track, View, texts_of
from harness.tracks.drawing import Parts, draw_parts
from harness.tracks.pinned import Pinned

_BLOCK = 20_000_000  # probabilities held at once while testing
_HEADROOM = 0.25  # see suspicious_above


class ValuationSettings(Settings):
    """See ``conf/track/valuation.yaml``."""

    train: int = Field(300, ge=20)
    validation: int = Field(100, ge=1)
    test: int = Field(0, ge=0)
    parts: Parts = "random"
    noise: float = Field(0.3, ge=0, lt=1)
    removed: float = Field(0.5, gt=0, lt=1)
    steps: int = Field(10, ge=1, le=100)
    shapley: Pinned | None = None


@dataclass(frozen=True)
class ValuationKey:
    """What stays hidden: the test set and which labels are wrong."""

    X_test: FloatArray  # [m, ...]
    y_test: IntArray  # [m]
    wrong: Array  # [n] bool: this training row carries a wrong label


class Valuation(Track[ValuationSettings, ValuationKey]):
    """``removal_gap``: mean gap between two curves of test accuracy, from removing nothing to removing half the rows.

    On one curve rows go lowest value first (accuracy should hold, or rise), on the other highest first (it should
    fall): the area between them (trapezoids) divided by its width. The two curves of Ghorbani and Zou (2019),
    made one number. Rows go in proportion within each given class (:func:`removal_places`): values that delete whole
    classes from the top would open a gap that says nothing about single rows. Equal values of a class go in seeded
    random order.
    """

    name = "valuation"
    track = "valuation"
    task = ValuationTask
    metric = "removal_gap"
    tie_break = "wrong_label_average_precision"
    scorer_version = 2  # rows are removed in proportion within each given class
    curve_axes = ("share of rows removed", "test accuracy, lowest first minus highest first")
    settings_class = ValuationSettings

    def prepare(self, seed: int) -> tuple[View, ValuationKey]:
        s, data = self.settings, self.dataset
        train, validation, test = draw_parts(data, s.train, s.validation, s.test, self.rng(seed, "split"), s.parts)
        y = noise.uniform_flips(data.y[train], s.noise, data.n_classes, self.rng(seed, "noise"))
        arrays = {"X": data.X[train], "y": y, "X_val": data.X[validation], "y_val": data.y[validation]}
        view = View(arrays, {"n_classes": data.n_classes}, texts_of(data, texts=train, texts_val=validation))
        return view, ValuationKey(data.X[test], data.y[test], y != data.y[train])

    def read_output(self, arrays: Arrays, view: View) -> Arrays:
        return {"values": checks.finite(arrays["values"], name="values", shape=(len(view.arrays["y"]),))}

    def score(self, output: Arrays, view: View, key: ValuationKey, seed: int) -> Score:
        values = output["values"]
        m = len(key.y_test)
        gaps = self._gaps(values, view, key, seed)  # [steps + 1, m]
        trapezoid = np.ones(len(gaps)) / (len(gaps) - 1)
        trapezoid[[0, -1]] /= 2
        items = {"gap": trapezoid @ gaps}
        flagged = metrics.lower_cluster(values)
        secondary = {
            "wrong_label_auroc": metrics.auroc(-values, key.wrong),
            "wrong_label_average_precision": metrics.average_precision(-values, key.wrong),
            "wrong_label_f1": metrics.f1(flagged, key.wrong),
            "wrong_labels": float(key.wrong.sum()),
        }
        if self.settings.shapley is not None:
            pinned = self.settings.shapley.load(seed, view)
            secondary["spearman_to_shapley"] = metrics.spearman(values, pinned) if pinned is not None else float("nan")
        share = np.linspace(0, self.settings.removed, len(gaps))
        curve = np.column_stack([share, gaps.mean(axis=1)])
        return Score(float(self.statistic(items, np.ones((1, m)))[0]), items, secondary, curve)

    def reference(self, which: Reference, view: View, key: ValuationKey, seed: int) -> Score:
        """``random``: random values. ``skyline``: wrong rows lowest, the others by :func:`oracle_values`."""
        if which == "random":
            values: FloatArray = self.rng(seed, "random reference").random(len(key.wrong))
        else:
            values = oracle_values(self.model, view.arrays["X"], view.arrays["y"], key.X_test, key.y_test)
            values -= key.wrong * (2 * np.abs(values).max() + 1)
        return self.score({"values": values}, view, key, seed)

    def statistic(self, items: Arrays, weights: FloatArray) -> FloatArray:
        mean: FloatArray = weights @ items["gap"] / weights.sum(axis=1)
        return mean

    def suspicious_above(self, skyline: float) -> float:
        """A quarter of the way from the skyline to 1, the largest gap two accuracy curves can have.

        The skyline knows the wrong labels and the test set, but orders rows one by one and all at once; a cleverer
        order can beat it: one that refits after every step gains 0.02 on digits and 0.04 on breast cancer (0.08 on one seed).
        """
        return skyline + _HEADROOM * (1 - skyline)

    def _gaps(self, values: FloatArray, view: View, key: ValuationKey, seed: int) -> FloatArray:
        """Lowest-first minus highest-first, right (1) or wrong (0), at each step for each test row: [steps + 1, m]."""
        s, n, y = self.settings, len(values), view.arrays["y"]
        lowest_first = metrics.shuffled_order(values, self.rng(seed, "ties").permutation(n))[::-1]
        # The last row of a class is never removed.
        gone = np.minimum(np.round(np.linspace(0, s.removed, s.steps + 1) * n), n - len(np.unique(y)))[1:, None]
        orders = lowest_first, lowest_first[::-1]
        kept = np.concatenate([removal_places(order, y) >= gone for order in orders]).astype(np.float32)  # [2 steps, n]
        fitted = self.model.fit_many(view.arrays["X"], y, weights=kept)
        gaps = np.zeros((s.steps + 1, len(key.y_test)))  # nothing is removed yet in the first row: no gap
        rows = max(1, _BLOCK // (len(kept) * fitted.classes))
        for start in range(0, len(key.y_test), rows):
            block = slice(start, start + rows)
            right = (fitted.predict(key.X_test[block]) == key.y_test[block]).astype(np.float64)
            gaps[1:, block] = right[: s.steps] - right[s.steps :]
        return gaps


def removal_places(order: IntArray, y: IntArray) -> IntArray:
    """When each row goes, if every class is to lose the same share at any time: places 0..n-1, [n] int64.

    order: [n] the rows, first to go first; only the order within each class counts. y: [n] their given classes.

    The j-th of the c rows of a class (j from 0) stands at (j + 1/2) / c, and rows go by that number, equal ones by
    class: at any time the counts are the seats that Webster's method gives the classes. Unlike largest remainders
    they never fall while more rows are removed. The last row of every class goes after all others.
    """
    share = np.empty(len(order))
    for c in np.unique(y):
        rows = order[y[order] == c]
        share[rows] = (np.arange(len(rows)) + 0.5) / len(rows)
        share[rows[-1]] = 1.0
    places = np.empty(len(order), np.int64)
    places[np.lexsort((y, share))] = np.arange(len(order))
    return places


def oracle_values(
    model: Model, X: FloatArray, y: IntArray, X_test: FloatArray, y_test: IntArray, steps: int = 50
) -> FloatArray:
    """How much each training row lowers the TEST loss, to first order: values [n], an oracle.

    Row i pulls the last layer along its own gradient (p_i - e_{y_i}) x_i. That pull, through the inverse of the
    training loss's curvature, changes the test loss by its inner product with the test loss's gradient: the
    influence function of Koh and Liang (2017), for a softmax layer over the rows with a unit ridge.
    """
    fitted = model.fit(X, y)
    A, A_test = (np.column_stack([a.reshape(len(a), -1), np.ones(len(a))]).astype(np.float64) for a in (X, X_test))
    p, p_test = (fitted.predict_proba(a).astype(np.float64) for a in (X, X_test))
    own, pull = p.copy(), p_test.copy()
    own[np.arange(len(y)), y] -= 1
    pull[np.arange(len(y_test)), y_test] -= 1
    target = A_test.T @ pull / len(y_test)  # [d, C]

    def curvature(v: FloatArray) -> FloatArray:
        z = A @ v
        product: FloatArray = A.T @ (p * (z - (p * z).sum(axis=1, keepdims=True))) + v
        return product

    solution, residual = np.zeros_like(target), target.copy()  # conjugate gradients
    direction, size = residual.copy(), float((residual**2).sum())
    for _ in range(steps):
        if size < 1e-20:
            break
        bent = curvature(direction)
        step = size / float((direction * bent).sum())
        solution, residual = solution + step * direction, residual - step * bent
        size, before = float((residual**2).sum()), size
        direction = residual + size / before * direction
    values: FloatArray = (own * (A @ solution)).sum(axis=1)
    return values
