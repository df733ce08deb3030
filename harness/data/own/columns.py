"""What a new specification says of the columns of a file: role, type, domain and missing marker, as they are seen there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from harness.data.own.roles import NUMBER
from harness.data.own.settings import OwnSettings
from harness.data.own.sheet import Sheet
from harness.data.own.table import TableKeys
from harness.data.own.text import TextKeys
from harness.data.specification import Column, Role, Type

_FEW = 20  # different entries: a domain worth listing
_OF_KIND: Mapping[str, tuple[Role, Type]] = {
    "number": ("feature", "number"), "category": ("feature", "category"), "drop": ("unused", "text"), "meta": ("meta", "text"),
    "number+meta": ("feature", "number"), "category+meta": ("feature", "category"),
}  # fmt: skip


def seen(table: Sheet, settings: OwnSettings) -> dict[str, Column]:
    """A column of the specification for every column of the file, in its order; nothing is known of what they mean."""
    return {name: _column(name, table, settings) for name in table.columns}


def _column(name: str, table: Sheet, settings: OwnSettings) -> Column:
    markers = settings.missing.markers if isinstance(settings, TableKeys) else ("",)
    cells = table.column(name, "columns")
    role, type = _role(name, settings, [cell for cell in cells if cell not in markers])
    missing = next((cell for cell in cells if cell in markers), None) if type not in ("text", "image") else None
    levels = sorted({cell for cell in cells if cell not in markers}) if type == "category" else []
    return Column(role=role, type=type, values=tuple(levels) if 0 < len(levels) <= _FEW else None, missing=missing)


def _role(name: str, settings: OwnSettings, cells: list[str]) -> tuple[Role, Type]:
    """Role and type of a column, of which these are the entries that are there."""
    if name == settings.label:
        return "label", "category"
    if name in (settings.group, settings.id):
        return "group" if name == settings.group else "id", "text"
    if name == settings.time:
        return "time", "date" if all(map(_is_day, cells)) else "number" if all(map(NUMBER.fullmatch, cells)) else "text"
    if name == settings.part:
        return "part", "category"
    if name in settings.vote_columns:
        return "votes", "category"
    if isinstance(settings, TableKeys):
        inferred = "number" if cells and all(map(NUMBER.fullmatch, cells)) else "category"
        return _OF_KIND[settings.columns.get(name, inferred)]
    if isinstance(settings, TextKeys):
        return ("text" if name == settings.text else "meta" if name in settings.meta else "unused"), "text"
    return ("image" if name == getattr(settings, "file", None) else "unused"), "text"


def _is_day(cell: str) -> bool:
    """Whether it is a date alone, without a time of day."""
    try:
        datetime.strptime(cell, "%Y-%m-%d")  # noqa: DTZ007 - a day has no zone
    except ValueError:
        return False
    return True
