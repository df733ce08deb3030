"""Parquet tables with embeddings, as DataPerf distributed them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.errors import ProtocolError


def read_columns(path: Path, columns: tuple[str, ...]) -> dict[str, npt.NDArray[Any]]:
    """The named columns, n rows each; a column of number lists becomes float32 [n, d].

    Raises
    ------
    ProtocolError: not a parquet file, a column is missing, has gaps, or its lists differ in length.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, columns=list(columns))
        return {name: _array(table[name].combine_chunks()) for name in columns}
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise ProtocolError(
            f"{path} is not a parquet file with the complete columns {', '.join(columns)}: {str(error)[:160]}"
        ) from error


def _array(column: Any) -> npt.NDArray[Any]:
    import pyarrow as pa
    import pyarrow.compute as pc

    if column.null_count:
        raise ValueError("an entry is missing")
    if not pa.types.is_nested(column.type):
        return np.array(column.to_pylist())
    lengths = set(pc.list_value_length(column).to_pylist())
    if len(lengths) > 1:
        raise ValueError(f"its lists have from {min(lengths)} to {max(lengths)} entries")
    flat = column.flatten().to_numpy(zero_copy_only=False).astype(np.float32)
    table: npt.NDArray[Any] = flat.reshape(len(column), -1)
    return table
