"""One label an item from many votes: majority with shared ties, and Dawid and Skene's model of who errs how.

Source: Dawid and Skene, *Maximum likelihood estimation of observer error-rates using the EM algorithm*, Applied Statistics
28 (1979).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from harness.api import FloatArray, IntArray
from harness.pipeline.annotations.ballots import NOBODY, Cast

_TIE = 1e-9  # posteriors that differ by less are one
_FLOOR = 1e-10  # of a count behind a confusion matrix: a vote never seen is no proof that it never comes
_BLOCK = 10_000_000  # entries of a block of votes by classes


@dataclass(frozen=True)
class DawidSkene:
    """``posterior`` [n, C] of the truth, ``confusion`` [M, C, C] (annotator, truth, vote) and ``prior`` [C]."""

    posterior: FloatArray
    confusion: FloatArray
    prior: FloatArray
    iterations: int
    converged: bool


def dawid_skene(
    cast: Cast, n: int, n_classes: int, *, smoothing: float = 0.0, tolerance: float = 1e-4, most: int = 100
) -> DawidSkene:
    """Maximum likelihood by EM, started from every item's shares of votes.

    Parameters
    ----------
    n: items; one without votes gets the prior.
    smoothing: added to every cell of the counts behind ``confusion``. 0, as in the paper, is the default: half a vote a cell
        costs five points of accuracy where annotators label few items each.
    tolerance, most: ends when no posterior moves by more than this, or after ``most`` iterations (``converged`` is false).

    Sums run over votes sorted by item and annotator, so their order in a file changes no bit. All products are sums of
    logarithms; a count of zero stands as 1e-10, or one annotator alone could rule a class out for good.
    """
    from scipy.sparse import csr_array

    voted, row = np.unique(cast.item, return_inverse=True)
    people, cell = len(cast.annotators), cast.annotator * n_classes + cast.label
    cast_in = csr_array((np.ones(len(cast)), (row, cell)), shape=(len(voted), people * n_classes))
    cast_of = csr_array(cast_in.T)
    votes = np.bincount(row * n_classes + cast.label, minlength=len(voted) * n_classes).reshape(-1, n_classes)
    posterior = votes / votes.sum(axis=1, keepdims=True)
    prior, confusion, step, change = np.empty(0), np.empty(0), 0, np.inf
    while step < most and change > tolerance:
        step += 1
        prior = posterior.mean(axis=0)
        confusion = (cast_of @ posterior).reshape(people, n_classes, n_classes) + max(smoothing, _FLOOR)
        confusion /= confusion.sum(axis=1, keepdims=True)  # axes: annotator, vote, truth
        with np.errstate(divide="ignore"):
            new = np.log(prior) + cast_in @ np.log(confusion).reshape(-1, n_classes)
        new -= _across(np.maximum, new)[:, None]
        np.exp(new, out=new)
        new /= _across(np.add, new)[:, None]
        change = float(np.abs(new - posterior).max())
        posterior = new
    everywhere = np.tile(prior, (n, 1))
    everywhere[voted] = posterior
    return DawidSkene(everywhere, confusion.transpose(0, 2, 1), prior, step, change <= tolerance)


def _across(operation: np.ufunc, array: FloatArray) -> FloatArray:
    """An operation along the short last axis, [n, C] -> [n], in C long steps: several times sooner than numpy's own way."""
    found = array[:, 0].copy()
    for column in array.T[1:]:
        operation(found, column, out=found)
    return found


def majority(counts: IntArray) -> FloatArray:
    """Shares [n, C] of the most voted classes of counts [n, C]: k that are tied have 1/k each; zeros without a vote."""
    top = (counts == counts.max(axis=1, keepdims=True)) & (counts.sum(axis=1, keepdims=True) > 0)
    shares: FloatArray = top / np.maximum(top.sum(axis=1, keepdims=True), 1)
    return shares


def most_probable(posterior: FloatArray) -> FloatArray:
    """Shares [n, C] of the most probable classes; equal ones share as in :func:`majority`."""
    top = posterior >= posterior.max(axis=1, keepdims=True) - _TIE
    shares: FloatArray = top / top.sum(axis=1, keepdims=True)
    return shares


def accuracy(shares: FloatArray, truth: IntArray, voted: IntArray) -> float:
    """Expected accuracy over the items with a known truth and a vote, ties counted by their share; NaN without one.

    shares [n, C]; truth [n] as ``Ballots.gold``; voted [n]: votes an item.
    """
    rows = np.flatnonzero((truth != NOBODY) & (voted > 0))
    known = truth[rows]
    right = np.where(known >= 0, shares[rows, np.maximum(known, 0)], 0.0)
    return float(right.mean()) if len(rows) else float("nan")


def with_others(cast: Cast, counts: IntArray) -> FloatArray:
    """Of every vote [V], its share in the majority of the item's other votes; NaN where there is no other."""
    found = np.full(len(cast), np.nan)
    for block in _blocks(len(cast), counts.shape[1]):
        others = counts[cast.item[block]]
        at = np.arange(len(others)), cast.label[block]
        others[at] -= 1
        share = majority(others)[at]
        found[block] = np.where(others.sum(axis=1) > 0, share, np.nan)
    return found


def _blocks(length: int, width: int) -> Iterator[slice]:
    step = max(1, _BLOCK // width)
    for start in range(0, length, step):
        yield slice(start, start + step)
