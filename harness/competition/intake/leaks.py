"""Rows of an organiser's own data inside a submission: somebody had them who was not meant to.

What is found decides nothing: the organiser is told, looks, and disqualifies or not. Looked for are lines of the data's
files (a planted one, a canary, is such a line), whole files, and rows of arrays, exact and nearly so.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.data.base import Dataset
from harness.data.own.settings import OwnSettings
from harness.data.own.sheet import SUFFIXES
from harness.data.own.source import within
from harness.protocol.challenge import Challenge
from harness.tracks.distances import nearest

_SHORTEST = 16  # characters of a line that says something
_NEAR = 0.01  # of the median distance of a row to its nearest neighbour
_SAMPLE = 500
_LARGEST = 64 * 2**20  # bytes of an array


class Leaks:
    """The data of one challenge, to be looked for; nothing where they are public anyhow.

    ``root`` is the config directory that holds them.
    """

    def __init__(self, challenge: Challenge, dataset: Dataset, root: Path | None) -> None:
        self._dataset, self._paths = dataset, list[Path]()
        settings = challenge.dataset
        if isinstance(settings, OwnSettings) and settings.path is not None and root is not None:
            self._paths = settings.sources(within(root.resolve(), settings.path))

    def found(self, contents: Mapping[str, bytes]) -> list[str]:
        """What of the data is in a submission's files: a sentence for each file."""
        if not self._paths:
            return []
        said = []
        for name, content in contents.items():
            rows = max(self._lines_in(content), self._rows_in(content))
            if hashlib.sha256(content).hexdigest() in self._files:
                said.append(f"{name} is a file of the data")
            elif rows:
                said.append(f"{name} holds {rows} rows of the data")
        return said

    def _lines_in(self, content: bytes) -> int:
        return len(self._lines & set(_lines(content)))

    def _rows_in(self, content: bytes) -> int:
        X = self._dataset.X.reshape(len(self._dataset.X), -1)
        found = 0
        for array in _arrays(content):
            if array.ndim >= 2 and array[0].size == X.shape[1] and array.dtype.kind in "fiu":
                rows = array.reshape(len(array), -1).astype(np.float32)
                rows = rows[np.isfinite(rows).all(axis=1)]
                found += int((nearest(rows, X) <= self._radius).sum()) if len(rows) else 0
        return found

    @cached_property
    def _files(self) -> set[str]:
        return {hashlib.sha256(path.read_bytes()).hexdigest() for path in self._paths}

    @cached_property
    def _lines(self) -> set[str]:
        found: set[str] = set()
        for path in self._paths:
            content = path.read_bytes()
            if path.suffix.lower() in SUFFIXES:  # the first line names columns, as honest code may
                content = content.partition(b"\n")[2]
            found.update(_lines(content))
        return found

    @cached_property
    def _radius(self) -> float:
        """How near to a row of the data another one is a copy of it."""
        X = self._dataset.X
        chosen = np.random.default_rng(0).permutation(len(X))[: min(_SAMPLE, len(X) // 2)]
        rest = np.setdiff1d(np.arange(len(X)), chosen)
        return _NEAR * float(np.median(nearest(X[chosen], X[rest]))) if len(chosen) else 0.0


def _lines(content: bytes) -> Iterator[str]:
    """Lines of a text without quotes, and brackets and commas around them; none of what is no text."""
    with suppress(UnicodeDecodeError):
        for line in content.decode("utf-8-sig").splitlines():
            plain = " ".join(line.replace('"', " ").replace("'", " ").split()).strip(" ,;()[]{}")
            if len(plain) >= _SHORTEST:
                yield plain


def _arrays(content: bytes) -> Iterator[npt.NDArray[Any]]:
    """Arrays of a .npy or .npz, without pickles; none of what is neither, or too large."""
    if content[:6] == b"\x93NUMPY" or content[:4] == b"PK\x03\x04":
        with suppress(Exception):  # whatever a stranger's file makes numpy raise
            read = np.load(io.BytesIO(content), allow_pickle=False)
            arrays = [read] if isinstance(read, np.ndarray) else (read[name] for name in read.files)
            for array in arrays:
                if 0 < array.nbytes <= _LARGEST and array.ndim >= 1 and len(array):
                    yield array
