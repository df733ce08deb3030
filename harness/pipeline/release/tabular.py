"""Tables of cells as bytes: CSV as RFC 4180 has it but for its line ends, or parquet with a type a column."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from harness.data.own import sheet
from harness.data.specification import Column
from harness.errors import ProtocolError
from harness.pipeline.release import cells
from harness.pipeline.release.material import shape_of

Format = Literal["csv", "parquet"]
MEDIA = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet"}
CROISSANT_MEDIA = {"csv": "text/csv", "parquet": "application/x-parquet"}
_INT64 = 1 << 63
_SHAPE = b"shape"


def encoded(
    columns: Mapping[str, Sequence[str]],
    fields: Mapping[str, Column],
    form: Format,
    arrays: Mapping[str, Sequence[str]] | None = None,
) -> bytes:
    """The bytes of a table; the same for the same cells.

    ``arrays``: columns that are one array; in parquet they are one column of lists, in CSV they stay a column a number.
    """
    return _parquet(columns, fields, arrays or {}) if form == "parquet" else _csv(columns)


def _csv(columns: Mapping[str, Sequence[str]]) -> bytes:
    stream = io.StringIO(newline="")
    # with this line end, the writer would leave a carriage return without quotes, where others see a new row
    returns = any("\r" in cell for name, values in columns.items() for cell in (name, *values))
    quoting: Literal[0, 1] = csv.QUOTE_ALL if returns else csv.QUOTE_MINIMAL
    writer = csv.writer(stream, lineterminator="\n", quoting=quoting)
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return stream.getvalue().encode()


def _parquet(
    columns: Mapping[str, Sequence[str]], fields: Mapping[str, Column], arrays: Mapping[str, Sequence[str]]
) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    whole = {member: (array, members) for array, members in arrays.items() for member in members}
    found: dict[str, tuple[Any, Any]] = {}  # a field, its values
    for name, values in columns.items():
        array, members = whole.get(name, (name, ()))
        if array in found:
            continue
        if members:
            flat = np.array([columns[member] for member in members], np.float64).T.reshape(-1)
            cells_ = pa.FixedSizeListArray.from_arrays(pa.array(flat), len(members))
            shape = {_SHAPE: ",".join(map(str, shape_of(array, members)))}
            found[array] = pa.field(array, cells_.type, metadata=shape), cells_
        else:
            plain = _array(pa, values, fields.get(name))
            found[name] = pa.field(name, plain.type), plain
    stream = io.BytesIO()
    schema = pa.schema([field for field, _ in found.values()])
    pq.write_table(pa.table([values for _, values in found.values()], schema), stream, compression="zstd")
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
    columns: dict[str, list[str]] = {}
    for field in table.schema:
        values = table[field.name]
        if not pa.types.is_fixed_size_list(field.type):
            columns[field.name] = [_cell(value) for value in values.to_pylist()]
            continue
        said = (field.metadata or {}).get(_SHAPE, b"").decode("ascii", "replace").split(",")
        shape = [int(length) for length in said if length.isdecimal()]
        if int(np.prod(shape)) != field.type.list_size:
            raise ProtocolError(f"{name} does not say the shape of its column {field.name}.")
        numbers = values.combine_chunks().flatten().to_numpy(zero_copy_only=False).reshape(-1, field.type.list_size)
        places = np.ndindex(*shape)
        columns |= {"_".join([field.name, *map(str, at)]): _numbers(numbers[:, j]) for j, at in enumerate(places)}
    return columns


def _numbers(values: npt.NDArray[Any]) -> list[str]:
    return [str(value) for value in values.tolist()]


def _cell(value: object) -> str:
    return "" if value is None else value.isoformat() if isinstance(value, date) else str(value)
