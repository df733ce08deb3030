"""Attribution: a score for every pair of query and training row; their sums over half-sets have to predict retrained models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import Field

from harness.api import AttributionTask, FloatArray
from harness.data.base import Dataset
from harness.errors import ProtocolError
from harness.models.base import BoolArray, FixedModel
from harness.tracks import checks, metrics
from harness.tracks.base import Array, Arrays, Reference, Score, Settings, Track, View, texts_of
from harness.tracks.drawing import Parts, draw_parts

_GROUPS = 20  # of half-sets, left out in turn for the standard error
_LEAST = 1e-30  # probabilities below this are taken as this: float32 holds little less
_PENALTIES = 10.0 ** np.arange(-3, 9)  # of the oracle's regression


class AttributionSettings(Settings):
    """See ``conf/track/attribution.yaml``."""

    train: int = Field(500, ge=4)
    queries: int = Field(100, ge=2)
    parts: Parts = "random"
    half_sets: int = Field(100, ge=4)
    model_seeds: int = Field(1, ge=1, le=100)
    max_fits: int = Field(100, ge=0)
    skyline: Literal["sums", "repeat"] = "sums"
    oracle: int = Field(300, ge=2)

    def left_out(self) -> frozenset[str]:
        return frozenset({"texts_val"})


@dataclass(frozen=True)
class AttributionKey:
    """What stays hidden: the half-sets that models are trained on."""

    halves: BoolArray  # [s, n], half of every row true


class Attribution(Track[AttributionSettings, AttributionKey]):
    """``linear_datamodeling_score``: rank correlation of summed scores and retrained margins, mean of the queries.

    For each of the hidden random half-sets of the rows the fixed model is trained afresh, and its margin at a query is
    log(p / (1 - p)), p the probability of the query's label. A query's scores, added up over the rows of each half-set,
    predict its margins; their Spearman correlation over the half-sets is the query's (0 where either is constant), and the
    mean over queries the score: Park et al., *TRAK: attributing model behavior at scale*, ICML 2023, whose margin this is.

    A network's answer depends on its initial weights and the order of its rows too. With ``model_seeds`` k its margins are means
    over k seeds of its settings, the pinned one first, so that less of the truth is chance.
    """

    name = "attribution"
    track = "valuation"
    task = AttributionTask
    metric = "linear_datamodeling_score"
    settings_class = AttributionSettings

    def __init__(self, settings: AttributionSettings, dataset: Dataset, model: FixedModel, secret: str) -> None:
        super().__init__(settings, dataset, model, secret)
        if (settings.model_seeds > 1 or settings.skyline == "repeat") and not hasattr(model.settings, "seed"):
            raise ProtocolError(
                f"The fixed model {model.settings.name} leaves nothing to chance, so it has no other seeds.",
                "Set track.model_seeds to 1 and track.skyline to sums.",
            )
        self._known: dict[int, FloatArray] = {}  # true margins by seed: every submission is held against the same ones

    def prepare(self, seed: int) -> tuple[View, AttributionKey]:
        s, data = self.settings, self.dataset
        train, _, queries = draw_parts(data, s.train, 0, s.queries, self.rng(seed, "split"), s.parts)
        arrays = {"X": data.X[train], "y": data.y[train], "X_query": data.X[queries], "y_query": data.y[queries]}
        view = View(arrays, {"n_classes": data.n_classes, "max_fits": s.max_fits}, texts_of(data, texts=train))
        return view, AttributionKey(halves(s.half_sets, s.train, self.rng(seed, "half-sets")))

    def read_output(self, arrays: Arrays, view: View) -> Arrays:
        shape = (len(view.arrays["y_query"]), len(view.arrays["y"]))
        return {"scores": checks.finite(arrays["scores"], name="scores", shape=shape)}

    def score(self, output: Arrays, view: View, key: AttributionKey, seed: int) -> Score:
        return self._compared(key.halves @ scaled(output["scores"]).T, view, key, seed)

    def _compared(self, predicted: FloatArray, view: View, key: AttributionKey, seed: int) -> Score:
        """The score of margins predicted for the hidden half-sets, [s, q]; their order counts."""
        s, n = len(key.halves), min(_GROUPS, len(key.halves))
        weights = np.vstack([np.ones(s), np.arange(s) % n != np.arange(n)[:, None]])
        each = metrics.rank_correlation(predicted, self._truth(view, key, seed), weights)  # [1 + n, q]
        items = {"correlation": each[0]}
        of_queries = float(each[0].std(ddof=1) / np.sqrt(each.shape[1]))
        left = each[1:].mean(axis=1)
        of_halves = float(np.sqrt((n - 1) / n * ((left - left.mean()) ** 2).sum()))
        secondary = {
            "standard_error": float(np.hypot(of_queries, of_halves)),
            "standard_error_queries": of_queries,
            "standard_error_half_sets": of_halves,
            "least": float(each[0].min()),
        }
        return Score(float(self.statistic(items, np.ones((1, each.shape[1])))[0]), items, secondary)

    def reference(self, which: Reference, view: View, key: AttributionKey, seed: int) -> Score:
        """``random``: normal numbers. ``skyline``: what is told by models trained without regard to the cap.

        ``sums``: each row is put in and taken out while all others have weight 1/2, half-way between all half-sets; what this
        leaves of the margins of ``oracle`` half-sets, others than the hidden ones, is regressed on which rows are in.
        ``repeat``: the margins of the hidden half-sets from as many other seeds of the model, which differ by chance alone.
        """
        s, rng, shape = self.settings, self.rng(seed, which), (len(view.arrays["y_query"]), len(view.arrays["y"]))
        if which == "random":
            return self.score({"scores": rng.normal(size=shape)}, view, key, seed)
        if s.skyline == "repeat":
            return self._compared(self._margins(key.halves, view, s.model_seeds), view, key, seed)
        alone = np.eye(shape[1], dtype=bool)
        taken_in, out = (self._margins(np.where(alone, weight, 0.5), view) for weight in (1.0, 0.0))
        scores = (taken_in - out).T
        others = halves(s.oracle, shape[1], rng)
        scores = scores + regressed(others, self._margins(others, view) - others @ scores.T)
        return self.score({"scores": scores}, view, key, seed)

    def statistic(self, items: Arrays, weights: FloatArray) -> FloatArray:
        mean: FloatArray = weights @ items["correlation"] / weights.sum(axis=1)
        return mean

    def suspicious_above(self, skyline: float) -> float:
        """Half-way from the skyline to 1: the best that adds up is not known, and 1 is what nothing that adds up comes to."""
        return (1 + skyline) / 2

    def _truth(self, view: View, key: AttributionKey, seed: int) -> FloatArray:
        if seed not in self._known:
            self._known[seed] = self._margins(key.halves, view)
        return self._known[seed]

    def _margins(self, weights: Array, view: View, first: int = 0) -> FloatArray:
        """Margins at the queries of models trained with each row of weights [s, n], from models as new: [s, q].

        first: how many seeds after the pinned one the first of ``model_seeds`` is.
        """
        found = []
        for model in self._models(first):
            fitted = model.fit_many(view.arrays["X"], view.arrays["y"], weights=weights.astype(np.float32))
            found.append(margins(fitted.predict_proba(view.arrays["X_query"]), view.arrays["y_query"]))
        mean: FloatArray = np.mean(found, axis=0)
        return mean

    def _models(self, first: int) -> list[FixedModel]:
        settings: Any = self.model.settings
        changed = [{"seed": settings.seed + i} if i else {} for i in range(first, first + self.settings.model_seeds)]
        device, classes = self.model.requested_device, self.model.n_classes
        return [settings.model_copy(update=one).build(device=device, n_classes=classes) for one in changed]


def halves(count: int, n: int, rng: np.random.Generator) -> BoolArray:
    """``count`` random halves of n rows, n // 2 of them each: bool [count, n]."""
    chosen: BoolArray = rng.random((count, n)).argsort(axis=1) < n // 2
    return chosen


def margins(proba: FloatArray, y: np.ndarray[Any, Any]) -> FloatArray:
    """log(p / (1 - p)) of the probability of each row's label: proba [B, q, C], y [q] -> [B, q] float64, finite.

    A class that a half-set has no row of has probability 0: all such margins are the same.
    """
    right = np.take_along_axis(proba.astype(np.float64), y[None, :, None], axis=2)[:, :, 0]
    others = proba.astype(np.float64)
    np.put_along_axis(others, y[None, :, None], 0.0, axis=2)
    rest = np.where(right < 0.5, 1 - right, others.sum(axis=2))  # each where rounding hurts it least
    odds: FloatArray = np.log(np.maximum(right, _LEAST)) - np.log(np.maximum(rest, _LEAST))
    return odds


def scaled(scores: FloatArray) -> FloatArray:
    """Scores [q, n] over each query's largest, so that no sum of huge ones overflows; their order stays."""
    largest = np.abs(scores).max(axis=1, keepdims=True)
    return scores / np.where(largest > 0, largest, 1)


def regressed(halves: BoolArray, outputs: FloatArray) -> FloatArray:
    """What each row adds to an output, by ridge regression on half-sets: [s, n], [s, q] -> scores [q, n].

    Ilyas et al., *Datamodels: predicting predictions from training data*, ICML 2022, with ridge for their lasso. The penalty is the
    one of least leave-one-out error over all queries (generalised cross-validation: Golub, Heath and Wahba, 1979).
    """
    A = halves - halves.mean(axis=0)
    B = outputs - outputs.mean(axis=0)
    value, vectors = np.linalg.eigh(A @ A.T)
    value, turned = np.maximum(value, 0), vectors.T @ B
    best, least = _PENALTIES[0], np.inf
    for penalty in _PENALTIES:
        left = penalty / (value + penalty)
        error = float(((left[:, None] * turned) ** 2).sum()) / left.sum() ** 2
        if error < least:
            best, least = penalty, error
    scores: FloatArray = (A.T @ (vectors @ (turned / (value + best)[:, None]))).T
    return scores
