"""Columns of a table as features: numbers standardised, categories as one-hot columns.

Constants (means, deviations, levels and their counts) come from the official training part alone where there is one. Where
there is none they come from all rows, as in the data sets shipped with scikit-learn, and from no label: parts are drawn anew
for every seed, and features that changed with them could not be pinned. ``standardize: false`` takes no constant from any row.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from harness.api import FloatArray, IntArray
from harness.data.base import standardized
from harness.data.own.roles import NUMBER, Array, strings
from harness.data.own.sheet import Sheet
from harness.errors import ProtocolError

Kind = Literal["number", "category", "drop", "meta", "number+meta", "category+meta"]
Policy = Literal["refuse", "category", "mean+flag"]
_TOO_LARGE = 1e100
_MUCH = 0.4  # share of missing entries worth a note


class Encoder:
    """One table's columns; ``reference``: rows that constants come from."""

    def __init__(
        self, table: Sheet, missing: frozenset[str], policy: Policy, rare: int, standardize: bool, reference: IntArray
    ) -> None:
        self.table, self.missing, self.policy = table, missing, policy
        self.rare, self.standardize, self.reference = rare, standardize, reference
        self.notes: list[str] = []

    def kinds(self, given: Mapping[str, Kind], taken: Sequence[str]) -> dict[str, Kind]:
        """Every column's kind, in the order of the file: as given, else inferred. ``taken`` have another role already."""
        for name in given:
            self.table.raw(name, "columns")
            if name in taken:
                raise ProtocolError(
                    f"dataset.columns names {name!r}, which has another role already.", "A column has one role."
                )
        free = [name for name in self.table.columns if name not in taken]
        kinds = {name: given.get(name) or self._inferred(name) for name in free}
        if any(name not in given for name in free):
            said = json.dumps(kinds, ensure_ascii=False)  # which is YAML, and quotes a column named 1 or no
            self.notes.append(f"Columns were inferred; to pin them: `columns: {said}`.")
        if not any(kind.startswith(("number", "category")) for kind in kinds.values()):
            said = ", ".join(f"{name}: {kind}" for name, kind in kinds.items()) or "none is left"
            raise ProtocolError(f"{self.table.name} has no column to learn from ({said}).")
        return kinds

    def _inferred(self, name: str) -> Kind:
        cells = [cell for cell in self.table.column(name, "columns") if cell not in self.missing]
        number = [bool(NUMBER.fullmatch(cell)) for cell in cells]
        if cells and len(set(cells)) == len(cells) and len(cells) > 20 and (not any(number) or _counting(cells)):
            self.notes.append(f"Column {name!r} is different in every row: an id? (`id: {name}`, or drop it)")
        if cells and all(number) and not any(len(c) > 1 and c[0] == "0" and c.isdecimal() for c in cells):
            return "number"
        if 2 * sum(number) > len(cells) and not all(number):
            rows = [
                i
                for i, cell in enumerate(self.table.column(name, "columns"))
                if cell not in self.missing and not NUMBER.fullmatch(cell)
            ]
            odd = self.table.column(name, "columns")[rows[0]]
            raise ProtocolError(
                f"Most of column {name!r} of {self.table.name} are numbers, and {odd!r} is none: {self.table.where(rows)}.",
                f"Correct it, add {odd!r} to missing.markers, or say `columns: {{{name}: category}}`.",
            )
        return "category"

    def features(self, kinds: Mapping[str, Kind]) -> tuple[FloatArray, list[str]]:
        """X [n, d] float32 and the names of its columns.

        Raises ProtocolError for missing entries that the policy does not take and for a number that is none.
        """
        blocks: list[npt.NDArray[np.float32]] = []
        names: list[str] = []
        for name, kind in kinds.items():
            if kind in ("drop", "meta"):
                continue
            cells = self.table.column(name, "columns")
            absent = np.array([cell in self.missing for cell in cells])
            self._check_missing(name, kind, absent)
            is_number = kind.startswith("number")
            block, labels = self._number(name, cells, absent) if is_number else self._category(name, cells, absent)
            blocks.append(block)
            names += labels
        return np.concatenate(blocks, axis=1), names

    def _check_missing(self, name: str, kind: Kind, absent: npt.NDArray[np.bool_]) -> None:
        rows = np.flatnonzero(absent)
        if not len(rows):
            return
        share = f"{len(rows)} of {len(absent)} entries ({len(rows) / len(absent):.0%}) of column {name!r} are missing"
        if self.policy == "refuse" or (self.policy == "category" and kind.startswith("number")):
            only = " for categories only" if self.policy == "category" else ""
            raise ProtocolError(
                f"{share}: {self.table.where(rows.tolist())}. The policy is {self.policy}{only and ', which is' + only}.",
                "Set dataset.missing.policy to mean+flag (numbers: the mean and a column that says so; categories: a "
                "level of its own) or to category, drop the column, or fill the gaps in.",
            )
        if len(rows) >= _MUCH * len(absent):
            self.notes.append(f"{share}.")

    def _number(
        self, name: str, cells: Sequence[str], absent: npt.NDArray[np.bool_]
    ) -> tuple[npt.NDArray[np.float32], list[str]]:
        values = np.array([self._parsed(name, i, cell) for i, cell in enumerate(cells)])
        known = np.setdiff1d(self.reference, np.flatnonzero(absent))
        if absent.any():
            if not len(known):
                raise ProtocolError(
                    f"Column {name!r} has no entry in the training rows, so it has no mean.", "Drop it."
                )
            # summed exactly: the same to the bit on every machine
            values[absent] = math.fsum(values[known]) / len(known) if self.standardize else 0.0
        number = values[:, None]
        if self.standardize:
            number = standardized(number, self.reference)
        if not absent.any():
            return number.astype(np.float32), [name]
        flag = absent[:, None].astype(np.float32)
        return np.concatenate([number.astype(np.float32), flag], axis=1), [name, f"{name} is missing"]

    def _parsed(self, name: str, row: int, cell: str) -> float:
        if cell in self.missing:
            return 0.0
        if not NUMBER.fullmatch(cell):
            hint = "Write 1.5 with a point." if "," in cell else f"Correct it, or add {cell!r} to missing.markers."
            raise ProtocolError(f"Column {name!r} holds {cell!r}, which is no number: {self.table.where([row])}.", hint)
        value = float(cell)
        if abs(value) > _TOO_LARGE:
            raise ProtocolError(
                f"Column {name!r} holds {cell!r}, too large to compute with: {self.table.where([row])}."
            )
        return value

    def _category(
        self, name: str, cells: Sequence[str], absent: npt.NDArray[np.bool_]
    ) -> tuple[npt.NDArray[np.float32], list[str]]:
        """Levels in sorted order, then those rarer than the floor together, then what is missing."""
        counts = Counter(cells[i] for i in self.reference.tolist() if not absent[i])
        levels = sorted(level for level, count in counts.items() if count >= self.rare)
        position = {level: j for j, level in enumerate(levels)}
        others = len(counts) > len(levels)
        named = levels + (["(rare)"] if others else []) + (["(missing)"] if absent.any() else [])
        if others:
            self.notes.append(
                f"{len(counts) - len(levels)} levels of {name!r} with fewer than {self.rare} rows are one."
            )
        rows, columns, unseen = [], [], set()
        for i, cell in enumerate(cells):
            j = len(named) - 1 if absent[i] else position.get(cell, len(levels) if others else -1)
            if j >= 0:
                rows.append(i)
                columns.append(j)
            if not absent[i] and cell not in counts:
                unseen.add(cell)
        if unseen:
            as_what = "counted as rare" if others else "all zeros"
            self.notes.append(f"{len(unseen)} levels of {name!r} are in no training row and are {as_what}.")
        block = np.zeros((len(cells), len(named)), np.float32)
        block[rows, columns] = 1
        return block, [f"{name}={level}" for level in named]

    def meta(self, kinds: Mapping[str, Kind]) -> dict[str, Array]:
        """Columns to keep beside the features: numbers as float64, all else as text."""
        found: dict[str, Array] = {}
        for name, kind in kinds.items():
            if kind.endswith("meta"):
                cells = self.table.column(name, "columns")
                numbers = kind != "category+meta" and all(NUMBER.fullmatch(cell) for cell in cells)
                found[name] = np.array(list(map(float, cells))) if numbers else strings(cells, name, self.table.where)
        return found


def _counting(cells: Sequence[str]) -> bool:
    """Whether whole numbers follow each other one by one."""
    if not all(cell.isdecimal() and len(cell) < 19 for cell in cells):
        return False
    numbers = sorted(map(int, cells))
    return numbers[-1] - numbers[0] == len(numbers) - 1
