"""Tables published with their errors and their corrections, for cleaning: a clean and a dirty file, row by row.

The files are those of a public benchmark of error correction (Jung et al., Mimir) at a commit.
"""

from __future__ import annotations

import csv
import gzip
import io
import string
from pathlib import Path
from typing import Literal

import numpy as np

from harness.data.base import Dataset, DatasetSettings
from harness.data.cells import CellColumn, Cells, table
from harness.data.fetch import DataFile, get

_BASE = "https://raw.githubusercontent.com/philipp-jung/mimir/04f21bfaaadfc2082b8d67dd341c1f4532d0a0f3/datasets/{}.csv"


def _file(name: str, published: str, packed: str, plain: str) -> DataFile:
    return DataFile("tables_dirty", f"{name}.csv.gz", packed, _BASE.format(published), plain)


LETTER_CLEAN = _file(
    "letter_clean",
    "letter/clean",
    "9b6d9a48d5f3c0eff8660bcb1d8762da9688a8d5814275d9303ff5fa251706ce",
    "eaf3daa2f3faf4d8c02bcec684dca4ceb6472af3c7c9d73521bcca66166b35da",
)
LETTER_DIRTY = _file(
    "letter_mcar3",
    "letter/MCAR/dirty_3",
    "d53529bca65c2b6856acd8e7bab74fbc13f2710f8ae71cea8d71374a8ac010b0",
    "e485fe3b728d44818a36a573738df1f65939620818247ef1931330c1d3c78f17",
)


class Letter(DatasetSettings):
    """20,000 printed letters, 16 measurements from 0 to 15 (Frey and Slate, 1991), a third of the cells missing."""

    name: Literal["letter_cells"] = "letter_cells"

    @classmethod
    def files(cls) -> tuple[DataFile, ...]:
        return (LETTER_CLEAN, LETTER_DIRTY)

    def load(self) -> Dataset:
        header, clean = rows(get(LETTER_CLEAN, self.name))
        _, dirty = rows(get(LETTER_DIRTY, self.name))
        columns = [CellColumn(name, "number", 0, 15) for name in header[2:]]
        letters = tuple(string.ascii_uppercase)
        y = np.array([letters.index(letter) for letter in clean[:, 1].tolist()], np.int64)
        return table(self.name, columns, clean[:, 2:], y, letters, dirty[:, 2:], ("", "ERRORABC123!?"))


def rows(path: Path) -> tuple[list[str], Cells]:
    """The header and the cells [n, d] of a delimited file, packed or not."""
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8-sig")
    header, *found = csv.reader(io.StringIO(text, newline=""))
    return header, np.array(found)
