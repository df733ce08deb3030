"""Own data sets for tests: files in a folder, loaded by their YAML keys as a challenge does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.data import settings_class
from harness.data.base import Dataset


def load(root: Path, kind: str, **keys: Any) -> Dataset:
    """The data set of these keys, paths from ``root``."""
    return settings_class(kind).model_validate({"name": kind, **keys}, context={"root": root}).load()


def write_csv(path: Path, rows: Sequence[tuple[object, ...]], separator: str = ",", encoding: str = "utf-8") -> Path:
    """Cells as they are: whoever needs quotes writes them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(separator.join(map(str, row)) + "\n" for row in rows), encoding=encoding)
    return path
