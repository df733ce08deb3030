"""Acquisition: buy training rows from sellers by their summaries alone, within a budget.

Markets, summaries and the reward follow DataPerf's acquisition challenge (Mazumder et al. 2023, arXiv:2207.10062; Chen
et al. 2023, "Data acquisition: a new frontier in data-centric AI", arXiv:2311.13712).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from pydantic import Field, model_validator

from harness.api import AcquisitionTask, FloatArray, IntArray
from harness.data.base import Dataset
from harness.errors import ProtocolError, SubmissionError
from harness.tracks import checks
from harness.tracks.base import Array, Arrays, Reference, Score, Settings, Track, View
from harness.tracks.drawing import Parts, draw_parts

ACCURACY, SAVING = 0.98, 0.02  # weights of accuracy and of the share of the budget kept
SAMPLES, BINS = 5, 10


class AcquisitionSettings(Settings):
    """See ``conf/track/acquisition.yaml``."""

    pool: int = Field(400, ge=1)
    test: int = Field(0, ge=0)
    parts: Parts = "random"
    markets: int = Field(5, ge=1)
    sellers: int = Field(20, ge=2)
    smallest: int = Field(10, ge=SAMPLES)
    class_skew: float = Field(1.0, ge=0)
    noise: float = Field(0.5, ge=0, le=1)
    price_spread: float = Field(0.5, ge=0)
    budget: float = Field(100.0, gt=0)

    @model_validator(mode="after")
    def _enough_rows(self) -> Self:
        if self.sellers * self.smallest > self.pool:
            raise ValueError(
                f"{self.sellers} sellers of at least {self.smallest} rows need more than the pool's {self.pool}"
            )
        return self


@dataclass(frozen=True)
class AcquisitionKey:
    """What stays hidden: who sells which row, under which label, in which order it is delivered; the buyer's test."""

    X: FloatArray  # [n, d] the pool, shared by all markets
    y_true: IntArray  # [n]
    y_sold: IntArray  # [k, n] labels as sold in each market
    stock: tuple[tuple[IntArray, ...], ...]  # rows of each market and seller, in order of delivery
    X_test: FloatArray  # [m, d]
    y_test: IntArray  # [m]


class Acquisition(Track[AcquisitionSettings, AcquisitionKey]):
    """0.98 accuracy + 0.02 (budget - cost) / budget on the buyer's hidden test set; the mean of the markets.

    Every market splits the same pool anew among its sellers, in unequal lots of unequal class mix, and every seller
    has its own share of wrong labels. Prices are per row and say nothing of quality. The rows a purchase brings are
    the first ones in an order drawn by the harness, so nothing is delivered twice. No row of the test set is for sale.
    """

    name = "acquisition"
    track = "valuation"
    task = AcquisitionTask
    metric = "reward"
    tie_break = "accuracy"
    settings_class = AcquisitionSettings

    def __init__(self, settings: AcquisitionSettings, dataset: Dataset, model: Any, secret: str) -> None:
        if dataset.n_classes != 2 or dataset.X.ndim != 2:
            raise ProtocolError(
                f"The acquisition protocol shows correlations of features with a two-class label; {dataset.name} has "
                f"{dataset.n_classes} classes and rows of shape {list(dataset.X.shape[1:])}.",
                "Use a tabular data set of two classes, e.g. dataset=breast_cancer.",
            )
        super().__init__(settings, dataset, model, secret)

    def prepare(self, seed: int) -> tuple[View, AcquisitionKey]:
        s, data = self.settings, self.dataset
        pool, _, test = draw_parts(data, s.pool, 0, s.test, self.rng(seed, "split"), s.parts)
        X, y_true = data.X[pool], data.y[pool]
        edges = np.linspace(X.min(axis=0), X.max(axis=0), BINS + 1, dtype=np.float64).T  # [d, 11]
        shown: dict[str, list[Array]] = {name: [] for name in _SHOWN}
        y_sold, stock = np.tile(y_true, (s.markets, 1)), []
        for market in range(s.markets):
            rng = self.rng(seed, f"market {market}")
            lots = self._lots(y_true, rng)
            for lot in lots:
                wrong = lot[rng.permutation(len(lot))[: round(rng.uniform(0, s.noise) * len(lot))]]
                y_sold[market, wrong] = 1 - y_sold[market, wrong]
            for name, value in _summaries(X, y_sold[market], lots, edges, rng).items():
                shown[name].append(value)
            shown["prices"].append(np.exp(s.price_spread * rng.standard_normal(s.sellers)))
            stock.append(tuple(rng.permutation(lot) for lot in lots))
        arrays = {name: np.stack(values) for name, values in shown.items()} | {"edges": edges}
        view = View(arrays, {"n_classes": data.n_classes, "budget": s.budget})
        return view, AcquisitionKey(X, y_true, y_sold, tuple(stock), data.X[test], data.y[test])

    def read_output(self, arrays: Arrays, view: View) -> Arrays:
        """``purchases`` [k, s]: whole rows, in stock, something in every market, nothing over budget."""
        bought, rows = arrays["purchases"], view.arrays["rows"]
        if bought.dtype.kind not in "iu":
            raise SubmissionError(
                f"purchases holds {checks.content(bought)}; whole rows are bought, so it must be integers."
            )
        if bought.shape != rows.shape:
            raise SubmissionError(
                f"purchases has shape {list(bought.shape)}; it must be {list(rows.shape)}, [markets, sellers]."
            )
        for bad, rule in [(bought < 0, "no purchase is below 0"), (bought > rows, "no seller has more than task.rows")]:
            if bad.any():
                i, j = np.argwhere(bad)[0]
                raise SubmissionError(
                    f"purchases[{i}, {j}] is {bought[i, j]}, and the seller has {rows[i, j]} rows; {rule}."
                )
        bought = bought.astype(np.int64)
        empty = np.flatnonzero(bought.sum(axis=1) == 0)
        if len(empty):
            raise SubmissionError(f"purchases[{empty[0]}] buys nothing: market {empty[0]} has no rows to train on.")
        cost, budget = self._cost(bought, view), float(view.scalars["budget"])
        over = np.flatnonzero(cost > budget * (1 + 1e-9))  # sums in another order may differ in the last bits
        if len(over):
            raise SubmissionError(
                f"purchases[{over[0]}] costs {cost[over[0]]:.6g} in market {over[0]}, over the budget of {budget:g}."
            )
        return {"purchases": bought}

    def score(self, output: Arrays, view: View, key: AcquisitionKey, seed: int) -> Score:
        bought = output["purchases"]
        delivered = np.zeros(key.y_sold.shape, np.float32)  # [k, n]
        for market, sellers in enumerate(key.stock):
            for lot, count in zip(sellers, bought[market], strict=True):
                delivered[market, lot[:count]] = 1
        fitted = self.model.fit_many(key.X, weights=delivered, labels=key.y_sold)
        saved = 1 - self._cost(bought, view) / self.settings.budget
        wrong = (delivered * (key.y_sold != key.y_true)).sum() / delivered.sum()
        extra = {"rows_bought": float(delivered.sum(axis=1).mean()), "wrong_label_share": float(wrong)}
        return self._score(fitted.predict(key.X_test) == key.y_test, np.maximum(saved, 0), extra)

    def reference(self, which: Reference, view: View, key: AcquisitionKey, seed: int) -> Score:
        """``random``: rows from random sellers until the budget is spent. ``skyline``: all rows, true labels, for free.

        Nobody can buy that, so the skyline is not reached; it is a bound as far as more clean rows do not hurt.
        """
        if which == "skyline":
            correct = self.model.fit(key.X, key.y_true).predict(key.X_test) == key.y_test
            shape = (self.settings.markets, 1)
            return self._score(np.tile(correct, shape), np.ones(shape[0]), {})
        rng = self.rng(seed, "random reference")
        bought = np.zeros_like(view.arrays["rows"])
        for market, prices in enumerate(view.arrays["prices"]):
            units = rng.permutation(np.repeat(np.arange(len(prices)), view.arrays["rows"][market]))
            affordable = np.cumsum(prices[units]) <= self.settings.budget
            affordable[0] = True
            bought[market] = np.bincount(units[affordable], minlength=len(prices))
        return self.score({"purchases": bought}, view, key, seed)

    def statistic(self, items: Arrays, weights: FloatArray) -> FloatArray:
        reward = ACCURACY * items["correct"] + SAVING * items["saved"]  # [m, k]
        value: FloatArray = weights @ reward.mean(axis=1) / weights.sum(axis=1)
        return value

    def _score(self, correct: Array, saved: FloatArray, extra: dict[str, float]) -> Score:
        """correct [k, m] bool, saved [k] share of the budget kept."""
        m = correct.shape[1]
        items = {"correct": np.ascontiguousarray(correct.T), "saved": np.tile(saved, (m, 1))}
        secondary = {"accuracy": float(correct.mean()), "saved": float(saved.mean()), **extra}
        secondary |= {f"accuracy_market_{i}": float(a) for i, a in enumerate(correct.mean(axis=1))}
        return Score(float(self.statistic(items, np.ones((1, m)))[0]), items, secondary)

    @staticmethod
    def _cost(bought: IntArray, view: View) -> FloatArray:
        cost: FloatArray = (bought * view.arrays["prices"]).sum(axis=1)
        return cost

    def _lots(self, y: IntArray, rng: np.random.Generator) -> list[IntArray]:
        """The pool's rows [n], split among the sellers: sizes and class mixes differ, nothing is sold twice."""
        s = self.settings
        sizes = s.smallest + rng.multinomial(s.pool - s.sellers * s.smallest, rng.dirichlet(np.full(s.sellers, 2.0)))
        taste = s.class_skew * rng.standard_normal(s.sellers)  # log-odds with which a seller prefers class 1
        left, lots = rng.permutation(s.pool), []
        for size, preference in zip(sizes, taste, strict=True):
            keys = rng.exponential(size=len(left)) / np.exp(preference * y[left])
            first = np.argsort(keys, kind="stable")
            lots.append(left[first[:size]])
            left = left[np.sort(first[size:])]
        return lots


_SHOWN = ("rows", "prices", "histograms", "correlations", "X_samples", "y_samples")


def _summaries(
    X: FloatArray, y: IntArray, lots: list[IntArray], edges: FloatArray, rng: np.random.Generator
) -> dict[str, Array]:
    """What the sellers of one market show, stacked over sellers [s, ...]; y [n] are the labels as sold."""
    samples = np.stack([rng.permutation(lot)[:SAMPLES] for lot in lots])
    return {
        "rows": np.array([len(lot) for lot in lots]),
        "histograms": np.stack([_histograms(X[lot], edges) for lot in lots]),
        "correlations": np.stack([_correlations(X[lot], y[lot]) for lot in lots]),
        "X_samples": X[samples],
        "y_samples": y[samples],
    }


def _histograms(X: FloatArray, edges: FloatArray) -> IntArray:
    """Rows per bin and feature, the last bin closed as in ``numpy.histogram``: [d, 10]."""
    return np.stack([np.histogram(column, bins)[0] for column, bins in zip(X.T, edges, strict=True)]).astype(np.int64)


def _correlations(X: FloatArray, y: IntArray) -> FloatArray:
    """Pearson correlation of every feature with the label, 0 where either is constant: [d]."""
    centred, label = X - X.mean(axis=0, dtype=np.float64), y - y.mean()
    scale = np.sqrt((centred**2).sum(axis=0) * (label**2).sum())
    correlation: FloatArray = np.divide(label @ centred, scale, out=np.zeros(len(scale)), where=scale > 1e-12)
    return correlation
