"""Tables of cells as bytes: CSV as RFC 4180 has it but for its line ends, or parquet with a type a column."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Literal

from harness.data.own import sheet
from harness.data.specification import Column
from harness.errors import ProtocolError
from harness.pipeline.release import cells

Format = Literal["csv", "parquet"]
MEDIA = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet"}
CROISSANT_MEDIA = {"csv": "text/csv", "parquet": "application/x-parquet"}
_INT64 = 1 << 63


def encoded(columns: Mapping[str, Sequence[str]], fields: Mapping[str, Column], form: Format) -> bytes:
    """The bytes of a table; the same for the same cells."""
    return _parquet(columns, fields) if form == "parquet" else _csv(columns)


def _csv(columns: Mapping[str, Sequence[str]]) -> bytes:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return stream.getvalue().encode()


def _parquet(columns: Mapping[str, Sequence[str]], fields: Mapping[str, Column]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrays = {name: _array(pa, values, fields.get(name)) for name, values in columns.items()}
    stream = io.BytesIO()
    pq.write_table(pa.table(arrays), stream, compression="zstd")
    return stream.getvalue()


def _array(pa: Any, values: Sequence[str], column: Column | None) -> Any:
    type_ = column.type if column else "text"
    known = [value for value in values if value != ""]
    if not all(cells.fits(value, type_) for value in known):
        return pa.array(values, pa.string())
    if type_ == "integer" and all(-_INT64 <= int(value) < _INT64 for value in known):
        return pa.array([int(value) if value else None for value in values], pa.int64())
    if type_ in ("number", "array"):
        return pa.array([float(value) if value else None for value in values], pa.float64())
    if type_ == "date" and all(map(cells.is_day, known)):
        return pa.array([date.fromisoformat(value) if value else None for value in values], pa.date32())
    if column and column.missing is not None:
        return pa.array([value or None for value in values], pa.string())
    return pa.array(values, pa.string())


def decoded(content: bytes, form: Format, name: str) -> sheet.Sheet:
    """Cells by column; an empty one for what is missing. Raises ProtocolError where the bytes are no such table."""
    if form == "parquet":
        return sheet.Sheet(name, _from_parquet(content, name), lambda i: f"row {i + 1}")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ProtocolError(f"{name} is not UTF-8 text (line {line}).") from None
    return sheet.parsed(name, text)


def _from_parquet(content: bytes, name: str) -> dict[str, list[str]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(content))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ProtocolError(f"{name} is no parquet file: {' '.join(str(error).split())[:200]}") from None
    return {column: [_cell(value) for value in table[column].to_pylist()] for column in table.column_names}


def _cell(value: object) -> str:
    return "" if value is None else value.isoformat() if isinstance(value, date) else str(value)
