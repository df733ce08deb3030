"""Time and size of releases, for pytest-benchmark: ``pytest tests/benchmarks/test_releases.py --benchmark-only``.

Sizes are printed beside the times, as ``extra_info``: bytes of the folder and of its zip.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from harness.pipeline.release.diff import diff
from harness.pipeline.release.validate import validate
from harness.pipeline.release.write import release
from tests.pipeline.release.data import write

WORDS = [
    "rows",
    "and",
    "labels",
    "of",
    "bread",
    "shops",
    "with",
    "queues",
    "that",
    "move",
    "slowly",
    "on",
    "Mondays",
    "when",
    "it",
    "rains",
]


def digits(root: Path) -> str:
    write(root, "digits", {})
    (root / "dataset" / "digits.yaml").unlink()
    return "digits"


def table(root: Path, n: int = 50_000) -> str:
    """Ten columns: an id, a group, a date, five numbers, a category, a label."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(n, 5)).round(4), rng.integers(0, 2, n)
    root.mkdir(parents=True, exist_ok=True)
    with (root / "wards.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", "who", "day", *(f"x{j}" for j in range(5)), "colour", "y"])
        for i in range(n):
            day = f"20{10 + i % 14}-{1 + i % 12:02d}-{1 + i % 28:02d}"
            writer.writerow([f"r{i}", f"g{i // 10}", day, *X[i].tolist(), ("red", "blue", "green")[i % 3], "ab"[y[i]]])
    config = {"name": "table", "path": "wards.csv", "id": "id", "group": "who", "time": "day", "label": "y"}
    write(root, "wards", config)
    return "wards"


def texts(root: Path, n: int = 10_000) -> str:
    rng = np.random.default_rng(0)
    root.mkdir(parents=True, exist_ok=True)
    with (root / "texts.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", "text", "label"])
        writer.writerows([f"t{i}", " ".join(rng.choice(WORDS, 40)), "ab"[i % 2]] for i in range(n))
    write(root, "texts", {"name": "text", "path": "texts.csv", "id": "id", "label": "label", "dimension": 64})
    return "texts"


def images(root: Path, n: int = 1_000) -> str:
    rng = np.random.default_rng(0)
    for i in range(n):
        folder = root / "tiles" / "ab"[i % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (32, 32, 3)).astype(np.uint8)).save(folder / f"{i:04d}.png")
    write(root, "tiles", {"name": "images", "path": "tiles"})
    return "tiles"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


@pytest.mark.parametrize("make", [digits, table, texts, images])
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_release(benchmark: Any, make: Callable[[Path], str], form: Any, root: Path) -> None:
    name = make(root / "conf")
    release(name, root / "first", root / "conf", form=form)  # what was read of the source is kept from here on

    def again() -> None:
        shutil.rmtree(root / "out", ignore_errors=True)
        (root / "out.zip").unlink(missing_ok=True)
        done = release(name, root / "out", root / "conf", archive=True, form=form)
        benchmark.extra_info.update(rows=done.rows, folder=done.size, zip=(root / "out.zip").stat().st_size)

    benchmark.pedantic(again, rounds=3)


@pytest.mark.parametrize("make", [digits, table, texts, images])
def test_validate(benchmark: Any, make: Callable[[Path], str], root: Path) -> None:
    """With frictionless and mlcroissant, which read all rows."""
    name = make(root / "conf")
    release(name, root / "out", root / "conf")
    done = benchmark.pedantic(lambda: validate(str(root / "out")), rounds=1)
    assert done.ok
    assert all(said.startswith("read all rows") for said in done.asked.values())


def test_diff_of_50000_rows(benchmark: Any, root: Path) -> None:
    name = table(root / "conf")
    release(name, root / "out", root / "conf")
    assert benchmark.pedantic(lambda: diff(str(root / "out"), str(root / "out")), rounds=3).ok
