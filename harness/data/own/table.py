"""``name: table``: rows and columns of numbers and categories in a delimited file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from harness.data.base import TRAIN, Dataset
from harness.data.own import assemble, roles, sheet
from harness.data.own.encoding import Encoder, Kind, Policy
from harness.data.own.original import Original
from harness.data.own.settings import Name, OwnSettings


class Missing(BaseModel):
    """What stands for a missing entry, and what becomes of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    markers: tuple[str, ...] = ("", "NA", "N/A", "NaN", "nan", "null", "?")
    policy: Policy = "refuse"


class TableKeys(OwnSettings):
    """What a table has beside the keys of all kinds, wherever its rows come from."""

    label: Name
    missing: Missing = Missing()
    columns: Mapping[Name, Kind] = {}
    rare: int = Field(5, ge=1)
    standardize: bool = True

    def encoded(self, table: sheet.Sheet) -> Dataset:
        """The data set of a sheet. Raises ProtocolError as :meth:`OwnSettings.load`."""
        missing = frozenset(self.missing.markers)
        labels = roles.classes(table.column(self.label, "label"), f"column {self.label!r}", table.where, missing)
        extras = assemble.attributes(self, table, labels)
        part = extras.get("part", np.full(len(table), TRAIN))
        encoder = Encoder(
            table, missing, self.missing.policy, self.rare, self.standardize, np.flatnonzero(part == TRAIN)
        )
        kinds = encoder.kinds(self.columns, self.roles())
        X, features = encoder.features(kinds)
        extras = assemble.kept(extras, encoder.meta(kinds))
        notes = [*table.notes, *encoder.notes]
        return assemble.dataset(self.title, X, labels, extras, table.where, notes, features=features)


class Table(TableKeys):
    """X [n, d]: columns in the order of the file, numbers standardised, categories one-hot (``encoding.py`` has the rules).

    Extras: ``id`` always; ``group``, ``time``, ``part``, ``votes`` where named; columns of the kind meta.
    """

    name: Literal["table"] = "table"
    encoding: str = "utf-8"
    separator: Annotated[str, Field(min_length=1)] | None = None
    quotes: bool = True

    def read(self, path: Path) -> Dataset:
        return self.encoded(self._sheet(path))

    def original(self, path: Path) -> Original:
        return Original(self._sheet(path), self.roles_of_columns())

    def _sheet(self, path: Path) -> sheet.Sheet:
        return sheet.read(path, self.encoding, self.separator, quotes=self.quotes)
