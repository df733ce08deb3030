"""Rows as they were given, before anything is encoded: what a release of the data holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from harness.data.own.sheet import Sheet
from harness.data.specification import Role


@dataclass(frozen=True)
class Original:
    """A sheet of cells as they stand in the files, and what the settings say of its columns.

    ``roles``: columns that are more than features. ``arrays``: the columns that an array of several numbers a row became.
    ``named``: whether columns have names of their own, as those of a folder of files have not. ``picture``: the bytes of a row's image file, whose name is in the column of the role ``image``.
    """

    sheet: Sheet
    roles: Mapping[str, Role]
    arrays: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    named: bool = True
    picture: Callable[[int], bytes] | None = None
