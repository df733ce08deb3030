"""Adult, also called Census Income (Becker and Kohavi, 1996): who earns more than 50,000 dollars a year."""

from __future__ import annotations

import csv
import io
from typing import Literal

import numpy as np

from harness.data.base import TEST, TRAIN, Dataset, DatasetSettings, standardized
from harness.data.fetch import DataFile, published

_URL = "https://raw.githubusercontent.com/jbrownlee/Datasets/d20fcb6402ae34e653d4513b00f39257bb37ed7f/"
_COLUMNS = (
    "age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation", "relationship",
    "race", "sex", "capital-gain", "capital-loss", "hours-per-week", "native-country", "income",
)  # fmt: skip
_NUMERIC = ("age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week")


class Adult(DatasetSettings):
    """X [48842, 108]: six numbers standardised by the training part, then each category as one-hot columns.

    A missing value ('?') is a category of its own, so nothing is dropped or made up. Extras: ``part`` (0 for
    the 32,561 official training rows, 2 for the 16,281 test rows), ``sex`` and ``race`` as text, ``age`` in
    years.
    """

    name: Literal["adult"] = "adult"

    @classmethod
    def files(cls) -> tuple[DataFile, ...]:
        # The packed files were made from the published ones; unpacked they are those, byte for byte.
        return (
            DataFile(
                "adult",
                "adult-train.csv.gz",
                "fb9b6b419c38dd70d75d31f014b7f0905bf76e9625473c593455e31679a93184",
                _URL + "adult-train.csv",
                "5b00264637dbfec36bdeaab5676b0b309ff9eb788d63554ca0a249491c86603d",
            ),
            DataFile(
                "adult",
                "adult-test.csv.gz",
                "d16c978b95fe8ecec94dec57782a85ed9720c507d93a4608e8f182a8e6378d4a",
                _URL + "adult-test.csv",
                "72567b94f5c1a6f8501377dd80f93892c3848ff071cf91ba47e00b0785a28074",
            ),
        )

    def load(self) -> Dataset:
        parts = [_rows(published(file, self.name)) for file in self.files()]
        column = dict(zip(_COLUMNS, np.array(parts[0] + parts[1]).T, strict=True))
        n_train = len(parts[0])
        numbers = np.stack([column[name].astype(np.float64) for name in _NUMERIC], axis=1)
        categories = [column[name] for name in _COLUMNS[:-1] if name not in _NUMERIC]
        blocks = [standardized(numbers, reference=slice(n_train))]
        blocks += [(values[:, None] == np.unique(values)).astype(np.float32) for values in categories]
        y = np.array([label.startswith(">50K") for label in column["income"]], dtype=np.int64)
        extras = {
            "part": np.repeat(np.array([TRAIN, TEST], dtype=np.int64), [n_train, len(y) - n_train]),
            "sex": np.array(column["sex"].tolist()),
            "race": np.array(column["race"].tolist()),
            "age": column["age"].astype(np.int64),
        }
        return Dataset(self.name, np.concatenate(blocks, axis=1), y, ("<=50K", ">50K"), extras)


def _rows(raw: bytes) -> list[list[str]]:
    return [row for row in csv.reader(io.StringIO(raw.decode("ascii")), skipinitialspace=True) if row]
