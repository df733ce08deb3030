"""Active selection from a crowd: whom to ask about which row, for money, when answers may be wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from harness.api import FloatArray, IntArray, SelectionActiveCrowdTask
from harness.data import splits
from harness.errors import Status, SubmissionError
from harness.tracks import checks, crowd, metrics
from harness.tracks.base import Arrays, Dialogue, Reference, Score, Settings, Track, View, texts_of
from harness.tracks.drawing import Parts, draw_parts


class SelectionActiveCrowdSettings(Settings):
    """See ``conf/track/selection_active_crowd.yaml``."""

    pool: int = Field(1000, ge=2)
    test: int = Field(0, ge=0)
    parts: Parts = "random"
    initial: int = Field(30, ge=1)
    prices: tuple[int, ...] = Field((1, 1, 2, 2, 3, 3, 4, 4), min_length=1)
    worst: float = Field(0.4, gt=0, lt=1)
    best: float = Field(0.95, gt=0, lt=1)
    luck: float = Field(2.0, ge=0)
    wage: int = Field(120, ge=1)
    rounds: int = Field(10, ge=1)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if min(self.prices) < 1:
            raise ValueError(f"prices must be 1 or more, got {list(self.prices)}")
        if min(self.prices) > self.wage:
            raise ValueError(f"a round's wage of {self.wage} pays nobody: the cheapest takes {min(self.prices)}")
        if self.worst > self.best:
            raise ValueError(f"the worst annotator is right more often ({self.worst}) than the best ({self.best})")
        if self.initial >= self.pool:
            raise ValueError(f"{self.initial} initial rows leave none of the pool's {self.pool} to ask about")
        cheap = self.pool * self.prices.count(min(self.prices)) * min(self.prices)
        if self.rounds * self.wage > cheap:  # else a round could come in which no question is left that the money pays
            raise ValueError(
                f"{self.rounds} rounds of {self.wage} are more than all answers of the cheapest cost, {cheap}"
            )
        return self


@dataclass(frozen=True)
class SelectionActiveCrowdKey:
    """What stays hidden: the truth, what everybody would answer, and the test set."""

    y_pool: IntArray  # [n]
    answers: IntArray  # [n, a]
    accuracy: FloatArray  # [a]
    ties: FloatArray  # [n, C]
    X_test: FloatArray  # [m, ...]
    y_test: IntArray  # [m]


class SelectionActiveCrowd(Track[SelectionActiveCrowdSettings, SelectionActiveCrowdKey]):
    """Mean macro-F1 over the money granted: the area under the curve by trapezoids, divided by its width.

    Every round grants ``wage``; what is not spent stays. After it the fixed model is trained from scratch on the initial
    rows, true, and on all rows with a vote under the consensus of :func:`harness.tracks.crowd.consensus`, which the
    harness computes: so nothing but questions earns anything, and a label that nobody was paid for cannot be trained on.
    The axis is money granted, not spent, and its steps are equal: saving is neither rewarded nor hidden. A whole output
    is ``indices``, ``annotators`` and ``round`` [questions].
    """

    name = "selection_active_crowd"
    track = "selection"
    task = SelectionActiveCrowdTask
    metric = "area_macro_f1"
    tie_break = "macro_f1_final"
    curve_axes = ("money granted", "macro-F1")
    settings_class = SelectionActiveCrowdSettings
    rounds = True

    def rows(self, seed: int) -> IntArray:
        return self._parts(seed)[0]

    def _parts(self, seed: int) -> tuple[IntArray, IntArray, IntArray]:
        s = self.settings
        return draw_parts(self.dataset, s.pool, 0, s.test, self.rng(seed, "split"), s.parts)

    def prepare(self, seed: int) -> tuple[View, SelectionActiveCrowdKey]:
        s, data = self.settings, self.dataset
        pool, _, test = self._parts(seed)
        y_pool, people = data.y[pool], len(s.prices)
        (gold,) = splits.stratified(y_pool, (s.initial,), self.rng(seed, "initial"))
        rng = self.rng(seed, "annotators")
        # Dearer ones are better but for their luck: ranks by price and noise, accuracies in equal steps.
        standing = np.argsort(np.argsort(np.argsort(np.argsort(s.prices)) + rng.normal(scale=s.luck, size=people)))
        accuracy = np.linspace(s.worst, s.best, people)[standing]
        answers = crowd.answers(y_pool, crowd.confusions(accuracy, data.n_classes, rng), rng)
        ties = self.rng(seed, "ties").random((len(pool), data.n_classes))
        nothing = np.empty(0, np.int64)
        arrays = {
            "X": data.X[pool],
            "gold": gold,
            "y_gold": y_pool[gold],
            "prices": np.array(s.prices, np.int64),
            "asked": nothing,
            "asked_of": nothing,
            "votes": nothing,
            "labelled": gold,
            "y_labelled": y_pool[gold],
        }
        view = View(
            arrays, {"n_classes": data.n_classes, "money": s.wage, "rounds": s.rounds}, texts_of(data, texts=pool)
        )
        return view, SelectionActiveCrowdKey(y_pool, answers, accuracy, ties, data.X[test], data.y[test])

    def dialogue(self, view: View, key: SelectionActiveCrowdKey, seed: int) -> CrowdDialogue:
        return CrowdDialogue(view, key)

    def read_output(self, arrays: Arrays, view: View) -> Arrays:
        """``indices``, ``annotators``, ``round`` [questions] of a whole cell, validated round by round."""
        rounds = int(view.scalars["rounds"])
        of = checks.labels(arrays["round"], name="round", length=arrays["round"].size, n_classes=rounds)
        if not np.array_equal(np.unique(of), np.arange(rounds)) or (np.diff(of) < 0).any():
            raise SubmissionError(
                f"round must rise from 0 to {rounds - 1}; {rounds} rounds of questions are asked for."
            )
        for name in ("indices", "annotators"):
            if arrays[name].shape != of.shape:
                raise SubmissionError(
                    f"{name} of {checks.content(arrays[name])} has shape {list(arrays[name].shape)}; it must be [{len(of)}]."
                )
        purse = Purse(view)
        for round in range(rounds):
            purse.pay(round, *(arrays[name][of == round] for name in ("indices", "annotators")))
        return {"indices": purse.rows, "annotators": purse.people, "round": of}

    def score(self, output: Arrays, view: View, key: SelectionActiveCrowdKey, seed: int) -> Score:
        rows, people, of = output["indices"], output["annotators"], output["round"]
        trained, labels, named = [view.arrays["gold"]], [key.y_pool], np.empty(0, np.int64)
        for round in range(self.settings.rounds):
            bought = of <= round
            votes = key.answers[rows[bought], people[bought]]
            named, label = _consensus(rows[bought], people[bought], votes, view, key.ties)
            trained.append(np.concatenate([view.arrays["gold"], named]))
            labels.append(key.y_pool.copy())
            labels[-1][named] = label
        fitted = self.model.fit_many(view.arrays["X"], labels=np.stack(labels), subsets=trained)
        questions = {
            "rows_labelled": float(len(named)),
            "labels_right": float(np.mean(labels[-1][named] == key.y_pool[named])) if len(named) else float("nan"),
            "votes": float(len(rows)),
            "votes_right": float(np.mean(key.answers[rows, people] == key.y_pool[rows])),
            "spent": float(view.arrays["prices"][people].sum()),
        }
        return self._score(fitted.predict(key.X_test), questions, key)

    def reference(self, which: Reference, view: View, key: SelectionActiveCrowdKey, seed: int) -> Score:
        """``random``: random questions to random annotators while the money lasts.

        ``skyline``: an annotator who is never wrong, at the cheapest price, asked about random rows.
        """
        rng = self.rng(seed, "random reference")
        if which == "random":
            purse, n, a = Purse(view), len(key.y_pool), len(self.settings.prices)
            for round in range(self.settings.rounds):
                pairs = np.setdiff1d(np.arange(n * a), purse.rows * a + purse.people)
                pairs = rng.permutation(pairs[view.arrays["prices"][pairs % a] <= purse.money])
                pairs = pairs[np.argsort(np.isin(pairs // a, view.arrays["gold"]), kind="stable")]
                cost = np.cumsum(view.arrays["prices"][pairs % a])
                pairs = pairs[: int(np.searchsorted(cost, purse.money, side="right"))]
                purse.pay(round, pairs // a, pairs % a)
            return self.score(purse.history(), view, key, seed)
        free = rng.permutation(np.setdiff1d(np.arange(len(key.y_pool)), view.arrays["gold"]))
        per_round = self.settings.wage // min(self.settings.prices)
        steps = [free[: per_round * round] for round in range(self.settings.rounds + 1)]
        subsets = [np.concatenate([view.arrays["gold"], step]) for step in steps]
        predicted = self.model.fit_many(view.arrays["X"], key.y_pool, subsets=subsets).predict(key.X_test)
        return self._score(predicted, {"rows_labelled": float(len(steps[-1])), "labels_right": 1.0}, key)

    def statistic(self, items: Arrays, weights: FloatArray) -> FloatArray:
        classes = self.dataset.n_classes
        return metrics.mean_height(metrics.macro_f1_curve(items["y_true"], items["y_pred"], classes, weights))

    def _score(self, predicted: IntArray, questions: dict[str, float], key: SelectionActiveCrowdKey) -> Score:
        """predicted [rounds + 1, m]: what the model says of the test rows after every round."""
        items = {"y_true": key.y_test, "y_pred": np.ascontiguousarray(predicted.T)}
        heights = metrics.macro_f1_curve(
            key.y_test, items["y_pred"], self.dataset.n_classes, np.ones((1, len(key.y_test)))
        )
        secondary = {"macro_f1_initial": float(heights[0, 0]), "macro_f1_final": float(heights[0, -1])} | questions
        curve = np.column_stack([np.arange(len(predicted)) * self.settings.wage, heights[0]])
        return Score(float(metrics.mean_height(heights)[0]), items, secondary, curve)


class Purse:
    """The money of one cell and the questions it went on: ``rows`` and ``people`` [questions]."""

    def __init__(self, view: View) -> None:
        self._n, self._prices = len(view.arrays["X"]), view.arrays["prices"]
        self._wage = self.money = int(view.scalars["money"])
        self.rows = self.people = self._round = np.empty(0, np.int64)

    def pay(self, round: int, indices: np.ndarray, annotators: np.ndarray) -> None:
        """Take the questions of a round, and grant the next one's money. SubmissionError names the first bad position."""
        name = f"indices of round {round}"
        if indices.size == 0:
            raise SubmissionError(f"{name} is empty; ask at least one question.")
        rows = checks.labels(indices, name=name, length=indices.size, n_classes=self._n, what="rows")
        who = f"annotators of round {round}"
        people = checks.labels(annotators, name=who, length=len(rows), n_classes=len(self._prices), what="annotators")
        pairs = np.concatenate([self.rows, rows]) * len(self._prices) + np.concatenate([self.people, people])
        _, first, inverse = np.unique(pairs, return_index=True, return_inverse=True)
        again = np.flatnonzero(first[inverse] != np.arange(len(pairs)))
        if len(again):
            before, at = int(first[inverse][again[0]]), int(again[0]) - len(self.rows)
            if before >= len(self.rows):
                where = f"at position {before - len(self.rows)}"
            else:
                earlier = int(self._round[before])
                where = f"in round {earlier}, position {before - int(np.searchsorted(self._round, earlier))}"
            raise SubmissionError(
                f"{name}: position {at} repeats row {rows[at]} to annotator {people[at]}, asked {where}.",
                "The answer would be the same; ask another annotator.",
            )
        over = np.flatnonzero(np.cumsum(self._prices[people]) > self.money)
        if len(over):
            raise SubmissionError(
                f"{name}: the question at position {over[0]} brings the cost to "
                f"{self._prices[people][: over[0] + 1].sum()}, over the money of {self.money}."
            )
        self.rows, self.people = np.concatenate([self.rows, rows]), np.concatenate([self.people, people])
        self._round = np.concatenate([self._round, np.full(len(rows), round)])
        self.money += self._wage - int(self._prices[people].sum())

    def history(self) -> dict[str, IntArray]:
        """All questions as ``Track.score`` takes them."""
        return {"indices": self.rows, "annotators": self.people, "round": self._round}


class CrowdDialogue(Dialogue):
    """Asks the crowd of one cell; lets out the answers paid for and no others."""

    def __init__(self, view: View, key: SelectionActiveCrowdKey) -> None:
        self._view, self._key, self._purse, self._asked = view, key, Purse(view), 0

    def reply(self, round: int, arrays: Arrays) -> Arrays | None:
        """``indices``, ``annotators`` [k] of a round -> votes, consensus and money for the next, None after the last."""
        rounds = int(self._view.scalars["rounds"])
        if self._asked == rounds:
            raise SubmissionError(f"All {rounds} rounds are over; nobody answers any more.")
        self._purse.pay(self._asked, arrays["indices"], arrays["annotators"])
        self._asked += 1
        if self._asked == rounds:
            return None
        rows, people = self._purse.rows, self._purse.people
        votes, gold, y_gold = self._key.answers[rows, people], self._view.arrays["gold"], self._view.arrays["y_gold"]
        named, label = _consensus(rows, people, votes, self._view, self._key.ties)
        return {
            "asked": rows,
            "asked_of": people,
            "votes": votes,
            "labelled": np.concatenate([gold, named]),
            "y_labelled": np.concatenate([y_gold, label]),
            "money": np.array(self._purse.money),
        }

    def output(self) -> Arrays:
        """``indices``, ``annotators``, ``round`` [questions] int64."""
        rounds = int(self._view.scalars["rounds"])
        if self._asked < rounds:
            raise SubmissionError(
                f"The algorithm ended after {self._asked} of {rounds} rounds.", status=Status.NO_OUTPUT
            )
        return self._purse.history()


def _consensus(
    rows: IntArray, people: IntArray, votes: IntArray, view: View, ties: FloatArray
) -> tuple[IntArray, IntArray]:
    known = np.full(len(view.arrays["X"]), -1)
    known[view.arrays["gold"]] = view.arrays["y_gold"]
    return crowd.consensus(rows, people, votes, known, ties, len(view.arrays["prices"]))
