"""Names to classes, for data sets, fixed models and tracks alike, and one wording for settings that are wrong."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from harness.errors import ProtocolError

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)


class Registry(Generic[T]):
    """Classes by name, each imported when it is first asked for.

    Parameters
    ----------
    what: what they are, as an error says it.
    group: the entry points that add to them.
    base: what all of them derive from, as ``module:Class``.
    own: the harness's, name -> ``module:Class``.
    """

    def __init__(self, what: str, group: str, base: str, own: Mapping[str, str]) -> None:
        self.what = what
        self.own = dict(own)
        self._group = group
        self._base = base

    def names(self) -> list[str]:
        """All names, sorted: the harness's own and those of installed packages."""
        return sorted({*self.own, *_plugins().entry_points(self._group)})

    def get(self, name: object, root: Path | None = None) -> type[T]:
        """The class of a name, or of ``module:Class`` where the module lies in the directory ``root``.

        Raises ProtocolError for a name that is not known, with the nearest ones, and for a class that cannot be had.
        """
        if isinstance(name, str) and name in self.own:
            return imported(self.own[name])
        if isinstance(name, str) and ":" in name:
            if root is None:
                raise ProtocolError(
                    f"The {self.what} {name!r:.200} comes from an organiser's directory.",
                    "Name it with --config-dir DIR.",
                )
            return self._checked(name, _plugins().load(self.what, name, root))
        if isinstance(name, str) and (reference := _plugins().entry_points(self._group).get(name)):
            return self._checked(name, _plugins().load(self.what, reference))
        near = difflib.get_close_matches(str(name), self.names(), n=3, cutoff=0.5)
        hint = f"Did you mean {' or '.join(near)}? " if near else ""
        raise ProtocolError(f"There is no {self.what} named {name!r:.200}.", f"{hint}Known: {', '.join(self.names())}.")

    def _checked(self, name: str, cls: type[Any]) -> type[T]:
        base = imported(self._base)
        if not issubclass(cls, base):
            raise ProtocolError(
                f"The {self.what} {name!r:.200} is no {base.__name__}.", f"Derive it from {self._base}."
            )
        left = sorted(getattr(cls, "__abstractmethods__", ())) + [
            attribute for attribute in getattr(base, "needed", ()) if not hasattr(cls, attribute)
        ]
        if left:
            raise ProtocolError(
                f"The {self.what} {name!r:.200} does not define {', '.join(left)}.", f"{self._base} says what each is."
            )
        return cls


def imported(reference: str) -> type[Any]:
    """The class that ``module:Class`` names."""
    module, _, cls = reference.partition(":")
    found: type[Any] = getattr(import_module(module), cls)
    return found


def _plugins() -> ModuleType:
    """Imported when a name is not the harness's own: in a cell, where all are, the module does not exist."""
    from harness import plugins

    return plugins


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
    return f"{where}: {error['msg'].removeprefix('Value error, ')} (got {_shown(error['input'])})"


def _shown(value: object) -> str:
    try:
        return f"{value!r:.80}"
    except ValueError:  # an integer of thousands of digits
        return f"a large {type(value).__name__}"
