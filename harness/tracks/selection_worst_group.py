"""Selection for the worst group: the fixed model, trained on the chosen rows, counts for where it serves people worst."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from pydantic import Field

from harness.api import FloatArray, IntArray
from harness.data.base import Dataset
from harness.errors import ProtocolError
from harness.models.base import BoolArray
from harness.tracks import planting
from harness.tracks.base import Array, Arrays, Reference, Score, View
from harness.tracks.selection import Selection, SelectionKey, SelectionSettings

ROUNDS, DRAWS, STEP = 12, 8, 1.0  # of the oracle: rounds, sets drawn in each, how fast shares follow errors
REST = "rest"


class SelectionWorstGroupSettings(SelectionSettings):
    """See ``conf/track/selection_worst_group.yaml``."""

    attributes: tuple[str, ...] = Field((), min_length=1, validate_default=True)
    cuts: dict[str, tuple[float, ...]] = Field(default_factory=dict)
    least: int = Field(20, ge=1)
    show_groups: bool = True
    blind: bool = False

    def left_out(self) -> frozenset[str]:
        return super().left_out() - ({"group"} if self.show_groups else set())


@dataclass(frozen=True)
class SelectionWorstGroupKey(SelectionKey):
    """What stays hidden: as in selection, and the cell, group x true class, of every row of the pool and tested on."""

    cell: IntArray  # [n] group * C + class
    cell_test: IntArray  # [m] the same of test rows; -1 where the cell has too few of them to count
    groups: tuple[str, ...]


class SelectionWorstGroup(Selection):
    """``worst_group_accuracy``: the lowest accuracy over the cells of group x true class, on hidden test rows.

    The measure, and what a group is, are those of Sagawa et al. (*Distributionally robust neural networks for group shifts*,
    ICLR 2020): combined values of the attributes, crossed with the class, since a model that says no to everybody of a
    group is right for most of it. Values that have fewer than ``least`` test rows in some class are one group, the rest; a cell of
    it that is still smaller does not count. With ``blind`` the columns of X that say no more than an attribute are left out.
    """

    name = "selection_worst_group"
    metric = "worst_group_accuracy"
    curve_axes = ("rows chosen", "worst-group accuracy")
    settings_class = SelectionWorstGroupSettings
    settings: SelectionWorstGroupSettings

    def prepare(self, seed: int) -> tuple[View, SelectionWorstGroupKey]:
        """Raises ProtocolError where no cell has ``least`` test rows, or fewer than two groups are left."""
        s, data = self.settings, self.dataset
        pool, _, test = self._parts(seed)
        group, groups = grouped(data, test, s.attributes, s.cuts, s.least)
        cell = group * data.n_classes + data.y
        rows = np.bincount(cell[test], minlength=len(groups) * data.n_classes)
        view, key = super().prepare(seed)
        arrays = dict(view.arrays) | ({"group": group[pool]} if s.show_groups else {})
        X_test = key.X_test
        if s.blind:
            kept = ~np.any([told(data.X, data.extras[name]) for name in s.attributes], axis=0)
            X_test = np.ascontiguousarray(X_test[:, kept])
            for name in arrays.keys() & {"X", "X_val"}:
                arrays[name] = np.ascontiguousarray(arrays[name][:, kept])
        counted = np.where(rows[cell[test]] >= s.least, cell[test], -1)
        key = replace(key, X_test=X_test)
        return replace(view, arrays=arrays), SelectionWorstGroupKey(
            **vars(key), cell=cell[pool], cell_test=counted, groups=groups
        )

    def reference(self, which: Reference, view: View, key: SelectionKey, seed: int) -> Score:
        """``random``: as in selection. ``skyline``: the best of sets drawn cell by cell, shares told by the hidden rows.

        The whole pool is no skyline: most of it is of the largest cells. The oracle begins with equal shares of all cells and
        raises those on which its sets do worst (multiplicative weights, as Sagawa et al.'s group DRO does with losses), so it
        is the best that balancing can do; a choice of single rows may beat it.
        """
        if which == "random":
            return super().reference(which, view, key, seed)
        assert isinstance(key, SelectionWorstGroupKey)
        rng, cells = self.rng(seed, "oracle"), np.unique(key.cell_test[key.cell_test >= 0])
        shares, best = np.ones(len(cells)), None
        for _ in range(ROUNDS):
            sets = [drawn(key.cell, cells, shares, self.settings.budget, rng) for _ in range(DRAWS)]
            predicted = self.model.fit_many(view.arrays["X"], key.y_clean, subsets=sets).predict(key.X_test)
            accuracy = by_cell((predicted == key.y_test).T, key.cell_test, np.ones((1, len(key.y_test))))[
                0
            ]  # [draws, cells]
            i = int(accuracy.min(axis=1).argmax())
            if best is None or accuracy[i].min() > best[0]:
                best = float(accuracy[i].min()), sets[i]
            shares = shares * np.exp(STEP * (1 - accuracy.mean(axis=0)))
        assert best is not None
        score = self._train_and_test(best[1], key.y_clean, view, key, budgets=())
        return replace(
            score, curve=np.array([(b, score.value) for b in (*self.settings.budgets, self.settings.budget)])
        )

    def statistic(self, items: Arrays, weights: FloatArray) -> FloatArray:
        """The lowest accuracy over cells of ``y_pred`` [m]; of the floor's [m, draws] the mean over its draws."""
        predicted = items["y_pred"].reshape(len(items["cell"]), -1)
        accuracy = by_cell(predicted == items["y_true"][:, None], items["cell"], weights)
        lowest: FloatArray = np.nanmin(accuracy, axis=2).mean(axis=1)
        return lowest

    def _items(self, predicted: IntArray, key: SelectionKey) -> dict[str, Array]:
        assert isinstance(key, SelectionWorstGroupKey)
        return {**super()._items(predicted, key), "cell": key.cell_test}

    def _beside(self, predicted: IntArray, key: SelectionKey) -> tuple[dict[str, float], dict[str, float]]:
        """Accuracy of all rows and the mean of the cells'; the accuracy of every cell, and how many count."""
        assert isinstance(key, SelectionWorstGroupKey)
        right = predicted == key.y_test
        accuracy = by_cell(right[:, None], key.cell_test, np.ones((1, len(right))))[0, 0]
        names = [f"{group} {name}" for group in key.groups for name in self.dataset.class_names]
        counted = np.unique(key.cell_test[key.cell_test >= 0])
        parts = {f"accuracy_{plain(names[c])}": float(a) for c, a in zip(counted, accuracy, strict=True)}
        means = {"accuracy": float(right.mean()), "mean_group_accuracy": float(accuracy.mean())}
        return means, {"groups": float(len(counted)), **parts}


def grouped(
    dataset: Dataset, test: IntArray, attributes: Sequence[str], cuts: Mapping[str, Sequence[float]], least: int
) -> tuple[IntArray, tuple[str, ...]]:
    """The group of every row of the data set, [n] in 0..G-1, and the groups' names.

    A group is a combination of the attributes' values with at least ``least`` of the ``test`` rows in every class; all others
    are one, the rest, which comes last. Raises ProtocolError for columns the data have not, or if fewer than two groups are left.
    """
    member, names = planting.groups(dataset, np.arange(len(dataset.y)), attributes, cuts)
    code = member.argmax(axis=1)
    rows = np.zeros((len(names), dataset.n_classes), np.int64)
    np.add.at(rows, (code[test], dataset.y[test]), 1)
    large = np.flatnonzero(rows.min(axis=1) >= least)
    kept = tuple(re.sub(r"[^ =]+=", "", names[g]) for g in large) + ((REST,) if len(large) < len(names) else ())
    if not len(large) or len(kept) < 2:
        raise ProtocolError(
            f"{len(large)} of the {len(names)} groups of {dataset.name} by {', '.join(attributes)} have {least} test rows or more "
            "in every class: there is no worst of several groups.",
            "Ask for fewer in track.least, for more test rows, or name other track.attributes.",
        )
    place = np.full(len(names), len(large))
    place[large] = np.arange(len(large))
    group: IntArray = place[code]
    return group, kept


def told(X: FloatArray, attribute: npt.NDArray[np.generic]) -> BoolArray:
    """Columns of X [n, d] that are the same for all rows of one value of the attribute [n], whatever the value: [d] bool."""
    alone = np.ones(X.shape[1], bool)
    for value in np.unique(attribute):
        rows = X[attribute == value]
        alone &= rows.min(axis=0) == rows.max(axis=0)
    return alone


def by_cell(right: BoolArray, cell: IntArray, weights: FloatArray) -> FloatArray:
    """Accuracy of each cell: right [m, draws], cell [m] (-1: counts nowhere), weights [r, m] -> [r, draws, cells].

    nan where all weights of a cell are 0.
    """
    weights = np.asarray(weights, np.float64)
    found = []
    for c in np.unique(cell[cell >= 0]):
        w = weights[:, cell == c]
        mass = w.sum(axis=1)[:, None]
        hits = w @ right[cell == c].astype(np.float64)
        found.append(np.divide(hits, mass, out=np.full(hits.shape, np.nan), where=mass > 0))
    return np.stack(found, axis=2)


def drawn(cell: IntArray, cells: IntArray, shares: FloatArray, budget: int, rng: np.random.Generator) -> IntArray:
    """``budget`` rows of the pool drawn without replacement, the cells [g] in these shares (of what is left, as one runs out)."""
    share = np.zeros(cell.max() + 1)
    share[cells] = shares / np.maximum(np.bincount(cell, minlength=len(share))[cells], 1)
    rate = share[cell]
    times = rng.exponential(size=len(cell)) / np.maximum(
        rate, 1e-300
    )  # the first arrivals (Efraimidis and Spirakis, 2006)
    first: IntArray = np.argsort(times, kind="stable")[:budget]
    return first


def plain(name: str) -> str:
    """A name for a metric; signs that would make two classes one are spelled out."""
    for sign, word in (("<=", "at_most_"), (">=", "at_least_"), ("<", "under_"), (">", "over_")):
        name = name.replace(sign, word)
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", name)
