"""Cleaning: repair the cells of a table and say which rows to keep; the fixed model learns from them, behind an encoder of ours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import Field

from harness.api import CleaningTask, FloatArray, IntArray, Texts
from harness.data import noise
from harness.data.cell_errors import ErrorRates, plant
from harness.data.cells import Cells, CellTable, Encoder, code, levels_of
from harness.errors import ProtocolError, SubmissionError
from harness.models.base import BoolArray
from harness.tracks import checks, metrics
from harness.tracks.base import Array, Arrays, Reference, Score, Settings, Track, View
from harness.tracks.drawing import Parts, draw_parts


class CleaningSettings(Settings):
    """See ``conf/track/cleaning.yaml``."""

    train: int = Field(300, ge=2)
    test: int = Field(0, ge=0)
    parts: Parts = "random"
    planted: ErrorRates | None = None
    tolerance: float = Field(0.1, ge=0)


@dataclass(frozen=True)
class CleaningKey:
    """What stays hidden: the true cells and labels of the rows, which rows repeat another, and a clean test set."""

    clean: FloatArray  # [n, d] coded as the view; nan where a cell really has no value, -1 for a level not in the list
    y_true: IntArray  # [n]
    repeated: BoolArray  # [n]
    test: FloatArray  # [m, d]
    y_test: IntArray  # [m]


class Cleaning(Track[CleaningSettings, CleaningKey]):
    """Macro-F1, on clean hidden rows, of the fixed model trained on the repaired cells of the kept rows.

    Cells become features by :class:`harness.data.cells.Encoder`, whose constants come from what was handed in alone. After
    CleanML (Li et al., ICDE 2021), which judges cleaning by the model learned from it. How well errors were found and mended,
    cell by cell, as error correction is judged (Mahdavi and Abedjan, Baran, VLDB 2020), stands beside it.
    """

    name = "cleaning"
    track = "cleaning"
    task = CleaningTask
    metric = "macro_f1"
    tie_break = "accuracy"
    settings_class = CleaningSettings
    dataset: CellTable

    def rows(self, seed: int) -> IntArray:
        return self._parts(seed)[0]

    def prepare(self, seed: int) -> tuple[View, CleaningKey]:
        data = self._table()
        train, test = self._parts(seed)
        y_true, y, dirty = data.y[train], data.y[train], self._dirty(data, train, seed)
        repeated = np.zeros(len(train), bool)
        if rates := self.settings.planted:
            first = np.unique(train, return_index=True)[1]  # of rows that are there twice
            repeated[np.setdiff1d(np.arange(len(train)), first)] = True
            y = noise.uniform_flips(y, rates.labels, data.n_classes, self.rng(seed, "noise"))
        for c in np.setdiff1d(y_true, y):  # every class keeps a label
            y[np.flatnonzero(y_true == c)[0]] = c
        levels = levels_of(dirty, data.columns, data.markers)
        clean, tested = (code(data.clean[part], data.columns, levels, data.markers) for part in (train, test))
        view = self._view(data, dirty, levels, y)
        return view, CleaningKey(clean, y_true, repeated, tested, data.y[test])

    def read_output(self, arrays: Arrays, view: View) -> Arrays:
        given = view.arrays
        cells = checks.finite(arrays["cells"], name="cells", shape=given["cells"].shape)
        changed = ~(cells == given["cells"])
        low, high = given["least"], given["most"]
        whole = ~given["is_category"] | (cells == np.floor(cells))
        bad = np.argwhere(changed & ((cells < low) | (cells > high) | ~whole))
        if len(bad):
            i, j = bad[0]
            rule = "a changed number must lie between task.least = {:g} and task.most = {:g} of its column"
            if given["is_category"][j]:
                rule = "a changed level must be a code of its column, one of the whole numbers from {:g} to {:g}"
            raise SubmissionError(
                f"cells[{i}, {j}] is {cells[i, j]:g}; {rule.format(low[j], high[j])}.",
                "numpy.clip(cells, task.least, task.most) keeps to the domain; round codes before.",
            )
        y = given["y"]
        keep = checks.mask(arrays["keep"], name="keep", length=len(y))
        lost = np.setdiff1d(y, y[keep])
        if len(lost):
            raise SubmissionError(
                f"keep drops every row of class {lost[0]} ({self.dataset.class_names[lost[0]]}); the fixed model needs at "
                "least one row of every class.",
                "Keep a row of each class.",
            )
        return {"cells": cells, "keep": keep}

    def score(self, output: Arrays, view: View, key: CleaningKey, seed: int) -> Score:
        keep = output["keep"]
        score = self._train_and_test(output["cells"][keep], view.arrays["y"][keep], key)
        beside = self._repairs(view.arrays["cells"], output["cells"], keep, key)
        return Score(score.value, score.items, {**score.metrics, **beside})

    def reference(self, which: Reference, view: View, key: CleaningKey, seed: int) -> Score:
        """``random``: what is missing, no number or out of its domain is drawn from the column. ``skyline``: the truth, once."""
        if which == "skyline":
            once = ~key.repeated
            return self._train_and_test(key.clean[once], key.y_true[once], key)
        arrays = view.arrays
        cells = random_fill(
            arrays["cells"], suspects(arrays), arrays["least"], arrays["most"], self.rng(seed, "random reference")
        )
        return self.score({"cells": cells, "keep": np.ones(len(cells), bool)}, view, key, seed)

    def statistic(self, items: Arrays, weights: FloatArray) -> FloatArray:
        return metrics.macro_f1(items["y_true"], items["y_pred"], self.dataset.n_classes, weights)

    def suspicious_above(self, skyline: float) -> float:
        """Half-way between the skyline and 1: dropping rows that are hard to learn from may honestly beat the truth."""
        return (1 + skyline) / 2

    def _train_and_test(self, cells: FloatArray, y: IntArray, key: CleaningKey) -> Score:
        encode = Encoder(cells, self._table().columns)
        predicted = self.model.fit(encode(cells), y).predict(encode(key.test))
        items = {"y_true": key.y_test, "y_pred": predicted}
        recall = metrics.recall(key.y_test, predicted, self.dataset.n_classes)
        secondary = {
            "accuracy": float(np.mean(predicted == key.y_test)),
            "balanced_accuracy": float(np.nanmean(recall)),
            "rows": float(len(y)),
        }
        return Score(float(self.statistic(items, np.ones((1, len(predicted))))[0]), items, secondary)

    def _repairs(self, given: FloatArray, repaired: FloatArray, keep: BoolArray, key: CleaningKey) -> dict[str, float]:
        """Detection and repair of wrong cells. A cell that has no true value counts nowhere, whatever was filled in."""
        category = np.array([column.kind == "category" for column in self._table().columns])
        spread = np.nanstd(np.where(category | ~np.isfinite(key.clean), 0.0, key.clean), axis=0)
        near = np.where(category, 0.0, self.settings.tolerance * spread)
        known = np.isfinite(key.clean)
        wrong = known & ~(given == key.clean)
        changed = known & keep[:, None] & ~(given == repaired)
        mended = changed & wrong & (np.abs(repaired - np.where(known, key.clean, 0.0)) <= near)
        found = precision_recall(int((changed & wrong).sum()), int(changed.sum()), int(wrong.sum()))
        right = precision_recall(int(mended.sum()), int(changed.sum()), int(wrong.sum()))
        names = ("precision", "recall", "f1")
        named = {f"detection_{name}": value for name, value in zip(names, found, strict=True)}
        return named | {f"repair_{name}": value for name, value in zip(names, right, strict=True)}

    def _table(self) -> CellTable:
        if not isinstance(self.dataset, CellTable):
            raise ProtocolError(
                f"{self.dataset.name} has features and no cells; cleaning needs a table of cells.",
                "digit_cells and letter_cells are tables of cells.",
            )
        return self.dataset

    def _parts(self, seed: int) -> tuple[IntArray, IntArray]:
        """Rows shown, some of them twice, and rows tested on."""
        s, rng = self.settings, self.rng(seed, "split")
        repeats = round(s.planted.duplicates * s.train) if s.planted else 0
        train, _, test = draw_parts(self.dataset, s.train - repeats, 0, s.test, rng, s.parts)
        again = np.concatenate([train, train[rng.integers(len(train), size=repeats)]])
        return (again[rng.permutation(len(again))] if repeats else train), test

    def _dirty(self, data: CellTable, rows: IntArray, seed: int) -> Cells:
        if self.settings.planted:
            return plant(data.clean[rows], data.columns, self.settings.planted, self.rng(seed, "errors"))
        if not len(data.dirty):
            raise ProtocolError(f"{data.name} has no errors of its own.", "Set track.planted to rates of errors.")
        return data.dirty[rows]

    def _view(self, data: CellTable, dirty: Cells, levels: list[list[str]], y: IntArray) -> View:
        cells = code(dirty, data.columns, levels, data.markers)
        domain = [
            (0.0, len(known) - 1.0) if column.kind == "category" else (column.least, column.most)
            for column, known in zip(data.columns, levels, strict=True)
        ]
        least, most = np.array(domain, np.float64).T
        allowed = [
            not column.values or level in column.values
            for column, known in zip(data.columns, levels, strict=True)
            for level in known
        ]
        arrays: dict[str, Array] = {
            "cells": cells,
            "missing": np.isin(dirty, data.markers),
            "y": y,
            "is_category": np.array([column.kind == "category" for column in data.columns]),
            "least": np.ascontiguousarray(least),
            "most": np.ascontiguousarray(most),
            "first_level": np.cumsum([0, *map(len, levels)], dtype=np.int64),
            "allowed": np.array(allowed, bool),
        }
        texts = {
            "levels": Texts.of(level for known in levels for level in known),
            "names": Texts.of(column.name for column in data.columns),
            "raw": Texts.of(dirty.ravel().tolist()),
        }
        return View(arrays, {"n_classes": data.n_classes}, texts)


def suspects(arrays: Arrays) -> BoolArray:
    """Cells [n, d] of a view that are missing, no number, or out of their column's domain."""
    cells, first = arrays["cells"], arrays["first_level"]
    found: BoolArray = ~np.isfinite(cells) | (cells < arrays["least"]) | (cells > arrays["most"])
    for j in np.flatnonzero(arrays["is_category"]):
        allowed = arrays["allowed"][first[j] : first[j + 1]]
        known = np.isfinite(cells[:, j])
        found[known, j] |= ~allowed[cells[known, j].astype(np.int64)]
    return found


def random_fill(
    cells: FloatArray, holes: BoolArray, least: FloatArray, most: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """A copy of cells [n, d] with each hole filled by an entry of its column that is none; by the domain's least where all are."""
    filled = cells.copy()
    for j in range(cells.shape[1]):
        hole = holes[:, j]
        entries = cells[~hole, j]
        if not len(entries):
            entries = np.clip([0.0], least[j], most[j])
        filled[hole, j] = entries[rng.integers(len(entries), size=int(hole.sum()))]
    return filled


def precision_recall(hits: int, claimed: int, there: int) -> tuple[float, float, float]:
    """Precision, recall and F1 of hits among what was claimed and what is there; nan where there is nothing to find."""
    if not there:
        return float("nan"), float("nan"), float("nan")
    return (hits / claimed if claimed else 0.0), hits / there, 2 * hits / (claimed + there)
