"""From columns to a data set: labels and attributes of the rows, and what is worth a second look, in sentences."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from harness.api import IntArray, Texts
from harness.data.base import Dataset
from harness.data.own import roles, votes
from harness.data.own.roles import Array, Classes, Where
from harness.data.own.settings import OwnSettings
from harness.data.own.sheet import Sheet
from harness.errors import ProtocolError

_FEW = 10  # rows of a class
RESERVED = frozenset({"id", "group", "time", "part", "votes", "vote_label", "vote_annotator"})
"""Names in ``extras`` that have a meaning of their own; all others are columns kept beside X."""


def attributes(
    settings: OwnSettings, table: Sheet, labels: Classes, ids: Sequence[str] | None = None
) -> dict[str, Array]:
    """``id`` always; ``group``, ``time``, ``part`` and the votes where the settings name them.

    ``ids``: those of data that have names of their own, such as files.
    """
    where, n = table.where, len(table)
    found: dict[str, Array] = {
        "id": roles.ids(table.column(settings.id, "id") if settings.id else ids, n, where),
    }
    if settings.group:
        found["group"] = roles.groups(table.column(settings.group, "group"), where)
    if settings.time:
        found["time"] = roles.times(table.column(settings.time, "time"), where)
    if settings.part:
        found["part"] = roles.parts(table.column(settings.part, "part"), where)
    if isinstance(settings.votes, str):
        found |= votes.read(settings.votes_file(), found["id"], labels.names)
    elif settings.votes:
        cells = {name: table.column(name, "votes") for name in settings.votes}
        found |= votes.tally(votes.from_columns(cells, where), n, labels.names)
        found |= {name: _one_annotator(column, labels.names) for name, column in cells.items()}
    return found


def kept(extras: Mapping[str, Array], meta: Mapping[str, Array]) -> dict[str, Array]:
    """The attributes of the rows and the columns kept beside them. Raises ProtocolError where one has the name of another."""
    if clash := sorted(meta.keys() & (RESERVED | extras.keys())):
        raise ProtocolError(f"The column {clash[0]!r} cannot be kept as meta: that name has a meaning of its own.")
    return {**extras, **meta}


def _one_annotator(cells: Sequence[str], classes: Sequence[str]) -> IntArray:
    """One person's labels, -1 where there is none: a noise kind of the debugging track."""
    code = {name: c for c, name in enumerate(classes)} | {"": -1}
    return np.array([code[cell] for cell in cells], np.int64)


def dataset(
    name: str,
    X: npt.NDArray[np.float32],
    labels: Classes,
    extras: Mapping[str, Array],
    where: Where,
    notes: Sequence[str],
    *,
    texts: Texts | None = None,
    features: Sequence[str] = (),
) -> Dataset:
    """The data set with its findings as notes. Raises ProtocolError where a group is in several official parts."""
    if "group" in extras and "part" in extras:
        roles.unmixed(extras["group"], extras["part"].astype(np.int64), where)
    content = [texts.encoded(i) for i in range(len(texts))] if texts is not None else [row.tobytes() for row in X]
    part = extras.get("part")
    found = [
        *_rare_classes(labels),
        *_constant(X, features),
        *_twins(content, labels, part.astype(np.int64) if part is not None else None, where),
    ]
    return Dataset(name, X, labels.y, labels.names, extras, texts, (*notes, *found))


def _rare_classes(labels: Classes) -> list[str]:
    counts = np.bincount(labels.y, minlength=len(labels.names))
    return [
        f"Class {name!r} has {count} rows: too few to tell methods apart by it."
        for name, count in zip(labels.names, counts, strict=True)
        if count < _FEW
    ]


def _constant(X: npt.NDArray[np.float32], features: Sequence[str]) -> list[str]:
    if not features:  # of pixels and hashed text many are, and it says nothing
        return []
    flat = X.reshape(len(X), -1)
    same = np.flatnonzero((flat == flat[:1]).all(axis=0))
    if not len(same):
        return []
    which = ", ".join(features[j] for j in same[:8])
    return [f"{len(same)} of {flat.shape[1]} features are the same in every row: {which}{' ...' * (len(same) > 8)}."]


def _twins(content: Sequence[bytes], labels: Classes, part: IntArray | None, where: Where) -> list[str]:
    """Equal rows: how many, across official parts, with different labels."""
    rows_of: dict[bytes, list[int]] = {}
    for i, bytes_ in enumerate(content):
        rows_of.setdefault(hashlib.blake2b(bytes_, digest_size=16).digest(), []).append(i)
    twins = [rows for rows in rows_of.values() if len(rows) > 1]
    across = [rows for rows in twins if part is not None and len(set(part[rows].tolist())) > 1]
    torn = [rows for rows in twins if len(set(labels.y[rows].tolist())) > 1]
    notes = []
    if twins:
        notes.append(f"{sum(map(len, twins))} rows are equal to another in all features, e.g. {where(twins[0][:2])}.")
    if across:
        notes.append(
            f"{sum(map(len, across))} of them are in more than one official part, e.g. {where(across[0][:2])}."
        )
    if torn:
        notes.append(f"{sum(map(len, torn))} of them have different labels, e.g. {where(torn[0][:2])}.")
    return notes
