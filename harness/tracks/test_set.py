"""Test-set creation: from an unlabelled pool, pick and label rows that models nobody has seen get wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from harness.api import FloatArray, IntArray, TestSetTask
from harness.data import splits
from harness.errors import NothingToMeasure, ProtocolError, SubmissionError
from harness.tracks import checks
from harness.tracks.base import Array, Arrays, Reference, Score, Settings, Track, View, texts_of
from harness.tracks.distances import nearest
from harness.tracks.drawing import apart, draw
from harness.tracks.sources import Source, rows_of
from harness.tracks.unseen import FIXED, ModelName, probabilities

_SAMPLE = 500  # pool rows whose nearest neighbour is looked for: enough for a median


class TestSetSettings(Settings):
    """See ``conf/track/test_set.yaml``."""

    __test__ = False  # not a test case, whatever pytest makes of the name

    pool: int = Field(1000, ge=2)
    pool_from: Source = "any"
    models_from: Source = "any"
    budget: int = Field(40, ge=1)
    class_floor: int = Field(2, ge=0)
    public_models: tuple[ModelName, ...] = Field((FIXED, FIXED), min_length=1)
    public_rows: int = Field(125, ge=1)
    hidden_models: tuple[ModelName, ...] = Field((FIXED, FIXED, FIXED), min_length=1)
    hidden_rows: int = Field(150, ge=1)
    votes: bool = True
    vote_share: float = Field(0.5, gt=0, le=1)
    near_duplicate: float = Field(0.25, ge=0)

    @model_validator(mode="after")
    def _within_pool(self) -> Self:
        if self.budget > self.pool:
            raise ValueError(f"budget {self.budget} is more than the pool's {self.pool} rows")
        return self


@dataclass(frozen=True)
class TestSetKey:
    """What stays hidden: which labels are right for a row, and what the models say."""

    confirmed: npt.NDArray[np.bool_]  # [n, C] labels that count as right
    hidden: IntArray  # [h, n] predictions of the hidden models
    public: IntArray  # [m, n] predictions of the public models
    radius: float  # rows at most this far apart are near-duplicates


class TestSet(Track[TestSetSettings, TestSetKey]):
    """``confirmed_error``: share of the k slots whose claimed label is confirmed and that most hidden models get wrong.

    A label is confirmed by a share of the human votes, or by being the true one where nobody voted. A slot within
    ``near_duplicate`` times the pool's median nearest-neighbour distance of an earlier slot counts nothing; neither do
    slots left empty. Hidden and public models are trained on disjoint rows outside the pool.
    """

    __test__ = False  # not a test case, whatever pytest makes of the name
    name = "test_set"
    track = "test_set"
    task = TestSetTask
    metric = "confirmed_error"
    tie_break = "confirmed"
    settings_class = TestSetSettings

    def rows(self, seed: int) -> IntArray:
        return self._pool(self.rng(seed, "split"))

    def _pool(self, rng: np.random.Generator) -> IntArray:
        candidates = rows_of(self.dataset, self.settings.pool_from)
        (pool,) = draw(self.dataset, candidates, (self.settings.pool,), rng)
        return pool

    def prepare(self, seed: int) -> tuple[View, TestSetKey]:
        s, data = self.settings, self.dataset
        rng = self.rng(seed, "split")
        pool = self._pool(rng)
        others = apart(data, rows_of(data, s.models_from), pool)
        sizes = [s.public_rows] * len(s.public_models) + [s.hidden_rows] * len(s.hidden_models)
        trained_on = [others[part] for part in splits.stratified(data.y[others], sizes, rng)]
        X = data.X[pool]
        proba = probabilities([*s.public_models, *s.hidden_models], self.model, data, trained_on, X)
        public, hidden = np.split(proba, [len(s.public_models)])

        sample, rest = np.split(rng.permutation(len(X)), [min(_SAMPLE, len(X) // 2)])
        radius = s.near_duplicate * float(np.median(nearest(X[sample], X[rest])))
        key = TestSetKey(self._confirmed(pool), hidden.argmax(axis=2), public.argmax(axis=2), radius)
        if key.confirmed.sum(axis=0).min() < s.class_floor:
            raise ProtocolError(f"A class has fewer than {s.class_floor} rows in the pool.", "Lower track.class_floor.")
        if not (key.confirmed & self._broken(key)).any():
            raise NothingToMeasure(f"On seed {seed} the hidden models get no row of the pool wrong.")
        scalars = {"n_classes": data.n_classes, "budget": s.budget, "class_floor": s.class_floor}
        arrays: dict[str, Array] = {"X": X, "public_proba": public}
        return View(arrays, scalars, texts_of(data, texts=pool)), key

    def read_output(self, arrays: Arrays, view: View) -> Arrays:
        s, classes = self.settings, int(view.scalars["n_classes"])
        rows = checks.indices(arrays["indices"], name="indices", n=len(view.arrays["X"]), at_most=s.budget)
        labels = checks.labels(arrays["labels"], name="labels", length=len(rows), n_classes=classes)
        counts = np.bincount(labels, minlength=classes)
        if counts.min() < s.class_floor:
            c = int(counts.argmin())
            raise SubmissionError(
                f"labels claims class {c} ({self.dataset.class_names[c]}) {counts[c]} times; every class must be "
                f"claimed at least {s.class_floor} times.",
                "Fill the floor of each class first, then the other slots.",
            )
        return {"indices": rows, "labels": labels}

    def score(self, output: Arrays, view: View, key: TestSetKey, seed: int) -> Score:
        rows, labels, k = output["indices"], output["labels"], self.settings.budget
        confirmed, broken = key.confirmed[rows, labels], self._broken(key)[rows, labels]
        repeated = repeats(view.arrays["X"][rows], key.radius)
        counts = confirmed & broken & ~repeated
        items = {name: np.zeros(len(key.confirmed), np.int8) for name in ("chosen", "counts")}
        items["chosen"][rows], items["counts"][rows] = 1, counts
        secondary = {
            "unconfirmed_error": float((broken & ~confirmed).sum() / k),
            "hidden_error": float((((key.hidden[:, rows] != labels) & confirmed & ~repeated).mean(axis=0)).sum() / k),
            "public_error": float((key.public[:, rows] != labels).mean(axis=0).sum() / k),
            "confirmed": float(confirmed.sum() / k),
            "near_duplicates": float(repeated.sum() / k),
            "distinct_classes": len(np.unique(labels)) / self.dataset.n_classes,
        }
        return Score(float(counts.sum() / k), items, secondary)

    def reference(self, which: Reference, view: View, key: TestSetKey, seed: int) -> Score:
        """``random``: random rows, the public models' labels. ``skyline``: rows that the hidden models get wrong.

        Both fill the class floor first. The skyline skips near-duplicates of what it has.
        """
        X = view.arrays["X"]
        order = self.rng(seed, "random reference").permutation(len(X))
        if which == "random":
            belief, radius = view.arrays["public_proba"].mean(axis=0), -1.0
        else:
            belief = key.confirmed * (1.0 + self._broken(key))  # 2: counts, 1: right but not broken, 0: wrong
            order, radius = order[np.argsort(-belief.max(axis=1)[order], kind="stable")], key.radius
        s = self.settings
        rows, labels = fill_slots(X, order, belief, s.budget, s.class_floor, radius)
        return self.score({"indices": rows, "labels": labels}, view, key, seed)

    def statistic(self, items: Arrays, weights: FloatArray) -> FloatArray:
        chosen = weights @ items["chosen"].astype(np.float64)
        counted = weights @ items["counts"].astype(np.float64)
        share = np.divide(counted, chosen, out=np.zeros(len(weights)), where=chosen > 0)
        value: FloatArray = share * (items["chosen"].sum() / self.settings.budget)
        return value

    def _confirmed(self, pool: IntArray) -> npt.NDArray[np.bool_]:
        """[n, C]: labels with ``vote_share`` of the row's votes; the true label where nobody voted."""
        confirmed: npt.NDArray[np.bool_] = self.dataset.y[pool][:, None] == np.arange(self.dataset.n_classes)
        if self.settings.votes and "votes" in self.dataset.extras:
            votes = self.dataset.extras["votes"][pool].astype(np.float64)
            total = votes.sum(axis=1, keepdims=True)
            confirmed = np.where(total > 0, votes >= self.settings.vote_share * total, confirmed)
        return confirmed

    def _broken(self, key: TestSetKey) -> npt.NDArray[np.bool_]:
        """[n, C]: a row under a label is broken if more than half of the hidden models predict something else."""
        wrong = key.hidden[:, :, None] != np.arange(self.dataset.n_classes)
        broken: npt.NDArray[np.bool_] = wrong.mean(axis=0) > 0.5
        return broken


def repeats(X: FloatArray, radius: float) -> npt.NDArray[np.bool_]:
    """Which rows of X [k, ...] lie within ``radius`` (inclusive) of an earlier one: [k]."""
    repeated = np.zeros(len(X), bool)
    for i in range(1, len(X)):
        repeated[i] = nearest(X[i : i + 1], X[:i])[0] <= radius
    return repeated


def fill_slots(
    X: FloatArray, order: IntArray, belief: FloatArray, budget: int, class_floor: int, radius: float
) -> tuple[IntArray, IntArray]:
    """Rows and their most believed labels: the floor of each class first, then the others in the order given.

    Rows within ``radius`` of a row already taken are passed over (radius < 0: none is). Where too few rows have a
    class as their first belief, those that believe most in it fill its floor.
    """
    labels = belief.argmax(axis=1)
    slots: dict[int, int] = {}
    passed: set[int] = set()

    def take(rows: IntArray, wanted: int, label: int | None) -> None:
        for row in map(int, rows):
            if wanted <= 0 or len(slots) >= budget:
                return
            if row in slots or row in passed:
                continue
            if radius >= 0 and slots and nearest(X[row : row + 1], X[list(slots)])[0] <= radius:
                passed.add(row)
                continue
            slots[row] = int(labels[row]) if label is None else label
            wanted -= 1

    for c in range(belief.shape[1]):
        take(order[labels[order] == c], class_floor, c)
        missing = class_floor - sum(label == c for label in slots.values())
        take(np.argsort(-belief[:, c], kind="stable"), missing, c)
    take(order, budget - len(slots), None)
    return np.array(list(slots), np.int64), np.array(list(slots.values()), np.int64)
