"""Text that participants wrote, made harmless for each format, and the environment of the page templates."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup


def clean(text: object) -> str:
    """One line without control, bidirectional or other invisible characters: they move or hide what is around them."""
    text = str(text)
    if text.isprintable():  # the rule: neither such characters nor any space but the usual one
        return text
    return "".join(" " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c)[0] != "C")


def md(text: str) -> str:
    """A text in a cell of a Markdown table, nothing in it taken for markup."""
    escaped = re.sub(r"([\\`*\[\]|])", r"\\\1", clean(text))
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def csv_cell(value: object) -> object:
    """A value for a spreadsheet; text that it would run as a formula is quoted with an apostrophe."""
    if isinstance(value, str):
        value = clean(value)
        return f"'{value}" if value[:1] in ("=", "+", "-", "@") else value
    return value


def number(value: float | None, decimals: int = 4) -> str:
    """A number with so many decimals, nothing for none."""
    return "" if value is None else f"{value:.{decimals}f}"


def breakable(text: object) -> Markup:
    """A name for HTML that may be broken behind its underscores, so that a phone shows whole words."""
    from markupsafe import Markup, escape

    return Markup("_<wbr>").join(escape(part) for part in clean(text).split("_"))


@cache
def environment() -> Environment:
    """Templates of this room: everything is escaped, and a name that is not given is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    here = Path(__file__).parent
    made = Environment(
        loader=FileSystemLoader([here / "templates", here / "site" / "templates"]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {"clean": clean, "number": number, "breakable": breakable}
    return made
