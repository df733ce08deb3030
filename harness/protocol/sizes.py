"""Sizes of a track's parts that suit a number of rows and classes: where an organiser begins, not where one has to end."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.data import Dataset
from harness.data.base import TEST, TRAIN
from harness.data.own.assemble import RESERVED
from harness.errors import ProtocolError

_LEAST = 60  # rows below which no track can tell methods apart
_VALUES = 10  # more values than these of a column beside X make no groups


def settings_for(track: str, dataset: Dataset, *, by_part: bool = False, by_time: bool = False) -> dict[str, Any]:
    """The track's settings that depend on the data; others keep their defaults.

    Parameters
    ----------
    track: one of :data:`TITLES`.
    by_part, by_time: rows are split by the official parts, or by time.

    Raises
    ------
    ProtocolError: too few rows, official parts without test rows, or no column of groups where the track is about them.
    """
    n, classes = len(dataset.y), dataset.n_classes
    if n < _LEAST:
        raise ProtocolError(
            f"{dataset.name} has {n} rows; a challenge that tells methods apart needs {_LEAST} or more."
        )
    parts = dataset.extras.get("part")
    train = int(np.sum(parts == TRAIN)) if by_part and parts is not None else n // 2
    settings: dict[str, Any] = _SIZES[track](train, n, classes)
    if by_part and track in _BY_PARTS:
        if parts is None or not np.any(parts == TEST):
            raise ProtocolError("The official parts name no test rows.", "Values are train, validation and test.")
        settings["parts"] = "official"
    if by_time and track in _BY_PARTS:
        settings["parts"] = "time"
    if track == "annotation" and "vote_label" in dataset.extras:
        settings["workers"] = None  # people's votes rather than simulated ones
    if track == "selection_worst_group":
        settings["attributes"] = _attributes(dataset)
    return settings


def _attributes(dataset: Dataset) -> list[str]:
    """The columns kept beside X that tell groups."""
    beside = {name: column for name, column in dataset.extras.items() if name not in RESERVED}
    if names := [name for name, column in beside.items() if 1 < len(np.unique(column)) <= _VALUES]:
        return names
    raise ProtocolError(
        f"No column beside X of {dataset.name} has 2 to {_VALUES} values: there are no groups, and no worst one.",
        "Say which column tells them: --set columns.NAME=category+meta, or --set columns.NAME=meta to keep it from the model.",
    )


def _learning(train: int, n: int, classes: int) -> dict[str, Any]:
    rows = min(300, max(30, train * 3 // 5))
    return {"train": rows, "validation": min(100, max(classes, rows // 3))}


def _selection(train: int, n: int, classes: int) -> dict[str, Any]:
    pool = min(1000, train)
    budget = min(max(2 * classes, pool // 20), pool // 2)
    return {"pool": pool, "budget": budget, "budgets": sorted({max(1, budget // 4), max(1, budget // 2)} - {budget})}


def _worst_group(train: int, n: int, classes: int) -> dict[str, Any]:
    return _selection(train, n, classes) | {"least": min(20, max(3, (n - min(1000, train)) // 50))}


def _active(train: int, n: int, classes: int) -> dict[str, Any]:
    pool = min(1000, train)
    batch = max(1, min(20, pool // 12))
    return {"pool": pool, "initial": max(batch, classes), "batch": batch, "rounds": 8}


def _crowd(train: int, n: int, classes: int) -> dict[str, Any]:
    pool = min(1000, train)
    return {"pool": pool, "initial": min(max(30, classes), pool // 2), "wage": min(120, pool // 6)}


def _slicing(train: int, n: int, classes: int) -> dict[str, Any]:
    superclasses = min(5, max(2, classes // 2))
    planted = ["noisy", "correlated"] if superclasses < 3 else ["rare", "noisy", "correlated"]
    rows = min(600, train * 2 // 3)
    test = n - rows - rows // 3
    support = min(50, max(10, test // 20))
    return {
        "train": rows, "validation": rows // 3, "superclasses": superclasses, "planted": planted,
        "support": support, "top": min(25, support),
    }  # fmt: skip


def _training_set(train: int, n: int, classes: int) -> dict[str, Any]:
    raw = min(300, n // 6)  # drawn so that one class is ten times rarer than another
    return {"raw": raw, "test": min(600, n // 3), "cap": 2 * raw}


def _test_set(train: int, n: int, classes: int) -> dict[str, Any]:
    pool = n // 2
    rows = (n - pool) // 6
    budget = min(40, pool // 4)
    return {"pool": pool, "budget": budget, "class_floor": max(1, min(2, budget // (2 * classes))),
            "public_rows": rows, "hidden_rows": rows}  # fmt: skip


def _repair(train: int, n: int, classes: int) -> dict[str, Any]:
    test = min(600, n // 2)
    share = (n - test) // 16
    return {"test": test, "budget": test // 5, "public_rows": 3 * share,
            "hidden_rows": [share, 2 * share, 3 * share, 4 * share]}  # fmt: skip


def _attribution(train: int, n: int, classes: int) -> dict[str, Any]:
    return {"train": min(300, train * 3 // 5), "queries": min(100, n // 5)}


def _distillation(train: int, n: int, classes: int) -> dict[str, Any]:
    raw = min(1000, n // 2)
    return {"raw": raw, "test": min(1000, n - raw), "cap": max(classes, min(10, raw // 10))}


def _annotation(train: int, n: int, classes: int) -> dict[str, Any]:
    return {"items": min(600, train)}


_SIZES = {
    "debugging": _learning,
    "debugging_correct": _learning,
    "selection": _selection,
    "selection_worst_group": _worst_group,
    "selection_active": _active,
    "selection_active_crowd": _crowd,
    "slicing": _slicing,
    "valuation": _learning,
    "attribution": _attribution,
    "distillation": _distillation,
    "training_set": _training_set,
    "test_set": _test_set,
    "test_set_repair": _repair,
    "annotation": _annotation,
    "weighting": _learning,
}
_BY_PARTS = (
    "debugging", "debugging_correct", "selection", "selection_worst_group", "selection_active", "selection_active_crowd",
    "slicing", "valuation", "attribution", "annotation", "weighting",
)  # fmt: skip
TITLES = {
    "debugging": "Find the wrong labels",
    "debugging_correct": "Find the wrong labels and mend them",
    "selection": "Choose the rows to train on",
    "selection_worst_group": "Choose the rows to train on so that no group is served badly",
    "selection_active": "Choose which rows to label, a few at a time",
    "selection_active_crowd": "Choose whom to ask about which rows",
    "slicing": "Find the groups of rows on which a model fails",
    "valuation": "Value each training row",
    "attribution": "Say which training rows make a model sure of which others",
    "distillation": "Put many rows into a few",
    "training_set": "Make a training set of dirty rows",
    "test_set": "Pick the rows that unseen models get wrong",
    "test_set_repair": "Repair a test set with wrong labels",
    "annotation": "Make one label of many annotators' votes",
    "weighting": "Weight the training rows, some of them wrong",
}
"""Protocols that a challenge can be made for from any labelled rows, and what they ask for."""
