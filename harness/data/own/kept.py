"""Whole data sets kept in the cache: read once, whatever it cost."""

from __future__ import annotations

import hashlib
import json
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from harness.api import Texts
from harness.data.base import Dataset
from harness.data.fetch import cache_dir


def dataset(key: str, make: Callable[[], Dataset]) -> Dataset:
    """The data set kept under ``key``, made only once; the key must change whenever the content would.

    What is damaged is made again; where the cache cannot be written, it is made every time.
    """
    path = cache_dir() / "datasets" / f"{hashlib.sha256(key.encode()).hexdigest()}.npz"
    with suppress(OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile):
        return _read(path)
    made = make()
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as stream:
            try:
                _write(made, Path(stream.name))
                Path(stream.name).replace(path)  # whole or not at all, also with two processes at it
            except OSError:
                Path(stream.name).unlink(missing_ok=True)
    return made


def _write(data: Dataset, path: Path) -> None:
    facts = {
        "name": data.name,
        "classes": data.class_names,
        "extras": list(data.extras),
        "notes": data.notes,
        "texts": data.texts is not None,
    }
    arrays = {f"extra{i}": array for i, array in enumerate(data.extras.values())}
    if data.texts is not None:
        arrays |= {"texts": data.texts.data, "offsets": data.texts.offsets}
    plain = np.frombuffer(json.dumps(facts).encode(), np.uint8)
    with path.open("wb") as stream:
        np.savez(stream, allow_pickle=False, facts=plain, X=data.X, y=data.y, **arrays)


def _read(path: Path) -> Dataset:
    with np.load(path, allow_pickle=False) as stored:
        facts = json.loads(stored["facts"].tobytes())
        extras = {name: stored[f"extra{i}"] for i, name in enumerate(facts["extras"])}
        texts = Texts(stored["texts"], stored["offsets"]) if facts["texts"] else None
        classes, notes = tuple(facts["classes"]), tuple(facts["notes"])
        return Dataset(facts["name"], stored["X"], stored["y"], classes, extras, texts, notes)
