"""The eight tasks of DataPerf's vision debugging challenge (Mazumder et al., 2023), in the organisers' own
files.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files as package_files
from pathlib import Path
from typing import Literal

import numpy as np

from harness.data.base import TEST, TRAIN, VALIDATION, Dataset, DatasetSettings
from harness.data.fetch import DataFile, get
from harness.data.parquet import read_columns
from harness.errors import ProtocolError

Task = Literal[
    "01g317", "01g317_flipped", "04hgtk", "04hgtk_flipped", "04rky", "04rky_flipped", "09j2d", "09j2d_flipped"
]  # fmt: skip
TASKS: tuple[Task, ...] = Task.__args__  # type: ignore[attr-defined]

_FOLDER = "dataperf_debugging"
_URL = (
    "https://raw.githubusercontent.com/BigDataIA-Summer2022-Team04/Assignment_04/"
    "e8a34e1641f24b5af35f7b6c68dbb68cbc00f34a/"
)


class DataperfDebugging(DatasetSettings):
    """One task: X [900, 2048] embeddings of Open Images pictures, y whether the concept is in the picture.

    300 training rows, 100 validation rows, 500 test rows (``extras["part"]``: 0, 1, 2), each part in the
    order of its file. y holds the human-verified labels throughout; ``extras["given"]`` the labels a
    participant sees: 90 of the 300 training rows are wrong. ``extras["id"]`` is the ImageID in Open Images.
    """

    name: Literal["dataperf_debugging"] = "dataperf_debugging"
    task: Task = "01g317_flipped"

    @classmethod
    def files(cls) -> tuple[DataFile, ...]:
        return tuple(_file(name) for task in TASKS for name in _names(task))

    def load(self) -> Dataset:
        train, validation, test, verified = (get(_file(n), self.name) for n in _names(self.task))
        tables = [read_columns(path, ("filename", "encoding", "label")) for path in (train, validation, test)]
        with verified.open(newline="") as stream:
            rows = list(csv.DictReader(stream))
        # The two files list the same pictures in the same order; joining by id alone would double the one id
        # that occurs twice.
        if [row["ImageID"] for row in rows] != tables[0]["filename"].tolist():
            raise ProtocolError(f"{verified} and {train} do not list the same pictures.")
        true = np.array([int(row["hv_label"]) for row in rows], dtype=np.int64)
        extras = {
            "given": np.concatenate([table["label"] for table in tables]),
            "id": np.concatenate([table["filename"] for table in tables]),
            "part": np.repeat(np.array([TRAIN, VALIDATION, TEST], dtype=np.int64), [len(t["label"]) for t in tables]),
        }
        y = np.concatenate([true, *(table["label"] for table in tables[1:])])
        X = np.concatenate([table["encoding"] for table in tables])
        return Dataset(self.name, X, y, ("absent", "present"), extras)


def _names(task: str) -> tuple[str, str, str, str]:
    stem = task.replace("_", "-")
    parts = (f"{stem}_train_0.3_300.parquet", f"{stem}_val_100.parquet", f"{stem}_test_500.parquet")
    return (*parts, f"dataset_{stem}_train.csv")


@cache
def _checksums() -> dict[str, str]:
    text = (package_files("harness.data") / "dataperf_debugging.sha256").read_text()
    return {name: sha256 for sha256, name in (line.split() for line in text.splitlines())}


def _file(name: str) -> DataFile:
    folder = {".parquet": "embeddings", ".csv": "data"}[Path(name).suffix]
    return DataFile(_FOLDER, name, _checksums()[name], f"{_URL}{folder}/{name}")
