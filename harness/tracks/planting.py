"""Groups of rows on which a fixed model fails: planted through its training rows, or found among given attributes.

Planting follows Domino (Eyuboglu et al., 2022): the model is asked for superclasses, so that a class inside one is a
group nobody names, and the group is made to fail by what the training rows do to it:

- ``rare``: nearly all rows of one class are left out of its superclass;
- ``noisy``: most rows of one class carry the label of another superclass;
- ``correlated``: nearly all rows of a superclass that lie on one side of its own strongest direction are left out, so
  that the superclass goes with an attribute it has nothing to do with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from harness.api import FloatArray, IntArray
from harness.data.base import Dataset
from harness.errors import ProtocolError
from harness.models.base import BoolArray

Kind = Literal["rare", "noisy", "correlated"]


@dataclass(frozen=True)
class Training:
    """What the fixed model is trained on and where it was made to fail."""

    kept: BoolArray  # [n] training rows that are used
    labels: IntArray  # [n] superclass each carries
    member: BoolArray  # [m, s] test row i is in planted slice j


def transposed(X: FloatArray) -> FloatArray:
    """Square pictures with rows and columns exchanged: X [n, s * s] or [n, s, s, ...] -> the same shape.

    A scanner that lies on its side: every value stays in range, every row stays a picture of its class.
    Raises ProtocolError for rows that are no square pictures.
    """
    side = int(np.sqrt(X.shape[1]))
    if X.ndim == 2 and side * side == X.shape[1]:
        return X.reshape(-1, side, side).swapaxes(1, 2).reshape(X.shape)
    if X.ndim > 2 and X.shape[1] == X.shape[2]:
        return np.ascontiguousarray(X.swapaxes(1, 2))
    raise ProtocolError(
        f"Rows of shape {list(X.shape[1:])} are no square pictures; a slice of transposed ones cannot be planted."
    )


def superclasses(n_classes: int, count: int, rng: np.random.Generator) -> IntArray:
    """Class -> superclass 0..count-1: [C] int64; sizes as equal as they can be, drawn at random."""
    of_class = np.empty(n_classes, np.int64)
    of_class[rng.permutation(n_classes)] = np.arange(n_classes) % count
    return of_class


def plant(
    kinds: Sequence[Kind],
    X: FloatArray,
    y: IntArray,
    X_test: FloatArray,
    y_test: IntArray,
    of_class: IntArray,
    *,
    kept: float,
    flipped: float,
    rng: np.random.Generator,
) -> Training:
    """Plant one slice of each kind, every one in a superclass of its own.

    Parameters
    ----------
    X, y: [n, ...] and [n] training rows and their classes; X_test, y_test: the same of the test rows.
    of_class: [C] superclass of each class.
    kept: share of a rare or correlated slice's training rows that stay (at least one row).
    flipped: share of a noisy slice's training rows that carry a random other superclass.

    Raises ProtocolError where there are more kinds than superclasses.
    """
    count = int(of_class.max()) + 1
    if len(kinds) > count:
        raise ProtocolError(f"{len(kinds)} slices need as many superclasses, the protocol has {count}.")
    plan = Training(np.ones(len(y), bool), of_class[y].copy(), np.zeros((len(y_test), len(kinds)), bool))
    for column, (kind, superclass) in enumerate(zip(kinds, rng.permutation(count), strict=False)):
        if kind == "correlated":
            inside, inside_test = _one_side(X, of_class[y] == superclass, X_test, of_class[y_test] == superclass, rng)
        else:
            chosen = rng.choice(np.flatnonzero(of_class == superclass))
            inside, inside_test = y == chosen, y_test == chosen
        rows = rng.permutation(np.flatnonzero(inside))
        if kind == "noisy":
            rows = rows[: round(flipped * len(rows))]
            plan.labels[rows] = (plan.labels[rows] + rng.integers(1, count, len(rows))) % count
        else:
            plan.kept[rows[max(1, round(kept * len(rows))) :]] = False
        plan.member[:, column] = inside_test
    return plan


def spread(plan: Training, y: IntArray, of_class: IntArray, rng: np.random.Generator) -> Training:
    """No slice at all: as many rows left out and as many labels flipped as in ``plan``, but anywhere."""
    count = int(of_class.max()) + 1
    labels, kept = of_class[y].copy(), np.ones(len(y), bool)
    rows = rng.permutation(len(y))
    out, flips = int((~plan.kept).sum()), int((plan.labels != labels).sum())
    kept[rows[:out]] = False
    rows = rows[out : out + flips]
    labels[rows] = (labels[rows] + rng.integers(1, count, len(rows))) % count
    return replace(plan, kept=kept, labels=labels, member=plan.member[:, :0])


def groups(
    dataset: Dataset, rows: IntArray, attributes: Sequence[str], cuts: Mapping[str, Sequence[float]]
) -> tuple[BoolArray, list[str]]:
    """Every intersection of the attributes' values that occurs among ``rows``: member [m, g] and names.

    Raises ProtocolError for a column that the data set does not have, or numbers without cuts.
    """
    codes, parts = np.zeros(len(rows), np.int64), [""]
    for attribute in attributes:
        if attribute not in dataset.extras:
            known = ", ".join(sorted(dataset.extras)) or "none"
            raise ProtocolError(f"{dataset.name} has no column {attribute!r} to form groups by (it has: {known}).")
        column = dataset.extras[attribute]
        if attribute in cuts:
            edges = list(cuts[attribute])
            values = np.digitize(column.astype(np.float64), edges)
            names = [
                f"{a}-{b}"
                for a, b in zip(["", *(f"{e:g}" for e in edges)], [*(f"{e:g}" for e in edges), ""], strict=True)
            ]
        elif column.dtype.kind in "fc":
            raise ProtocolError(f"Column {attribute!r} of {dataset.name} holds numbers; give track.cuts.{attribute}.")
        else:
            found, values = np.unique(column, return_inverse=True)
            names = [str(v) for v in found]
        codes = codes * len(names) + values[rows]
        parts = [f"{p} {attribute}={v}".strip() for p in parts for v in names]
    present = np.unique(codes)
    return codes[:, None] == present, [parts[c] for c in present]


def failing(wrong: BoolArray, member: BoolArray, at_least: int) -> IntArray:
    """Columns of member [m, g] where the model really fails: ``at_least`` rows and an error rate above that of all
    other rows by two standard errors. Largest gap first.
    """
    gap, error = error_gaps(wrong, member)
    found = np.flatnonzero((member.sum(axis=0) >= at_least) & (gap > 2 * error))
    ordered: IntArray = found[np.argsort(-gap[found], kind="stable")]
    return ordered


def error_gaps(wrong: BoolArray, member: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Error rate inside each column of member [m, g] less that outside, and its standard error: [g], [g]."""
    inside = member.sum(axis=0)
    outside = len(wrong) - inside
    hits = wrong @ member.astype(np.float64)
    p, q = hits / np.maximum(inside, 1), (wrong.sum() - hits) / np.maximum(outside, 1)
    return p - q, np.sqrt(p * (1 - p) / np.maximum(inside, 1) + q * (1 - q) / np.maximum(outside, 1))


def _one_side(
    X: FloatArray, inside: BoolArray, X_test: FloatArray, inside_test: BoolArray, rng: np.random.Generator
) -> tuple[BoolArray, BoolArray]:
    """Rows beyond the mean of the inner training rows along their first principal component, either side."""
    flat, flat_test = (a.reshape(len(a), -1).astype(np.float64) for a in (X, X_test))
    centre = flat[inside].mean(axis=0)
    direction = np.linalg.svd(flat[inside] - centre, full_matrices=False)[2][0]
    direction *= np.sign(direction[np.abs(direction).argmax()]) * rng.choice([-1, 1])  # LAPACK's sign is arbitrary
    return inside & ((flat - centre) @ direction > 0), inside_test & ((flat_test - centre) @ direction > 0)
