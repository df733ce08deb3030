"""Docstrings as the site's reader of them wants them: a parameter's name on a line of its own, no roles of Sphinx."""

from __future__ import annotations

import re
from typing import Any

import griffe

_ROLE = re.compile(r":[a-z]+:`~?([^`]+)`")
_SECTION = re.compile(r"^(?:Parameters|Raises|Returns|Attributes)\n-+\n(?:.+\n?)+", re.MULTILINE)
_ENTRY = re.compile(r"^(\w[\w, .*]*): +(.+)$", re.MULTILINE)


class Readable(griffe.Extension):
    """Turns each docstring before it is parsed."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = readable(obj.docstring.value)


def readable(text: str) -> str:
    r"""``x: what it is`` under a heading becomes ``x`` over ``what it is``; :mod:`a` becomes ``a`` in code."""
    text = _SECTION.sub(lambda section: _ENTRY.sub(r"\1\n    \2", section[0]), text)
    return _ROLE.sub(r"``\1``", text)
