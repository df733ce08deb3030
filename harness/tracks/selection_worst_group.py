"""Selection for the worst group: the fixed model, trained on the chosen rows, counts for where it serves people worst."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from pydantic import Field

from harness.api import FloatArray, IntArray
from harness.tracks import metrics
from harness.tracks.base import Array, Arrays, Reference, Score, View
from harness.tracks.group_cells import by_cell, drawn, grouped, untold
from harness.tracks.selection import Selection, SelectionKey, SelectionSettings

ROUNDS, DRAWS, STEP = 12, 8, 1.0  # of the oracle: rounds, sets drawn in each, how fast shares follow errors


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
        if s.blind:
            columns = untold(data, s.attributes)
            key = replace(key, X_test=np.ascontiguousarray(key.X_test[:, columns]))
            for name in arrays.keys() & {"X", "X_val"}:
                arrays[name] = np.ascontiguousarray(arrays[name][:, columns])
        counted = np.where(rows[cell[test]] >= s.least, cell[test], -1)
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
        shares, each = np.ones(len(cells)), np.ones((1, len(key.y_test)))
        tried: list[tuple[float, IntArray]] = []
        for _ in range(ROUNDS):
            sets = [drawn(key.cell, cells, shares, self.settings.budget, rng) for _ in range(DRAWS)]
            predicted = self.model.fit_many(view.arrays["X"], key.y_clean, subsets=sets).predict(key.X_test)
            accuracy = by_cell((predicted == key.y_test).T, key.cell_test, each)[0]  # [draws, cells]
            tried += zip(accuracy.min(axis=1).tolist(), sets, strict=True)
            shares = shares * np.exp(STEP * (1 - accuracy.mean(axis=0)))
        _, best = max(tried, key=lambda one: one[0])
        score = self._train_and_test(best, key.y_clean, view, key, budgets=())
        level = [(b, score.value) for b in (*self.settings.budgets, self.settings.budget)]
        return replace(score, curve=np.array(level, np.float64))

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
        parts = {f"accuracy_{metrics.named(names[c])}": float(a) for c, a in zip(counted, accuracy, strict=True)}
        means = {"accuracy": float(right.mean()), "mean_group_accuracy": float(accuracy.mean())}
        return means, {"groups": float(len(counted)), **parts}
