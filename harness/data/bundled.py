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

_MEASURES = (
    "radius", "texture", "perimeter", "area", "smoothness", "compactness", "concavity", "concave points", "symmetry",
    "fractal dimension",
)  # fmt: skip
_GRADES = ("lowest", "low", "middle", "high", "highest")


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


class BiopsyCells(DatasetSettings):
    """The 569 biopsies as a table of cells: 20 measurements as written, 10 as grades; errors are planted into it.

    Means and standard errors are numbers from 0 to twice the largest measured. The "worst" values are graded, each by the
    quintile it lies in.
    """

    name: Literal["biopsy_cells"] = "biopsy_cells"

    def load(self) -> Dataset:
        with _file("breast_cancer.csv").open() as stream:
            class_names = tuple(stream.readline().strip().split(",")[2:])
            rows = np.array([line.strip().split(",") for line in stream])
        clean, y = rows[:, :-1].copy(), rows[:, -1].astype(np.int64)
        columns = [
            CellColumn(f"{kind} {measure}", "number", 0, 2 * float(clean[:, 10 * k + j].astype(float).max()))
            for k, kind in enumerate(("mean", "error of"))
            for j, measure in enumerate(_MEASURES)
        ]
        for j, measure in enumerate(_MEASURES, start=20):
            values = clean[:, j].astype(float)
            grade = np.searchsorted(np.quantile(values, [0.2, 0.4, 0.6, 0.8]), values)
            clean[:, j] = np.array(_GRADES)[grade]
            columns.append(CellColumn(f"worst {measure}", "category", values=_GRADES))
        return table(self.name, columns, clean, y, class_names)


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
