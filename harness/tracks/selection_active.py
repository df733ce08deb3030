"""Active selection: labels are bought in rounds; the fixed model is trained from scratch after each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from harness.api import FloatArray, IntArray, SelectionActiveTask
from harness.data import splits
from harness.errors import Status, SubmissionError
from harness.tracks import checks, leaks, metrics
from harness.tracks.base import Arrays, Dialogue, Reference, Score, Settings, Track, View, texts_of
from harness.tracks.drawing import Parts, draw_parts


class SelectionActiveSettings(Settings):
    """See ``conf/track/selection_active.yaml``."""

    pool: int = Field(1000, ge=2)
    test: int = Field(0, ge=0)
    parts: Parts = "random"
    initial: int = Field(20, ge=1)
    batch: int = Field(20, ge=1)
    rounds: int = Field(10, ge=1)

    @model_validator(mode="after")
    def _enough_rows(self) -> Self:
        if self.initial + self.rounds * self.batch > self.pool:
            raise ValueError(
                f"{self.initial} initial rows and {self.rounds} rounds of {self.batch} are more than "
                f"the pool's {self.pool} rows"
            )
        return self


@dataclass(frozen=True)
class SelectionActiveKey:
    """What stays hidden: labels not bought yet, and the test set."""

    y_pool: IntArray  # [n]
    X_test: FloatArray  # [m, ...]
    y_test: IntArray  # [m]


class SelectionActive(Track[SelectionActiveSettings, SelectionActiveKey]):
    """Area under macro-F1 against labels bought, over their range: the mean height of the curve, by trapezoids.

    The curve starts at the initial set, the same for every submission. A whole output is ``indices`` [rounds, batch],
    one row a round. Beside it ``labels_saved``, 1 - labels needed / labels that the floor used (initial ones counted in
    both): needed is where the curve first comes up to the final macro-F1 of the seed's random batches. It is nan on a
    seed on which it never does; ``random_reached`` says on which share it did. Data efficiency at a given error, as in
    Mussmann and Liang, On the relationship between data efficiency and error for uncertainty sampling, ICML 2018.
    """

    name = "selection_active"
    track = "selection"
    task = SelectionActiveTask
    metric = "area_macro_f1"
    transferable = True
    tie_break = "macro_f1_final"
    curve_axes = ("labels bought", "macro-F1")
    settings_class = SelectionActiveSettings
    rounds = True

    def rows(self, seed: int) -> IntArray:
        return self._parts(seed)[0]

    def _parts(self, seed: int) -> tuple[IntArray, IntArray, IntArray]:
        s = self.settings
        return draw_parts(self.dataset, s.pool, 0, s.test, self.rng(seed, "split"), s.parts)

    def prepare(self, seed: int) -> tuple[View, SelectionActiveKey]:
        s, data = self.settings, self.dataset
        pool, _, test = self._parts(seed)
        test = leaks.unrepeated(data, test, pool)
        y_pool = data.y[pool]
        (initial,) = splits.stratified(y_pool, (s.initial,), self.rng(seed, "initial"))
        arrays = {"X": data.X[pool], "labelled": initial, "y_labelled": y_pool[initial]}
        scalars = {"n_classes": data.n_classes, "batch": s.batch, "rounds": s.rounds}
        view = View(arrays, scalars, texts_of(data, texts=pool))
        return view, SelectionActiveKey(y_pool, data.X[test], data.y[test])

    def dialogue(self, view: View, key: SelectionActiveKey, seed: int) -> ActiveDialogue:
        return ActiveDialogue(view, key.y_pool, self.settings.rounds)

    def read_output(self, arrays: Arrays, view: View) -> Arrays:
        """``indices`` [rounds, batch] of a whole cell, validated round by round."""
        rounds, batch = int(view.scalars["rounds"]), int(view.scalars["batch"])
        history = arrays["indices"]
        if history.shape != (rounds, batch):
            raise SubmissionError(
                f"indices has shape {list(history.shape)}; {rounds} rounds of {batch} rows are asked for."
            )
        seen = view.arrays["labelled"]
        for round, chosen in enumerate(history):
            seen = np.concatenate([seen, _query(chosen, round, seen, view)])
        return {"indices": history.astype(np.int64)}

    def score(self, output: Arrays, view: View, key: SelectionActiveKey, seed: int) -> Score:
        initial, chosen = view.arrays["labelled"], output["indices"].ravel()
        steps = range(0, len(chosen) + 1, self.settings.batch)
        subsets = [np.concatenate([initial, part]) for part in (*(chosen[:k] for k in steps), self._random(view, seed))]
        *predicted, at_random = self.model.fit_many(view.arrays["X"], key.y_pool, subsets=subsets).predict(key.X_test)
        return self._score(np.stack(predicted), at_random, view, key)

    def reference(self, which: Reference, view: View, key: SelectionActiveKey, seed: int) -> Score:
        """``random``: random batches. ``skyline``: all labels of the pool are there from the first round on."""
        X, initial = view.arrays["X"], view.arrays["labelled"]
        rounds, batch = self.settings.rounds, self.settings.batch
        chosen = self._random(view, seed)
        if which == "random":
            return self.score({"indices": chosen.reshape(rounds, batch)}, view, key, seed)
        subsets = [initial, np.arange(len(X)), np.concatenate([initial, chosen])]
        first, whole, at_random = self.model.fit_many(X, key.y_pool, subsets=subsets).predict(key.X_test)
        return self._score(np.stack([first] + [whole] * rounds), at_random, view, key)

    def _random(self, view: View, seed: int) -> IntArray:
        """The floor's rows, [rounds * batch] in the order bought."""
        free = np.setdiff1d(np.arange(len(view.arrays["X"])), view.arrays["labelled"])
        return self.rng(seed, "random reference").permutation(free)[: self.settings.rounds * self.settings.batch]

    def statistic(self, items: Arrays, weights: FloatArray) -> FloatArray:
        classes = self.dataset.n_classes
        return metrics.mean_height(metrics.macro_f1_curve(items["y_true"], items["y_pred"], classes, weights))

    def _score(self, predicted: IntArray, at_random: IntArray, view: View, key: SelectionActiveKey) -> Score:
        """What the model says of the test rows: predicted [rounds + 1, m] after every purchase, at_random [m] of the floor's."""
        items = {"y_true": key.y_test, "y_pred": np.ascontiguousarray(predicted.T)}
        ones, classes = np.ones((1, len(key.y_test))), self.dataset.n_classes
        heights = metrics.macro_f1_curve(key.y_test, items["y_pred"], classes, ones)
        bought = np.arange(len(predicted)) * self.settings.batch
        target = float(metrics.macro_f1(key.y_test, at_random, classes, ones)[0])
        initial = len(view.arrays["labelled"])
        needed = initial + metrics.first_reached(bought.astype(np.float64), heights[0], target)
        secondary = {
            "macro_f1_initial": float(heights[0, 0]),
            "macro_f1_final": float(heights[0, -1]),
            "accuracy_final": float(np.mean(predicted[-1] == key.y_test)),
            "labels_saved": 1 - needed / (initial + float(bought[-1])),
            "random_reached": float(not np.isnan(needed)),
        }
        curve = np.column_stack([bought, heights[0]])
        return Score(float(metrics.mean_height(heights)[0]), items, secondary, curve)


class ActiveDialogue(Dialogue):
    """Sells the labels of one cell; knows what was bought and lets no other label out."""

    def __init__(self, view: View, y_pool: IntArray, rounds: int) -> None:
        self._view, self._y_pool, self._rounds = view, y_pool, rounds
        self._labelled: IntArray = view.arrays["labelled"]
        self._history: list[IntArray] = []

    def reply(self, round: int, arrays: Arrays) -> Arrays | None:
        """``indices`` [batch] of a round -> ``labelled`` and ``y_labelled`` for the next, None after the last."""
        if len(self._history) == self._rounds:
            raise SubmissionError(f"All {self._rounds} rounds are over; no more labels are sold.")
        chosen = _query(arrays["indices"], round, self._labelled, self._view)
        self._history.append(chosen)
        self._labelled = np.concatenate([self._labelled, chosen])
        if len(self._history) == self._rounds:
            return None
        return {"labelled": self._labelled, "y_labelled": self._y_pool[self._labelled]}

    def output(self) -> Arrays:
        """``indices`` [rounds, batch] int64."""
        if len(self._history) < self._rounds:
            raise SubmissionError(
                f"The algorithm ended after {len(self._history)} of {self._rounds} rounds.", status=Status.NO_OUTPUT
            )
        return {"indices": np.stack(self._history)}


def _query(array: np.ndarray, round: int, labelled: IntArray, view: View) -> IntArray:
    """One round's rows, unique and not labelled before, as int64 [batch]."""
    name = f"indices of round {round}"
    n, batch = len(view.arrays["X"]), int(view.scalars["batch"])
    chosen = checks.indices(array, name=name, n=n, at_most=batch, exactly=True)
    known = np.flatnonzero(np.isin(chosen, labelled))
    if len(known):
        row, initial = chosen[known[0]], len(view.arrays["labelled"])
        at = int(np.flatnonzero(labelled == row)[0])
        where = (
            "in the initial set"
            if at < initial
            else f"in round {(at - initial) // batch}, position {(at - initial) % batch}"
        )
        raise SubmissionError(
            f"{name}: position {known[0]} names row {row}, whose label was already given {where}.",
            "Leave out the rows in task.labelled.",
        )
    return chosen
