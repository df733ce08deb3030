"""Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017): 70,000 grey pictures of clothes, from the official IDX
files.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from harness.data.base import TEST, TRAIN, Dataset, DatasetSettings
from harness.data.fetch import DataFile, get
from harness.errors import ProtocolError

_URL = (
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/"
    "b2617bb6d3ffa2e429640350f613e3291e10b141/data/fashion/"
)
_SHA256 = {
    "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
}
_CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip


class FashionMnist(DatasetSettings):
    """X [70000, 28, 28] in 0..1; ``extras["part"]``: 0 for the 60,000 official training rows, 2 for the test
    rows.
    """

    name: Literal["fashion_mnist"] = "fashion_mnist"

    @classmethod
    def files(cls) -> tuple[DataFile, ...]:
        return tuple(DataFile("fashion_mnist", name, sha, _URL + name) for name, sha in _SHA256.items())

    def load(self) -> Dataset:
        arrays = [read_idx(get(file, self.name)) for file in self.files()]
        X = np.concatenate([arrays[0], arrays[2]]).astype(np.float32) / np.float32(255)
        y = np.concatenate([arrays[1], arrays[3]]).astype(np.int64)
        part = np.repeat(np.array([TRAIN, TEST], dtype=np.int64), [len(arrays[1]), len(arrays[3])])
        return Dataset(self.name, X, y, _CLASSES, {"part": part})


def read_idx(path: Path) -> npt.NDArray[Any]:
    """A gzipped IDX file of unsigned bytes (LeCun's format) as uint8 array, rank and shape from its header.

    Raises
    ------
    ProtocolError: not such a file, or shorter or longer than its header says.
    """
    with gzip.open(path, "rb") as stream:
        raw = stream.read()
    rank = raw[3] if len(raw) >= 4 and raw[:3] == b"\0\0\x08" else 0
    shape = np.frombuffer(raw, dtype=">u4", count=rank, offset=4).tolist() if len(raw) >= 4 + 4 * rank else []
    if not rank or len(raw) != 4 + 4 * rank + np.prod(shape):
        raise ProtocolError(f"{path} is not a complete IDX file of unsigned bytes.", "Fetch it again.")
    return np.frombuffer(raw, dtype=np.uint8, offset=4 + 4 * rank).reshape(shape)
