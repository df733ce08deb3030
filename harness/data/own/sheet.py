"""Delimited text and JSON lines as columns of strings; whatever is wrong is said with its row and line."""

from __future__ import annotations

import codecs
import csv
import difflib
import io
import json
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from harness.errors import ProtocolError

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson")
_NO_HEADER = "It needs a first line with the names of the columns, then the rows."
_LONGEST = 16_000_000  # characters in one cell; beyond it, a quote was never closed


@dataclass(frozen=True)
class Sheet:
    """Columns of n cells each, as they stand in the file; ``row`` says of a position which row that is."""

    name: str
    columns: dict[str, list[str]]
    row: Callable[[int], str]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def noted(self, note: str) -> Self:
        """The same with one more finding."""
        return replace(self, notes=(*self.notes, note))

    def read_only(self, names: Collection[str]) -> Self:
        """The same with a finding that names the columns beside these."""
        unread = [name for name in self.columns if name not in names]
        return (
            self.noted(f"Columns that are not read: {', '.join(unread)} (`meta: [...]` keeps them).")
            if unread
            else self
        )

    def where(self, rows: Iterable[int]) -> str:
        """The first five of these rows in words."""
        rows = list(rows)
        return ", ".join(map(self.row, rows[:5])) + (f" and {len(rows) - 5} more" if len(rows) > 5 else "")

    def column(self, name: str, key: str) -> list[str]:
        """The cells of a column that ``dataset.<key>`` names, without space around them.

        Raises ProtocolError, with the nearest names, where there is none.
        """
        return [cell.strip() for cell in self.raw(name, key)]

    def raw(self, name: str, key: str) -> list[str]:
        """The cells of a column as they stand."""
        if name not in self.columns:
            near = difflib.get_close_matches(name, self.columns, n=2, cutoff=0.5)
            hint = f"Did you mean {' or '.join(map(repr, near))}? " if near else ""
            raise ProtocolError(
                f"dataset.{key} names the column {name!r}, and {self.name} has none of that name.",
                f"{hint}Its columns: {', '.join(list(self.columns)[:30])}.",
            )
        return self.columns[name]


def read(path: Path, encoding: str = "utf-8", separator: str | None = None, *, quotes: bool = True) -> Sheet:
    """A ``.csv``, ``.tsv`` or ``.jsonl`` file. ``separator``: None is a tab for ``.tsv``, a comma otherwise.

    ``quotes``: whether a cell may stand in double quotes; else they are characters as others.

    Raises
    ------
    ProtocolError: empty, not text in that encoding, a quote that never closes, a row of another length, a column without
        a name or with another's.
    """
    if path.is_dir():
        raise ProtocolError(
            f"{path} is a folder; a table is one file.", "Let dataset.path name a .csv, .tsv or .jsonl."
        )
    text = decode(path, encoding)
    if not text.strip():
        raise ProtocolError(f"{path.name} is empty.", _NO_HEADER)
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        return _json_lines(path.name, text)
    return _delimited(path.name, text, separator or ("\t" if path.suffix.lower() == ".tsv" else ","), quotes)


def parsed(name: str, text: str) -> Sheet:
    """A table of commas that is in memory already. Raises ProtocolError as :func:`read`."""
    if not text.strip():
        raise ProtocolError(f"{name} is empty.", _NO_HEADER)
    return _delimited(name, text, ",", quotes=True)


def decode(path: Path, encoding: str = "utf-8") -> str:
    """The text of a file; a byte order mark is no part of it. Raises ProtocolError naming the first bad byte's line."""
    raw = path.read_bytes()
    try:
        known = codecs.lookup(encoding).name
        "a".encode(encoding)  # base64 and the like are codecs, and no encodings of text
    except (LookupError, ValueError):
        hint = "Try utf-8 or cp1252."
        raise ProtocolError(f"dataset.encoding is {encoding!r}, which is no encoding.", hint) from None
    if known == "utf-8" and raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ProtocolError(f"{path.name} is UTF-16, not {encoding}.", "Set dataset.encoding to utf-16.")
    try:
        text = raw.decode("utf-8-sig" if known == "utf-8" else encoding)
    except (UnicodeError, ValueError) as error:
        start = int(getattr(error, "start", 0))
        found = f"byte 0x{raw[start]:02x} on line {raw.count(10, 0, start) + 1}" if raw else "its content"
        raise ProtocolError(
            f"{path.name} is not text in {encoding}: {found} means nothing there.",
            "Name the file's encoding in dataset.encoding, e.g. cp1252 for a file from Windows.",
        ) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise ProtocolError(f"{path.name} holds a zero byte on line {line}, so it is no text file.")
    return text


def _delimited(name: str, text: str, separator: str, quotes: bool) -> Sheet:
    rows, lines, empty = [], [], 0
    for line, row in _records(name, text, separator, quotes):
        if row:
            rows.append(row)
            lines.append(line)
        else:
            empty += 1
    header = [column.strip() for column in rows[0]]
    _check_header(name, header, separator)
    for line, row in zip(lines[1:], rows[1:], strict=True):
        if len(row) != len(header):
            raise ProtocolError(
                f"Line {line} of {name} has {len(row)} cells; the header has {len(header)}.",
                f"A cell that holds the separator {separator!r} must stand in double quotes.",
            )
    columns = {column: [row[j] for row in rows[1:]] for j, column in enumerate(header)}
    return _sheet(name, columns, lines[1:], empty)


def _sheet(name: str, columns: dict[str, list[str]], lines: list[int], empty: int) -> Sheet:
    if not lines:
        raise ProtocolError(f"{name} has a header and no rows.")
    row = [f"row {i} (line {line})" for i, line in enumerate(lines, 1)]
    return Sheet(
        name, columns, row.__getitem__, (f"{name} has {empty} empty lines, which are no rows.",) if empty else ()
    )


def _records(name: str, text: str, separator: str, quotes: bool) -> Iterator[tuple[int, list[str]]]:
    """First line and cells of every record."""
    if len(separator) != 1:
        raise ProtocolError(f"dataset.separator is {separator!r}; it must be one character.", 'A tab is "\\t" in YAML.')
    before = csv.field_size_limit(_LONGEST)
    lines = io.StringIO(text, newline="")
    reader = (
        csv.reader(lines, delimiter=separator, strict=True)
        if quotes
        else csv.reader(lines, delimiter=separator, quoting=csv.QUOTE_NONE, strict=True)
    )
    line = 1
    try:
        for row in reader:
            yield line, row
            line = reader.line_num + 1
    except csv.Error as error:
        if "unexpected end of data" in str(error) or "field larger" in str(error):
            why = f"The row that begins on line {line} of {name} has a double quote that never closes"
        else:
            why = f"The row that begins on line {line} of {name} has text beside a quoted cell ({error})"
        hint = 'A double quote inside a quoted cell is written twice: "". Where quotes are text as any other, set '
        raise ProtocolError(f"{why}.", f"{hint}dataset.quotes to false.") from error
    finally:
        csv.field_size_limit(before)


def _check_header(name: str, header: list[str], separator: str) -> None:
    for j, column in enumerate(header):
        if not column:
            raise ProtocolError(
                f"Column {j + 1} of {name} has no name.",
                "Name every column in the first line; pandas leaves its index out with to_csv(index=False).",
            )
        if column in header[:j]:
            raise ProtocolError(f"Columns {header.index(column) + 1} and {j + 1} of {name} are both named {column!r}.")
    other = next((mark for mark in (";", "\t", ",", "|") if mark != separator and mark in header[0]), None)
    if len(header) == 1 and other:
        raise ProtocolError(
            f"With the separator {separator!r}, {name} has one column, {header[0][:80]!r}.",
            f"Set dataset.separator to {other!r}.",
        )


def _json_lines(name: str, text: str) -> Sheet:
    columns: dict[str, list[str]] = {}
    lines: list[int] = []
    empty = 0
    for line, content in enumerate(text.split("\n"), 1):
        if not content.strip():
            empty += 1
            continue
        try:
            row = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise ProtocolError(f"Line {line} of {name} is not JSON: {error}.", "One object a line.") from error
        if not isinstance(row, dict):
            raise ProtocolError(f"Line {line} of {name} is not an object.", 'One object a line: {"text": "...", ...}.')
        columns = columns or {key: [] for key in row}
        if row.keys() != columns.keys():
            odd = sorted(row.keys() ^ columns.keys())[0]
            raise ProtocolError(f"Line {line} of {name} and the first line differ in the key {odd!r}.")
        for key, value in row.items():
            columns[key].append(_cell(value, name, line, key))
        lines.append(line)
    return _sheet(name, columns, lines, empty - text.endswith("\n"))


def _cell(value: object, name: str, line: int, key: str) -> str:
    if isinstance(value, dict | list):
        raise ProtocolError(
            f"Line {line} of {name}: {key!r} holds a {type(value).__name__}; text or a number is needed."
        )
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
