"""Releases read back as others read them, through frictionless and mlcroissant, and held against our own reading."""

from __future__ import annotations

import contextlib
import datetime
import io
import logging
import math
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from harness.data.own import croissant as own
from harness.data.specification import Column
from harness.errors import ProtocolError
from harness.pipeline.release import cells
from harness.pipeline.release.contents import VOTE_FIELDS, Contents
from harness.pipeline.release.croissant import field_names, picture_field
from harness.pipeline.release.findings import Collected
from harness.pipeline.release.material import ANNOTATIONS, ROWS, VOTE, of_role, primary_key
from harness.pipeline.release.pixels import same_pixels

_INSTALL = 'not installed, so not asked: pip install "harness[release]"'
_UNREADABLE = "asked, and could not read it"
_NOT_THERE = frozenset({"", "NA", "N/A", "n/a", "NaN", "nan", "-NaN", "-nan", "null", "NULL", "None", "<NA>", "#N/A", "#NA",
                        "#N/A N/A", "1.#IND", "1.#QNAN", "-1.#IND", "-1.#QNAN"})  # fmt: skip
"""Cells that pandas, which reads CSV for mlcroissant, takes for missing."""


def ask(folder: Path, contents: Contents, found: Collected, *, package: bool) -> tuple[dict[str, str], list[str]]:
    """Whom was asked (or why not), and remarks. ``package``: whether datapackage.json is sound enough to be followed."""
    asked: dict[str, str] = {}
    remarks: list[str] = []
    for name, reader, may in (("frictionless", _frictionless, package), ("mlcroissant", _mlcroissant, True)):
        if find_spec(name) is None:
            asked[name] = _INSTALL
            continue
        if not may:
            asked[name] = "not asked: datapackage.json is not sound"
            continue
        with _quiet():
            asked[name] = reader(folder, contents, found, remarks) or f"read all rows ({name} {version(name)})"
    return asked, remarks


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """What readers log and print is said in our own words, or not at all."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _tables(contents: Contents) -> dict[str, tuple[Mapping[str, Sequence[str]], Mapping[str, Column]]]:
    """The tables of rows and votes: cells and what they are."""
    whole = {member: array for array, members in contents.arrays.items() for member in members}
    columns: dict[str, Sequence[str]] = {}
    for name, values in contents.columns.items():
        array = whole.get(name, name)
        members = [contents.columns[member] for member in contents.arrays.get(array, ())]
        if array not in columns:
            columns[array] = [",".join(numbers) for numbers in zip(*members, strict=True)] if members else values
    tables: dict[str, tuple[Mapping[str, Sequence[str]], Mapping[str, Column]]] = {ROWS: (columns, contents.described)}
    if contents.votes is not None:
        votes = {name: [vote[k] for vote in contents.votes] for k, name in enumerate(VOTE)}
        key = contents.fields.get(primary_key(contents.spec) or "", VOTE_FIELDS["item"])
        item = VOTE_FIELDS["item"].model_copy(update={"type": "integer" if key.type == "integer" else "text"})
        tables[ANNOTATIONS] = (votes, {**VOTE_FIELDS, "item": item})
    return tables


def _frictionless(folder: Path, contents: Contents, found: Collected, remarks: list[str]) -> str:
    """Empty, or why it was not asked."""
    import frictionless

    if contents.form == "parquet":  # it counts no bytes of one, and takes a missing number for NaN
        return "not asked: it does not read parquet as it stands there"
    try:
        package = frictionless.Package(str(folder / "datapackage.json"))
        report = package.validate()
        errors = [(task.place, error) for task in report.tasks for error in task.errors] + [
            ("datapackage.json", error) for error in report.errors
        ]
        for place, error in errors:
            row = f"row {number - 1}" if (number := getattr(error, "row_number", None)) else ""
            found.add(
                place, f"frictionless: {error.title}", getattr(error, "field_name", ""), row, getattr(error, "cell", "")
            )
        if errors:
            return f"asked, and found errors ({len(errors)})"
        for name, (columns, fields) in _tables(contents).items():
            resource: Any = package.get_resource(name)
            rows = (row.to_dict() for row in resource.read_rows())
            _same_rows(found, f"{name}.{contents.form}", "frictionless", rows, columns, fields, _as_frictionless)
    except Exception as error:  # noqa: BLE001 - whatever it raises on what it cannot read
        found.add("datapackage.json", f"frictionless cannot read it: {' '.join(str(error).split())[:200]}")
        return _UNREADABLE
    return ""


def _as_frictionless(value: object, cell: str, column: Column) -> str:
    if cell == "" and (column.missing is not None or column.type not in ("text", "category")):
        return "" if value is None else "other"
    if column.type == "integer":
        return "" if value == int(cell) else "other"
    if column.type in ("number", "array"):
        return "" if value == Decimal(cell) else "other"
    if column.type == "date":
        moment = cells.moment(cell)
        assert moment is not None
        same = value == moment if isinstance(value, datetime.datetime) else value == moment.date()
        return "" if same else "other"
    return "" if value == cell or (value is None and cell == "") else "other"


def _mlcroissant(folder: Path, contents: Contents, found: Collected, remarks: list[str]) -> str:
    """Empty, or why it was not asked."""
    import mlcroissant

    path = folder / "croissant.json"
    try:
        nodes = own.described(path)
    except ProtocolError as error:
        found.add("croissant.json", error.reason.replace(f"{path}", "the file"))
        return "not asked: croissant.json is not sound"
    if any("://" in str(node.get("contentUrl")) for node in nodes):
        return "not asked: croissant.json names files at addresses, and nothing is fetched"
    try:
        dataset = mlcroissant.Dataset(str(path))
        remarks += [f"mlcroissant: {warning}" for warning in sorted(dataset.metadata.ctx.issues.warnings)]
        otherwise: dict[str, list[str]] = {}
        for name, (columns, fields) in _tables(contents).items():
            _records(found, contents, dataset, name, columns, fields, otherwise)
        remarks += [
            f"mlcroissant, which guesses the types of CSV, reads {len(rows)} cells of column {column} otherwise, as in "
            f"{rows[0]}; --format parquet keeps them."
            for column, rows in otherwise.items()
        ]
        _pictures(found, contents, dataset, folder)
    except Exception as error:  # noqa: BLE001 - whatever it, pandas and rdflib raise on what they cannot read
        found.add("croissant.json", f"mlcroissant cannot read it: {' '.join(str(error).split())[:300]}")
        return _UNREADABLE
    return ""


def _records(
    found: Collected, contents: Contents, dataset: Any, name: str, columns: Mapping[str, Sequence[str]],
    fields: Mapping[str, Column], otherwise: dict[str, list[str]],
) -> None:  # fmt: skip
    ids = field_names(columns) if name == ROWS else {column: column for column in columns}
    names = {f"{name}/{short}": column for column, short in ids.items()}
    picture = f"{ROWS}/{picture_field(contents)}" if contents.pictures is not None else None

    def rows() -> Iterator[dict[str, object]]:
        for record in dataset.records(name):
            yield {names.get(key, key): value for key, value in record.items() if key != picture}

    def compared(value: object, cell: str, column: Column) -> str:
        return _as_mlcroissant(value, cell, column, guessed=contents.form == "csv")

    file = f"{name}.{contents.form}"
    _same_rows(found, file, "mlcroissant", rows(), columns, fields, compared, otherwise)


def _as_mlcroissant(value: object, cell: str, column: Column, *, guessed: bool) -> str:
    """Empty where it is the same; ``guessed`` where CSV alone could not tell; else ``other``."""
    if isinstance(value, list):
        numbers = cell.split(",")
        return "" if len(value) == len(numbers) and all(map(_close, value, numbers)) else "other"
    if value is None:
        return "" if cell == "" else "guessed" if guessed and cell in _NOT_THERE else "other"
    if column.type in ("integer", "number", "array"):
        number = float(str(value))
        if column.type == "integer" and isinstance(value, int) and cell and value == int(cell):
            return ""
        close = cell != "" and math.isclose(number, float(cell), rel_tol=1e-9)
        return (
            ""
            if cell and math.isclose(number, float(cell), rel_tol=1e-15)
            else "guessed"
            if close and guessed
            else "other"
        )
    if column.type == "date":
        when = cells.moment(cell)
        return "" if when is not None and str(getattr(value, "isoformat", str)()) == when.isoformat() else "other"
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    if text == cell:
        return ""
    return "guessed" if guessed and _same_guess(text, cell) else "other"


def _close(value: object, cell: str) -> bool:
    return math.isclose(float(str(value)), float(cell), rel_tol=1e-15)


def _same_guess(text: str, cell: str) -> bool:
    """Whether a number or truth value written in one way may have been read and written in another."""
    if text.lower() == cell.strip().lower():
        return True
    try:
        return math.isclose(float(text), float(cell), rel_tol=1e-9)
    except ValueError:
        return False


def _same_rows(
    found: Collected, file: str, reader: str, rows: Iterable[Mapping[str, object]], columns: Mapping[str, Sequence[str]],
    fields: Mapping[str, Column], compared: Any, otherwise: dict[str, list[str]] | None = None,
) -> None:  # fmt: skip
    """A finding for every cell that a reader reads as something else, and for rows that it has more or fewer."""
    n, count = len(next(iter(columns.values()), ())), 0
    for i, row in enumerate(rows):
        count = i + 1
        if i >= n:
            continue
        if row.keys() != columns.keys():
            found.add(file, f"{reader} reads other columns: {', '.join(sorted(row.keys() ^ columns.keys())[:5])}")
            return
        for name, values in columns.items():
            verdict = compared(row[name], values[i], fields[name])
            if verdict == "guessed" and otherwise is not None:
                otherwise.setdefault(name, []).append(f"row {i + 1} {values[i]!r:.40} as {row[name]!r:.40}")
            elif verdict:
                found.add(file, f"{reader} reads something else", name, f"row {i + 1}", values[i])
    if count != n:
        found.add(file, f"{reader} reads {count} rows; there are {n}")


def _pictures(found: Collected, contents: Contents, dataset: Any, folder: Path) -> None:
    """Every picture, pixel by pixel."""
    image = of_role(contents.spec, "image")
    if contents.pictures is None or image is None:
        return
    key, field = f"{ROWS}/{field_names(contents.described)[image]}", f"{ROWS}/{picture_field(contents)}"
    for i, record in enumerate(dataset.records(ROWS)):
        path, value = bytes(record[key]).decode(), record[field]
        if value is None or not same_pixels(value, folder / path):
            found.add(f"{ROWS}.{contents.form}", "mlcroissant finds another picture", image, f"row {i + 1}", path)
