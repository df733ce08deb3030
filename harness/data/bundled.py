"""The small real data sets that scikit-learn carries: no network, no cache.

Read straight from its files, because importing scikit-learn would cost seconds that a quick challenge does
not have.
"""

from __future__ import annotations

import gzip
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np

from harness.data.base import Dataset, DatasetSettings, standardized
from harness.data.cells import CellColumn, table
from harness.errors import ProtocolError

_GRADES = ("none", "little", "some", "much")


class Digits(DatasetSettings):
    """1,797 handwritten digits of 8x8 pixels (Alpaydin and Kaynak, 1998); X [1797, 64] in 0..1."""

    name: Literal["digits"] = "digits"

    def load(self) -> Dataset:
        with gzip.open(_file("digits.csv.gz"), "rt") as stream:
            table = np.loadtxt(stream, delimiter=",")
        return Dataset("digits", table[:, :-1] / 16, table[:, -1].astype(np.int64), tuple("0123456789"))


class BreastCancer(DatasetSettings):
    """569 biopsies, 30 measurements (Wolberg et al., 1995), standardised over all rows; X [569, 30]."""

    name: Literal["breast_cancer"] = "breast_cancer"

    def load(self) -> Dataset:
        return _with_header("breast_cancer", "breast_cancer.csv")


class Wine(DatasetSettings):
    """178 Italian wines, 13 measurements (Forina et al., 1991), standardised over all rows; X [178, 13]."""

    name: Literal["wine"] = "wine"

    def load(self) -> Dataset:
        return _with_header("wine", "wine_data.csv")


class DigitCells(DatasetSettings):
    """The digits as a table of cells that a person could have filled in; errors are planted into it.

    Sixteen numbers, the ink of each 2 x 2 block of pixels (0 to 64), and eight grades, how much ink is in each row of pixels:
    none (0), little (to 32), some (to 64) or much.
    """

    name: Literal["digit_cells"] = "digit_cells"

    def load(self) -> Dataset:
        with gzip.open(_file("digits.csv.gz"), "rt") as stream:
            rows = np.loadtxt(stream, delimiter=",").astype(np.int64)
        pixels, y = rows[:, :-1].reshape(-1, 8, 8), rows[:, -1]
        ink = pixels.reshape(-1, 4, 2, 4, 2).sum(axis=(2, 4)).reshape(-1, 16)
        grade = np.array(_GRADES)[np.searchsorted([0, 32, 64], pixels.sum(axis=2))]
        columns = [CellColumn(f"ink of block {i // 4 + 1}.{i % 4 + 1}", "number", 0.0, 64.0) for i in range(16)]
        columns += [CellColumn(f"ink in row {i + 1}", "category", values=_GRADES) for i in range(8)]
        clean = np.concatenate([ink.astype(str), grade], axis=1)
        return table(self.name, columns, clean, y, tuple("0123456789"))


class MarkedDigits(DatasetSettings):
    """The digits, even or odd, under a mark that nine in ten of a parity share: a label that a bystander gives away.

    X [1797, 72] in 0..1: the 64 pixels, then four pixels of ink for the mark, left or right. Even digits carry it on the left,
    odd ones on the right, but for every tenth row of each digit. Extras: ``mark``, "left" or "right"; ``digit``. Made after
    Waterbirds, in which birds stand before the wrong background now and then (Sagawa et al., ICLR 2020).
    """

    name: Literal["marked_digits"] = "marked_digits"

    def load(self) -> Dataset:
        digits = Digits().load()
        turn = np.zeros(len(digits.y), np.int64)
        for digit in range(digits.n_classes):
            mine = np.flatnonzero(digits.y == digit)
            turn[mine] = np.arange(len(mine))
        odd = digits.y % 2
        right = np.where(turn % 10 == 9, 1 - odd, odd)
        mark = np.repeat(right[:, None] == [0, 1], 4, axis=1)
        extras = {"mark": np.array(["left", "right"])[right], "digit": digits.y}
        return Dataset("marked_digits", np.concatenate([digits.X, mark], axis=1), odd, ("even", "odd"), extras)


def _with_header(name: str, filename: str) -> Dataset:
    """A table whose first line is ``n,d,class names``; the class is the last column."""
    with _file(filename).open() as stream:
        class_names = tuple(stream.readline().strip().split(",")[2:])
        table = np.loadtxt(stream, delimiter=",")
    return Dataset(name, standardized(table[:, :-1]), table[:, -1].astype(np.int64), class_names)


def _file(filename: str) -> Path:
    spec = find_spec("sklearn")
    folder = Path(spec.origin).parent if spec and spec.origin else Path("sklearn")
    path = folder / "datasets" / "data" / filename
    if not path.is_file():
        raise ProtocolError(
            f"scikit-learn's bundled file {filename} was looked for at {path} and is not there.",
            "Install scikit-learn again: `pip install --force-reinstall scikit-learn`.",
        )
    return path
