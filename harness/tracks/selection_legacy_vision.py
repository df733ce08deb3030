"""DataPerf's vision selection task, bit for bit (Mazumder et al. 2023, arXiv:2207.10062).

Which pictures show a cupcake, a hawk, sushi? A submission picks at most 1,000 pictures per concept out of an unlabelled
pool and labels them itself; scikit-learn's logistic regression is trained on each concept's pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import Field

from harness.api import FloatArray, IntArray, SelectionPairsTask
from harness.data.base import TEST, TRAIN
from harness.errors import ProtocolError, SubmissionError
from harness.tracks import checks, metrics
from harness.tracks.base import Array, Arrays, Reference, Score, Settings, Track, View

RANDOM_STATE = 0


class SelectionLegacyVisionSettings(Settings):
    """See ``conf/track/selection_legacy_vision.yaml``."""

    budget: int = Field(1000, ge=2)


@dataclass(frozen=True)
class SelectionLegacyVisionKey:
    """What stays hidden: the test pictures of all concepts."""

    X_test: FloatArray  # [m, d]
    y_test: IntArray  # [m] 1 where the picture shows the concept it is a test of
    concept: IntArray  # [m] which one


class SelectionLegacyVision(Track[SelectionLegacyVisionSettings, SelectionLegacyVisionKey]):
    """F1 of "shows the concept" on each concept's test pictures; mean of the concepts.

    The seed decides nothing but the algorithm's own randomness. The pool has no true labels, so the pairs are taken as
    they are, as in the original, and trained on in the order given.
    """

    name = "selection_legacy_vision"
    track = "selection"
    task = SelectionPairsTask
    metric = "mean_f1"
    score_alone = True
    settings_class = SelectionLegacyVisionSettings

    def prepare(self, seed: int) -> tuple[View, SelectionLegacyVisionKey]:
        data = self.dataset
        missing = sorted({"part", "concept", "example_of"} - set(data.extras))
        if missing:
            raise ProtocolError(
                f"The vision selection protocol needs the columns part, concept and example_of; {data.name} has no "
                f"{missing[0]}.",
                "Use dataset=dataperf_vision.",
            )
        pool, test = data.extras["part"] == TRAIN, data.extras["part"] == TEST
        rows, concepts = np.nonzero(data.extras["example_of"][pool])
        arrays = {"X": data.X[pool], "examples": rows, "concept_of": concepts}
        scalars = {"n_classes": 2, "n_concepts": self._concepts, "budget": self.settings.budget}
        return View(arrays, scalars), SelectionLegacyVisionKey(
            data.X[test], data.y[test], data.extras["concept"][test].astype(np.int64)
        )

    @property
    def _concepts(self) -> int:
        return int(self.dataset.extras["example_of"].shape[1])

    def read_output(self, arrays: Arrays, view: View) -> Arrays:
        """Pairs in the order given; every concept has rows of both labels, none twice, at most ``budget``."""
        n, n_concepts, budget = len(view.arrays["X"]), int(view.scalars["n_concepts"]), int(view.scalars["budget"])
        size = len(arrays["indices"]) if arrays["indices"].ndim == 1 else -1
        if size > n_concepts * budget:
            raise SubmissionError(
                f"indices lists {size} pairs, over {n_concepts} concepts of {budget}; position {n_concepts * budget} "
                "is too many."
            )
        concepts = _coded(arrays["concepts"], "concepts", size, n_concepts)
        labels = _coded(arrays["labels"], "labels", size, 2)
        rows = np.empty(max(size, 0), np.int64)
        for concept in range(n_concepts):
            own = np.flatnonzero(concepts == concept)
            name = f"indices of concept {concept}"
            rows[own] = checks.indices(arrays["indices"][own], name=name, n=n, at_most=budget)
            if len(set(labels[own].tolist())) < 2:
                raise SubmissionError(
                    f"labels of concept {concept} are all {labels[own[0]]}; the classifier needs both 0 and 1."
                )
        return {"concepts": concepts, "indices": rows, "labels": labels}

    def score(self, output: Arrays, view: View, key: SelectionLegacyVisionKey, seed: int) -> Score:
        X, predicted = view.arrays["X"], np.zeros_like(key.y_test)
        for concept in range(self._concepts):
            own, tested = output["concepts"] == concept, key.concept == concept
            predicted[tested] = _classify(X[output["indices"][own]], output["labels"][own], key.X_test[tested])
        return self._score(predicted, key)

    def reference(self, which: Reference, view: View, key: SelectionLegacyVisionKey, seed: int) -> Score:
        """``random``: the known examples against random pictures. ``skyline``: trained on the test pictures.

        The pool's labels exist nowhere, so its best selection is not known; fitted to what it is tested on, the
        classifier does better than any honest selection has reason to.
        """
        if which == "skyline":
            predicted = np.zeros_like(key.y_test)
            for concept in range(self._concepts):
                own = key.concept == concept
                predicted[own] = _classify(key.X_test[own], key.y_test[own], key.X_test[own])
            return self._score(predicted, key)
        rng, n = self.rng(seed, "random reference"), len(view.arrays["X"])
        parts = []
        for concept in range(self._concepts):
            present = view.arrays["examples"][view.arrays["concept_of"] == concept][: self.settings.budget // 2]
            absent = rng.permutation(np.setdiff1d(np.arange(n), present))[: self.settings.budget - len(present)]
            rows = np.concatenate([present, absent])
            labels = np.repeat(np.array([1, 0]), [len(present), len(absent)])
            parts.append({"concepts": np.full(len(rows), concept), "indices": rows, "labels": labels})
        return self.score({name: np.concatenate([p[name] for p in parts]) for name in parts[0]}, view, key, seed)

    def statistic(self, items: Arrays, weights: FloatArray) -> FloatArray:
        scores = [
            _f1(items["y_true"] * own, items["y_pred"] * own, weights)
            for own in (items["concept"] == c for c in np.unique(items["concept"]))
        ]
        mean: FloatArray = np.mean(scores, axis=0)
        return mean

    def _score(self, predicted: IntArray, key: SelectionLegacyVisionKey) -> Score:
        items = {"y_true": key.y_test, "y_pred": predicted, "concept": key.concept}
        ones = np.ones((1, len(key.y_test)))
        secondary: dict[str, float] = {}
        for concept in range(self._concepts):
            own = key.concept == concept
            y, p = key.y_test * own, predicted * own
            hits = float((y * p).sum())
            secondary |= {
                f"f1_{concept}": float(_f1(y, p, ones)[0]),
                f"precision_{concept}": hits / float(p.sum()) if p.any() else 0.0,
                f"recall_{concept}": hits / float(y.sum()) if y.any() else 0.0,
                f"accuracy_{concept}": float((predicted == key.y_test)[own].mean()),
            }
        return Score(float(self.statistic(items, ones)[0]), items, secondary)


def _classify(X: FloatArray, y: IntArray, X_test: FloatArray) -> IntArray:
    """The original's classifier; it was fed Python floats, hence float64."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(random_state=RANDOM_STATE).fit(X.astype(np.float64), y)
    predicted: IntArray = model.predict(X_test.astype(np.float64))
    return predicted


def _f1(y: IntArray, predicted: IntArray, weights: FloatArray) -> FloatArray:
    """F1 of class 1, 0 where it neither occurs nor is predicted: y, predicted [m] in 0..1, weights [r, m] -> [r]."""
    return np.nan_to_num(metrics.per_class_f1(y, predicted, 2, weights)[:, 1])


def _coded(array: Array, name: str, size: int, n_values: int) -> IntArray:
    """Whole numbers in 0..n_values-1, one per pair, as int64 [size]."""
    if array.dtype.kind not in "iu":
        raise SubmissionError(f"{name} holds {checks.content(array)}; it must hold integers.")
    if array.shape != (size,):
        raise SubmissionError(
            f"{name} has shape {list(array.shape)}; concepts, indices and labels are lists of one length."
        )
    bad = np.flatnonzero((array < 0) | (array >= n_values))
    if len(bad):
        raise SubmissionError(f"{name}[{bad[0]}] is {array[bad[0]]}; it must be 0 to {n_values - 1}.")
    return array.astype(np.int64)
