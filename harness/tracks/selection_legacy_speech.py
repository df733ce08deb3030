"""DataPerf's speech selection task, bit for bit (Mazumder et al. 2023, arXiv:2207.10062).

Spotting five keywords among other words: at most 25 or 60 spoken words are chosen to train on, out of those allowed. The
classifier is the original's: a soft vote of scikit-learn's support vector machine and logistic regression, both with its
default settings, trained once for each of ten random states.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import Field

from harness.api import FloatArray, IntArray, SelectionTask
from harness.data.base import TEST, TRAIN
from harness.errors import ProtocolError, SubmissionError
from harness.models import load_model
from harness.tracks import checks, metrics
from harness.tracks.base import Arrays, Reference, Score, Settings, Track, View

RANDOM_STATES = (5, 69, 98, 70, 95, 64, 37, 11, 4, 32)


class SelectionLegacySpeechSettings(Settings):
    """See ``conf/track/selection_legacy_speech.yaml``."""

    budget: int = Field(25, ge=2)
    random_states: tuple[int, ...] = Field(RANDOM_STATES, min_length=1)

    def left_out(self) -> frozenset[str]:
        return frozenset(("X_val", "y_val", "group"))


@dataclass(frozen=True)
class SelectionLegacySpeechKey:
    """What stays hidden: the evaluation words."""

    X_test: FloatArray  # [m, d]
    y_test: IntArray  # [m]


class SelectionLegacySpeech(Track[SelectionLegacySpeechSettings, SelectionLegacySpeechKey]):
    """Macro-F1 of the soft vote trained on the chosen rows, mean of ten random states.

    The seed decides nothing but the algorithm's own randomness. Rows are trained on in the order of the pool, not of
    the list handed in: the cross-validation inside the support vector machine depends on it. ``task.model`` is
    the same vote of one random state; the scorer builds its ten itself.
    """

    name = "selection_legacy_speech"
    track = "selection"
    task = SelectionTask
    metric = "macro_f1"
    score_alone = True
    settings_class = SelectionLegacySpeechSettings

    def prepare(self, seed: int) -> tuple[View, SelectionLegacySpeechKey]:
        data = self.dataset
        part = data.extras.get("part")
        if part is None or not (part == TRAIN).any() or not (part == TEST).any():
            raise ProtocolError(
                f"The speech selection protocol needs rows to choose from and rows to evaluate on; {data.name} does "
                "not tell them apart.",
                "Use dataset=dataperf_speech.",
            )
        pool, test = part == TRAIN, part == TEST
        view = View(
            {"X": data.X[pool], "y": data.y[pool]}, {"n_classes": data.n_classes, "budget": self.settings.budget}
        )
        return view, SelectionLegacySpeechKey(data.X[test], data.y[test])

    def read_output(self, arrays: Arrays, view: View) -> Arrays:
        y, budget = view.arrays["y"], int(view.scalars["budget"])
        chosen = checks.indices(arrays["indices"], name="indices", n=len(y), at_most=budget)
        if len(np.unique(y[chosen])) < 2:
            raise SubmissionError(
                f"indices lists rows of class {y[chosen[0]]} alone; the classifiers need rows of two classes or more."
            )
        return {"indices": chosen}

    def score(self, output: Arrays, view: View, key: SelectionLegacySpeechKey, seed: int) -> Score:
        rows = np.sort(output["indices"])
        X, y = view.arrays["X"][rows], view.arrays["y"][rows]
        votes = [
            load_model("svc_logistic_vote", device="cpu", n_classes=self.dataset.n_classes, random_state=state)
            for state in self.settings.random_states
        ]
        predicted = np.stack([vote.fit(X, y).predict(key.X_test) for vote in votes], axis=1)
        items = {"y_true": key.y_test, "y_pred": predicted}
        value = float(self.statistic(items, np.ones((1, len(key.y_test))))[0])
        correct = predicted == key.y_test[:, None]
        balanced = [np.nanmean(metrics.recall(key.y_test, p, self.dataset.n_classes)) for p in predicted.T]
        secondary = {
            "accuracy": float(correct.mean()),
            "balanced_accuracy": float(np.mean(balanced)),
            "rows": float(len(rows)),
        }
        return Score(value, items, secondary)

    def reference(self, which: Reference, view: View, key: SelectionLegacySpeechKey, seed: int) -> Score:
        """``random``: as many rows as the budget allows, of two classes at least. ``skyline``: all that are allowed."""
        y = view.arrays["y"]
        if which == "skyline":
            return self.score({"indices": np.arange(len(y))}, view, key, seed)
        rng, chosen = self.rng(seed, "random reference"), np.empty(0, np.int64)
        while len(np.unique(y[chosen])) < 2:
            chosen = rng.permutation(len(y))[: self.settings.budget]
        return self.score({"indices": chosen}, view, key, seed)

    def statistic(self, items: Arrays, weights: FloatArray) -> FloatArray:
        y, n_classes = items["y_true"], self.dataset.n_classes
        columns = [metrics.macro_f1(y, column, n_classes, weights) for column in items["y_pred"].T]
        mean: FloatArray = np.mean(columns, axis=0)
        return mean
