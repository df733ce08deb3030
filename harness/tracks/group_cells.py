"""Cells of group and class: who belongs to which, how a model does on each, rows drawn cell by cell."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from harness.api import FloatArray, IntArray
from harness.data.base import Dataset
from harness.errors import ProtocolError
from harness.models.base import BoolArray
from harness.tracks import planting

REST = "rest"


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


def untold(dataset: Dataset, attributes: Sequence[str]) -> IntArray:
    """Columns of X [n, d], rising, that say more than one of the attributes: all but those that are the same for all rows of a value.

    Raises ProtocolError where X is no table, or no column is left.
    """
    X = dataset.X
    if X.ndim != 2:
        raise ProtocolError(
            f"X of {dataset.name} has rows of shape {list(X.shape[1:])}; only columns of a table can be left out.",
            "Set track.blind to false.",
        )
    told = np.zeros(X.shape[1], bool)
    for name in attributes:
        column = dataset.extras[name]
        parts = [X[column == value] for value in np.unique(column)]
        told |= np.all([rows.min(axis=0) == rows.max(axis=0) for rows in parts], axis=0)
    if told.all():
        raise ProtocolError(
            f"No column of {dataset.name} says more than {' or '.join(attributes)}.", "Set track.blind to false."
        )
    return np.flatnonzero(~told)


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
