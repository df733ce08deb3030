"""Documents, as a task holds them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Self, overload

import numpy as np
import numpy.typing as npt

from harness.api.arrays import IntArray


class Texts(Sequence[str]):
    """Documents as one array of UTF-8 bytes and their boundaries (Arrow's layout), each decoded when it is asked for.

    ``data`` uint8 [total], ``offsets`` int64 [n + 1], rising from 0 to total; document i is data[offsets[i]:offsets[i+1]].
    """

    def __init__(self, data: npt.NDArray[np.uint8], offsets: IntArray) -> None:
        self.data = data
        self.offsets = offsets

    @classmethod
    def of(cls, documents: Iterable[str]) -> Self:
        """From documents in memory; what is no character (half a surrogate pair) becomes '?'."""
        encoded = [document.encode("utf-8", errors="replace") for document in documents]
        offsets = np.concatenate([[0], np.cumsum([len(one) for one in encoded], dtype=np.int64)]).astype(np.int64)
        return cls(np.frombuffer(b"".join(encoded), np.uint8), offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice | IntArray) -> Self: ...

    def __getitem__(self, index: Any) -> Any:
        """The document of a row; of a slice, or an int array of rows, the documents there as ``Texts``."""
        if isinstance(index, slice):
            return self.take(np.arange(len(self))[index])
        if isinstance(index, np.ndarray):
            return self.take(index)
        return self.encoded(index).decode("utf-8", errors="replace")

    def encoded(self, index: int) -> bytes:
        """The UTF-8 bytes of one document."""
        row = range(len(self))[index]
        return self.data[self.offsets[row] : self.offsets[row + 1]].tobytes()

    def take(self, rows: IntArray) -> Self:
        """The documents of these rows, in this order, copied."""
        parts = [self.data[self.offsets[row] : self.offsets[row + 1]] for row in rows]
        offsets = np.concatenate([[0], np.cumsum([len(part) for part in parts], dtype=np.int64)]).astype(np.int64)
        return type(self)(np.concatenate([np.empty(0, np.uint8), *parts]), offsets)
