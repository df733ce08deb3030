"""Data that stand in for an organiser's own: of the same shape, the same kinds of columns and classes, and made up.

Nothing here looks at a value of the real rows but for: how many there are, names of columns and classes, how many rows
each official part has, how many groups and levels a column has.
"""

from __future__ import annotations

import shutil
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
_APART = (3.0, 4.5, 1.5)  # mean distance of two classes, in standard deviations: most rows can be told, not all
ATTEMPTS = 12
"""How many sets of data there are to choose from: on some, with few columns, wrong labels do no harm to be measured."""
_SYLLABLES = [c + v for c in "bdfgklmnprstvz" for v in "aeiou"]
_VOTES = ("votes", "vote_label", "vote_annotator")
Array = npt.NDArray[Any]


def write(dataset: Dataset, settings: dict[str, Any], folder: Path, name: str, attempt: int = 0) -> dict[str, Any]:
    """Write made-up data into ``folder``, in place of what is there, and return the settings of that data set.

    ``settings``: those of the real data set. The same name and attempt (0 to ATTEMPTS - 1) give the same data.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    rng = generator(OPEN_SECRET, attempt, f"stand-in for {name}")
    n, classes = len(dataset.y), dataset.n_classes
    y = rng.permutation(np.arange(n) % classes)
    columns = _columns(dataset, settings, y, rng)
    roles = {role: role for role in ("id", "group", "time", "part") if role in columns}
    meta = [column for column in columns if column not in (*roles, "votes", *_annotators(settings))]
    if dataset.texts is not None:
        columns.pop("votes", None)
        votes: dict[str, Any] = (
            {"votes": list(_annotators(settings))} if "votes" in dataset.extras and _annotators(settings) else {}
        )
        kept: dict[str, Any] = {key: settings[key] for key in ("features", "dimension") if key in settings}
        kept = kept or {"dimension": dataset.X.shape[1]}
        table = {"text": _documents(y, rng), "label": _names(dataset, y), **columns}
        write_new(folder / "documents.csv", _csv(table).encode())
        plain: dict[str, Any] = {
            "name": "text",
            "path": f"{folder.name}/documents.csv",
            "text": "text",
            "label": "label",
        }
        return plain | kept | roles | votes | ({"meta": meta} if meta else {})
    arrays = {
        "X": _inputs(dataset.X, y, rng, apart=_APART[attempt // 2 % 3], tails=attempt % 2 == 1),
        "y": _names(dataset, y),
        **columns,
    }
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
    group = _groups(len(np.unique(dataset.extras["group"])), part, rng) if "group" in dataset.extras else np.zeros(n)
    order = np.argsort(np.lexsort((rng.random(n), group)))  # in time one group comes after the other
    for name, real in dataset.extras.items():
        if name == "id":
            found[name] = np.array([f"r{i:06}" for i in range(n)])
        elif name == "part":
            found[name] = np.array([_PARTS[int(p)] for p in part])
        elif name == "group":
            found[name] = group
        elif name == "votes":
            found[name] = rng.multinomial(5, _around(y, dataset.n_classes)).astype(np.int64)
        elif name in _VOTES:
            continue
        elif name in _annotators(settings):
            wrong = rng.random(n) < 0.2
            said = np.where(wrong, rng.integers(0, dataset.n_classes, n), y)
            found[name] = said.astype(np.int64) if dataset.texts is None else _names(dataset, said)
        elif name == "time" and real.dtype.kind == "M":
            found[name] = np.datetime_as_string(np.datetime64("2000-01-01") + order.astype("timedelta64[m]"))
        elif name == "time":
            found[name] = order.astype(np.int64)
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


def _inputs(real: FloatArray, y: IntArray, rng: np.random.Generator, *, apart: float, tails: bool) -> FloatArray:
    """Clouds of points, one a class, some with points far out; squeezed into 0..1 where the real ones are pictures."""
    d = int(np.prod(real.shape[1:]))
    centres = rng.normal(size=(int(y.max()) + 1, d)) * apart / np.sqrt(2 * d)
    noise = rng.normal(size=(len(y), d))
    if tails:
        noise /= np.sqrt(rng.chisquare(1.5, size=(len(y), 1)) / 1.5)
    X = centres[y] + noise
    if real.ndim > 2:
        X = (1 + np.tanh(X / 2)) / 2
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
