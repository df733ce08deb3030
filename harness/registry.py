"""Names to classes, for data sets, fixed models and tracks alike, and one wording for settings that are wrong."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from harness.errors import ProtocolError

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)


class Registry(Generic[T]):
    """Classes by name, each imported when it is first asked for.

    ``what``: what they are, as an error says it; ``known``: name -> ``module:Class``.
    """

    def __init__(self, what: str, known: Mapping[str, str]) -> None:
        self.what = what
        self._known = dict(known)

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted(self._known)

    def get(self, name: object) -> type[T]:
        """The class of a name. Raises ProtocolError, with the nearest names, for one that is not known."""
        if not isinstance(name, str) or name not in self._known:
            near = difflib.get_close_matches(str(name), self._known, n=3, cutoff=0.5)
            hint = f"Did you mean {' or '.join(near)}? " if near else ""
            raise ProtocolError(
                f"There is no {self.what} named {name!r:.200}.", f"{hint}Known: {', '.join(self.names())}."
            )
        module, _, cls = self._known[name].partition(":")
        found: type[T] = getattr(import_module(module), cls)
        return found


def settings_of(what: str, cls: type[M], name: str, params: Mapping[str, Any]) -> M:
    """Settings of the class. Raises ProtocolError naming every unknown key and impossible value at once."""
    try:
        return cls.model_validate({"name": name, **params})
    except ValidationError as error:
        known = ", ".join(key for key in cls.model_fields if key != "name") or "none"
        raise ProtocolError(
            f"The settings of {what} {name!r} are wrong: {'; '.join(problems(error))}.", f"Its settings: {known}."
        ) from None


def problems(error: ValidationError, group: str = "") -> list[str]:
    """A line each, as ``model.C: Input should be greater than 0 (got -1)``; ``group`` comes before every key."""
    return [problem(found, group) for found in error.errors()]


def problem(error: Any, group: str = "") -> str:
    """One entry of ``ValidationError.errors()`` in words."""
    where = ".".join(str(part) for part in (*([group] if group else []), *error["loc"]))[:200] or "config"
    where = where if where.isprintable() else repr(where)
    if error["type"] == "missing":
        return f"{where} is missing"
    if error["type"] == "extra_forbidden":
        return f"{where} is not a known setting"
    return f"{where}: {error['msg'].removeprefix('Value error, ')} (got {error['input']!r:.80})"
