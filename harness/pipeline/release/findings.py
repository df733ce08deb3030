"""What was found wrong, a line each with file, row and column."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

NAMED = 5  # rows that a finding names


@dataclass(frozen=True)
class Finding:
    """``rows``: the first five in words; ``count``: how many there are in all."""

    file: str
    what: str
    column: str = ""
    rows: tuple[str, ...] = ()
    count: int = 1

    def __str__(self) -> str:
        more = f" and {self.count - len(self.rows)} more" if self.rows and self.count > len(self.rows) else ""
        places = [", ".join(self.rows) + more] if self.rows else []
        places += [f"column {self.column}"] if self.column else []
        return f"{', '.join([self.file, *places])}: {self.what}"

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class Collected:
    """Findings that gather: the same thing about one column is one finding, however many rows have it."""

    found: dict[tuple[str, str, str], tuple[list[str], int]] = field(default_factory=dict)

    def add(self, file: str, what: str, column: str = "", row: str = "", cell: str = "") -> None:
        """One more case; ``cell``: what stands there."""
        rows, count = self.found.setdefault((file, what, column), ([], 0))
        if row and len(rows) < NAMED:
            rows.append(f"{row} {cell!r:.60}" if cell else row)
        self.found[file, what, column] = rows, count + 1

    def extend(self, findings: Iterable[Finding]) -> None:
        for one in findings:
            self.found[one.file, one.what, one.column] = list(one.rows), one.count

    def all(self) -> list[Finding]:
        return [
            Finding(file, what, column, tuple(rows), count)
            for (file, what, column), (rows, count) in self.found.items()
        ]
