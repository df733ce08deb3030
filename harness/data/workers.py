"""Votes: who said what of which item; those that a data set keeps, and those of simulated workers of stated confusion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from harness.api import FloatArray, IntArray
from harness.data.base import Dataset
from harness.errors import ProtocolError


@dataclass(frozen=True)
class Votes:
    """m votes as triples; items 0..n-1, annotators 0..annotators-1, each with a vote at least."""

    item: IntArray  # [m]
    annotator: IntArray  # [m]
    label: IntArray  # [m]
    annotators: int

    def shuffled(self, rng: np.random.Generator) -> Self:
        """The same votes in random order under random annotators' numbers: neither says anything.

        Annotators without a vote drop out, so that the numbers run from 0 without a gap.
        """
        present, code = np.unique(self.annotator, return_inverse=True)
        order = rng.permutation(len(self.item))
        number = rng.permutation(len(present))
        return type(self)(self.item[order], number[code[order]], self.label[order], len(present))


class Workers(BaseModel):
    """Simulated workers. See ``conf/track/annotation.yaml``."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    count: int = Field(12, ge=1, le=10_000)
    votes: tuple[int, int] = (1, 5)
    accuracy: tuple[float, float] = (0.4, 0.8)
    spread: float = Field(0.3, ge=0, le=1)
    confused: float = Field(0.8, ge=0, le=1)
    spammers: float = Field(0.25, ge=0, le=1)
    activity: float = Field(1.0, ge=0, le=5)

    @model_validator(mode="after")
    def _ranges(self) -> Self:
        if not 1 <= self.votes[0] <= self.votes[1] <= self.count:
            raise ValueError(f"votes must be two numbers from 1 to the {self.count} workers, got {list(self.votes)}")
        if not 0 <= self.accuracy[0] <= self.accuracy[1] <= 1:
            raise ValueError(f"accuracy must be two rising numbers in 0..1, got {list(self.accuracy)}")
        return self

    def confusion(self, n_classes: int, rng: np.random.Generator) -> FloatArray:
        """What each worker says of each class: [count, C, C], rows (true classes) that add up to 1.

        A worker's accuracy is drawn from the range ``accuracy``, that on each class up to ``spread`` around it. Of the
        errors on a class the share ``confused`` goes to one other class, which the worker mistakes it for; the rest
        falls on all others alike. The last round(``spammers`` * count) workers look at nothing: every second one draws a class, the
        others always say the same.
        """
        c, w = n_classes, self.count
        right = rng.uniform(*self.accuracy, size=(w, 1)) + rng.uniform(-self.spread, self.spread, size=(w, c))
        right = np.clip(right, 0.0, 1.0)
        classes = np.arange(c)
        mistaken = (classes + rng.integers(1, c, size=(w, c))) % c
        share = np.full((w, c, c), (1 - self.confused) / (c - 1)) + self.confused * (mistaken[:, :, None] == classes)
        matrix: FloatArray = share * (1 - right)[:, :, None]
        matrix[:, classes, classes] = right
        for k, worker in enumerate(range(w - round(self.spammers * w), w)):
            matrix[worker] = 1 / c if k % 2 == 0 else classes == rng.integers(c)
        return matrix

    def vote(self, y: IntArray, n_classes: int, rng: np.random.Generator) -> Votes:
        """Their votes on items of true classes y [n].

        The number of votes of an item is drawn from the range ``votes``, its workers without replacement in proportion to
        their activity, which is log-normal: its logarithm has the standard deviation ``activity``.
        """
        if n_classes < 2:
            raise ProtocolError("Simulated workers need two classes or more to confuse.")
        matrix = self.confusion(n_classes, rng)
        appetite = self.activity * rng.normal(size=self.count) + rng.gumbel(size=(len(y), self.count))
        asked = np.argsort(
            -appetite, axis=1
        )  # the k largest of log weights and Gumbel noise: k drawn without replacement
        many = rng.integers(self.votes[0], self.votes[1] + 1, size=len(y))
        item, place = np.nonzero(np.arange(self.count) < many[:, None])
        worker = asked[item, place]
        below = rng.random(len(item))[:, None] >= np.cumsum(matrix[worker, y[item]], axis=1)[:, :-1]
        return Votes(item, worker, below.sum(axis=1), self.count)


def kept(dataset: Dataset, rows: IntArray) -> Votes:
    """The votes that the data set has on these rows (``vote_label`` and ``vote_annotator`` [n, K], -1: none).

    Raises ProtocolError where it has none.
    """
    if not {"vote_label", "vote_annotator"} <= dataset.extras.keys():
        raise ProtocolError(
            f"{dataset.name} has no votes of single annotators.",
            "Set track.workers to simulate some, or give the votes of the data (dataset.votes).",
        )
    label, person = (dataset.extras[name][rows].astype(np.int64) for name in ("vote_label", "vote_annotator"))
    item, place = np.nonzero(label >= 0)
    if not len(item):
        raise ProtocolError(f"None of the {len(rows)} rows drawn from {dataset.name} has a vote.")
    return Votes(item, person[item, place], label[item, place], int(dataset.extras["vote_annotator"].max()) + 1)


def packed(item: IntArray, annotator: IntArray, label: IntArray, n: int, n_classes: int) -> dict[str, IntArray]:
    """Votes as extras of n rows: ``votes`` [n, C] counts, ``vote_label`` and ``vote_annotator`` [n, K], -1 where there is none.

    The votes of a row stand in the order of their annotators.
    """
    order = np.lexsort((annotator, item))
    item, annotator, label = item[order], annotator[order], label[order]
    counts = np.zeros((n, n_classes), np.int64)
    np.add.at(counts, (item, label), 1)
    of_row = counts.sum(axis=1)
    place = np.arange(len(item)) - np.repeat(np.cumsum(of_row) - of_row, of_row)
    people, labels = np.full((2, n, int(of_row.max(initial=0))), -1, np.int64)
    people[item, place], labels[item, place] = annotator, label
    return {"votes": counts, "vote_label": labels, "vote_annotator": people}
