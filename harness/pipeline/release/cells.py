"""What the cells of a column may be, and when two of them say the same."""

from __future__ import annotations

import math
import re
from datetime import date, datetime

from harness.data.own.roles import NUMBER
from harness.data.specification import Column, Type

_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def fits(cell: str, type_: Type) -> bool:
    """Whether a cell is of a type; anything is text, a category or the name of an image."""
    if type_ == "integer":
        return bool(_WHOLE.fullmatch(cell))
    if type_ in ("number", "array"):
        return bool(NUMBER.fullmatch(cell)) and math.isfinite(float(cell))
    return type_ != "date" or moment(cell) is not None


def coded(cell: str) -> bool:
    """Whether a number is written as codes are: ``01234``."""
    return len(cell) > 1 and cell[0] == "0" and cell.isdecimal()


def moment(cell: str) -> datetime | None:
    """A date, or a date and time, in ISO 8601."""
    if not re.match(r"\d{4}-\d{2}-\d{2}", cell, re.ASCII):  # other forms of the standard are not read by others
        return None
    try:
        return datetime.fromisoformat(cell)
    except ValueError:
        return None


def is_day(cell: str) -> bool:
    """Whether a date has no time beside it."""
    return bool(_DAY.fullmatch(cell))


def outside(cell: str, column: Column) -> str:
    """What is wrong with a cell of the right type by the column's domain; empty where nothing is."""
    if column.values is not None and cell not in column.values:
        return "is none of the values listed"
    if (column.least is None and column.most is None) or column.type == "image":
        return ""
    value: float | date
    if column.type == "date":
        when = moment(cell)
        assert when is not None
        value = when.date()
    else:
        value = float(cell)
    if column.least is not None and value < column.least:  # type: ignore[operator]
        return f"is below {_bound(column.least)}"
    if column.most is not None and value > column.most:  # type: ignore[operator]
        return f"is above {_bound(column.most)}"
    return ""


def _bound(value: float | date) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def meaning(cell: str, type_: Type) -> object:
    """What a cell says, whichever way it is written: ``70.50`` is 70.5."""
    if cell == "" or not fits(cell, type_):
        return cell
    if type_ == "integer":
        return int(cell)
    if type_ in ("number", "array"):
        return float(cell)
    return moment(cell) if type_ == "date" else cell
