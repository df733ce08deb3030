"""Data that stand in for an organiser's own: of the same shape, the same kinds of columns and classes, and made up.

Nothing here looks at a value of the real rows but for: how many there are, names of columns and classes, how many rows
each official part has, how many groups and levels a column has.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.api import FloatArray, IntArray
from harness.data import Dataset
from harness.data.base import TEST, TRAIN, VALIDATION
from harness.randomness import OPEN_SECRET, generator
from harness.tracking.files import array_bytes, write_new

_PARTS = {TRAIN: "train", VALIDATION: "validation", TEST: "test"}
_APART = 3.0  # mean distance of two classes, in standard deviations: most rows can be told, not all
_SYLLABLES = [c + v for c in "bdfgklmnprstvz" for v in "aeiou"]
_VOTES = ("votes", "vote_label", "vote_annotator")
Array = npt.NDArray[Any]


def write(dataset: Dataset, settings: dict[str, Any], folder: Path, name: str, version: int) -> dict[str, Any]:
    """Write made-up data below ``folder`` and return the settings of the data set that they are.

    ``settings``: those of the real data set. The same name and version give the same data.
    """
    rng = generator(OPEN_SECRET, 0, f"stand-in for {name} {version}")
    n, classes = len(dataset.y), dataset.n_classes
    y = rng.permutation(np.arange(n) % classes)
    columns = _columns(dataset, settings, y, rng)
    roles = {role: role for role in ("id", "group", "time", "part") if role in columns}
    meta = [column for column in columns if column not in (*roles, "votes", *_annotators(settings))]
    if dataset.texts is not None:
        columns.pop("votes", None)
        votes = {"votes": list(_annotators(settings))} if "votes" in dataset.extras and _annotators(settings) else {}
        kept = {key: settings[key] for key in ("features", "dimension") if key in settings}
        kept = kept or {"dimension": dataset.X.shape[1]}
        table = {"text": _documents(y, rng), "label": _names(dataset, y), **columns}
        write_new(folder / "documents.csv", _csv(table).encode())
        plain: dict[str, Any] = {"name": "text", "path": f"{folder.name}/documents.csv", "text": "text", "label": "label"}
        return plain | kept | roles | votes | ({"meta": meta} if meta else {})
    arrays = {"X": _inputs(dataset.X, y, classes, rng), "y": _names(dataset, y), **columns}
    for column, array in arrays.items():
        write_new(folder / f"{column}.npy", array_bytes(array))
    votes = {"votes": "votes"} if "votes" in columns else {}
    meta += [column for column in _annotators(settings) if column in columns]
    return {"name": "arrays", "path": folder.name} | roles | votes | ({"meta": meta} if meta else {})


def _names(dataset: Dataset, y: IntArray) -> Array:
    return np.array(dataset.class_names)[y]


def _annotators(settings: dict[str, Any]) -> tuple[str, ...]:
    votes = settings.get("votes")
    return tuple(votes) if isinstance(votes, list | tuple) else ()


def _columns(dataset: Dataset, settings: dict[str, Any], y: IntArray, rng: np.random.Generator) -> dict[str, Array]:
    """What the real rows have beside inputs and labels, made up."""
    n, found = len(y), {}
    part = _part(dataset, rng)
    for name, real in dataset.extras.items():
        if name == "id":
            found[name] = np.array([f"r{i:06}" for i in range(n)])
        elif name == "part":
            found[name] = np.array([_PARTS[int(p)] for p in part])
        elif name == "group":
            found[name] = _groups(len(np.unique(real)), part, rng)
        elif name == "votes":
            found[name] = rng.multinomial(5, _around(y, dataset.n_classes)).astype(np.int64)
        elif name in _VOTES:
            continue
        elif name in _annotators(settings):
            wrong = rng.random(n) < 0.2
            said = np.where(wrong, rng.integers(0, dataset.n_classes, n), y)
            found[name] = said.astype(np.int64) if dataset.texts is None else _names(dataset, said)
        elif real.dtype.kind == "M":
            days = np.datetime64("2000-01-01") + rng.permutation(n).astype("timedelta64[D]")
            found[name] = np.datetime_as_string(days)
        elif name == "time":
            found[name] = rng.permutation(n).astype(np.int64)
        elif real.dtype.kind == "f":
            found[name] = rng.normal(size=real.shape).astype(real.dtype)
        else:
            levels = rng.integers(0, max(2, min(len(np.unique(real)), 8)), real.shape)
            found[name] = (
                levels.astype(real.dtype) if real.dtype.kind in "iub" else np.char.add("level", levels.astype(str))
            )
    return found


def _part(dataset: Dataset, rng: np.random.Generator) -> IntArray:
    """Official parts of the same sizes; all rows in one where there are none."""
    if "part" not in dataset.extras:
        return np.zeros(len(dataset.y), np.int64)
    return rng.permutation(np.sort(dataset.extras["part"].astype(np.int64)))


def _groups(count: int, part: IntArray, rng: np.random.Generator) -> Array:
    """About as many groups, none in two parts."""
    sizes = {p: max(1, round(count * np.mean(part == p))) for p in _PARTS}
    return np.array([f"g{p}_{rng.integers(sizes[int(p)])}" for p in part])


def _around(y: IntArray, classes: int) -> FloatArray:
    chances: FloatArray = np.full((len(y), classes), 0.3 / classes)
    chances[np.arange(len(y)), y] += 0.7
    return chances


def _inputs(real: FloatArray, y: IntArray, classes: int, rng: np.random.Generator) -> FloatArray:
    """Clouds of points, one a class; squeezed into 0..1 where the real ones are pictures."""
    d = int(np.prod(real.shape[1:]))
    centres = rng.normal(size=(classes, d)) * _APART / np.sqrt(2 * d)
    X = centres[y] + rng.normal(size=(len(y), d))
    if real.ndim > 2:
        X = 1 / (1 + np.exp(-X))
    made: FloatArray = X.astype(np.float32).reshape(real.shape)
    return made


def _documents(y: IntArray, rng: np.random.Generator) -> Array:
    """Twenty made-up words each; a few are of the class's own."""
    words = np.array(["".join(rng.choice(_SYLLABLES, 3)) for _ in range(200 + 40 * (int(y.max()) + 1))])
    documents = []
    for i, c in enumerate(y):
        common, own = rng.choice(200, 17), 200 + 40 * c + rng.choice(40, 3)
        documents.append(" ".join([*words[np.concatenate([common, own])], str(i)]))
    return np.array(documents)


def _csv(columns: dict[str, Array]) -> str:
    import csv
    import io

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return text.getvalue()
