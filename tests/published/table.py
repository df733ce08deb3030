"""What a published table is: its rows, the facts about it, and where its data come from."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from harness.data.fetch import DataFile, get
from harness.errors import ProtocolError

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Row:
    """A figure that somebody printed, and ours; None where it could not be computed, ``reason`` saying why."""

    figure: str
    published: float
    ours: float | None
    within: float | None = None  # the difference allowed; None: that of the table
    reason: str = ""  # found for a difference that is larger

    @classmethod
    def of(cls, row: Row | Mapping[str, Any]) -> Row:
        """A row as it is, or one given as a mapping with these names; others are left out."""
        return row if isinstance(row, Row) else cls(**{k: v for k, v in row.items() if k in cls.__dataclass_fields__})


@dataclass(frozen=True)
class About:
    """What the page says of a table: a module's ``ABOUT``."""

    title: str
    paper: str = ""
    where: str = ""  # the table, chart or file, and what was not compared with a copy of it
    ours: str = ""  # how ours are computed
    tolerance: str = "equal as printed"
    within: float = 0.0
    digits: int = 2
    files: tuple[DataFile, ...] = ()
    data: str = ""  # where no file is needed
    slow: bool = False  # more than ten seconds of one core


@dataclass(frozen=True)
class Table:
    """A table that is there to be computed."""

    name: str  # of the module
    about: About
    compute: Callable[[], Iterable[Row | Mapping[str, Any]]] = field(repr=False)

    def rows(self) -> list[Row]:
        """Computed now, each with its own ``within``. Raises what keeps it from being computed: see :func:`why_not`."""
        found = [Row.of(row) for row in self.compute()]
        return [
            r if r.within is not None else Row(r.figure, r.published, r.ours, self.about.within, r.reason)
            for r in found
        ]


def decimals(row: Row, about: About) -> int:
    """How many decimals a row is shown with: counts have none."""
    return 0 if isinstance(row.published, int) and isinstance(row.ours, int) else about.digits


def agrees(row: Row) -> bool:
    """Whether ours is as near as the page allows; rounding of binary fractions is no difference."""
    return row.ours is not None and abs(row.ours - row.published) <= (row.within or 0.0) + 1e-9


def tables() -> dict[str, Table]:
    """Every module here that has ``rows``, by its name."""
    found = {}
    for name in sorted(module.name for module in pkgutil.iter_modules([str(_HERE)])):
        if name.startswith(("_", "test_")):
            continue
        module = importlib.import_module(f"tests.published.{name}")
        if hasattr(module, "rows"):
            found[name] = Table(name, getattr(module, "ABOUT", None) or _told(module), module.rows)
    return found


def _told(module: ModuleType) -> About:
    """What a module without ``ABOUT`` says of itself: the first line of its docstring, and ``WITHIN``. Taken for a slow one."""
    title = (module.__doc__ or module.__name__).strip().splitlines()[0].rstrip(".")
    within = float(getattr(module, "WITHIN", 0.0))
    return About(title, tolerance=f"{within:g}", within=within, digits=3, slow=True)


def pinned(folder: str, address: str, sha256: Mapping[str, str]) -> dict[str, DataFile]:
    """Files of one address by their names, each with its SHA-256."""
    return {name: DataFile(folder, name, digest, f"{address}/{name}") for name, digest in sha256.items()}


def path(file: DataFile) -> Path:
    """Where the file is, its digest checked. Raises ProtocolError where it cannot be had."""
    try:
        return get(file, file.folder)
    except ProtocolError as error:  # not every file here is of a data set that `harness fetch` knows
        where = f"a directory that holds {file.folder}/{file.name}"
        raise ProtocolError(
            error.reason, f"Set HARNESS_DATA_DIR to {where}, or run it on a machine with a network."
        ) from None
