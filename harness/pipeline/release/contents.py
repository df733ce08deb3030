"""The data files of a release as its descriptions see them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.data.card import Counted
from harness.data.specification import Column, Specification
from harness.pipeline.release import cells
from harness.pipeline.release.material import FILES, ROWS, Vote, arrays, fields, label_of, of_role, plain_label
from harness.pipeline.release.tabular import Format

FORMAT = 1  # of releases; raise whenever the same data would be described in another way


@dataclass(frozen=True)
class Stored:
    """A file: its size in bytes and its SHA-256."""

    size: int
    sha256: str

    @classmethod
    def of(cls, content: bytes) -> Stored:
        return cls(len(content), hashlib.sha256(content).hexdigest())


@dataclass(frozen=True)
class Contents:
    """Everything that descriptions are made from. ``stored``: the tables by path; ``pictures``: the images by path."""

    spec: Specification
    columns: Mapping[str, Sequence[str]]
    votes: Sequence[Vote] | None
    form: Format
    stored: Mapping[str, Stored] = field(default_factory=dict)
    pictures: Mapping[str, Stored] | None = None

    @property
    def rows_path(self) -> str:
        return f"{ROWS}.{self.form}"

    @property
    def fields(self) -> dict[str, Column]:
        """What each column of the rows is."""
        known = fields(self.spec, self.columns)
        return {name: known.get(name, Column(type="text")) for name in self.columns}

    @property
    def arrays(self) -> dict[str, list[str]]:
        """Arrays that are one column of the file, by their columns here: those of parquet."""
        return arrays(self.spec, self.columns) if self.form == "parquet" else {}

    @property
    def described(self) -> dict[str, Column]:
        """What each column of the file is, arrays in one."""
        whole = {member: array for array, members in self.arrays.items() for member in members}
        return {
            whole.get(name, name): self.spec.columns[whole[name]] if name in whole else column
            for name, column in self.fields.items()
        }

    def days(self, name: str) -> bool:
        """Whether every date of a column is without a time of day."""
        return all(cells.is_day(cell) for cell in self.columns[name] if cell != "")

    def classes(self) -> dict[str, int]:
        """Rows of every class, in the order of the names (numbers: of the numbers)."""
        counts = Counter(map(plain_label, self.columns.get(label_of(self.spec) or "", ())))
        whole = all(name.lstrip("-").isdecimal() for name in counts)
        return {name: counts[name] for name in (sorted(counts, key=int) if whole else sorted(counts))}

    def parts(self) -> list[str]:
        """The words for official parts, in the order in which they appear."""
        return list(dict.fromkeys(self.columns.get(of_role(self.spec, "part") or "", ())))

    def counted(self) -> Counted:
        """What the card says of the data."""
        n = len(next(iter(self.columns.values()), ()))
        return Counted(n, (), self.classes())


def files_table(pictures: Mapping[str, Stored]) -> dict[str, list[str]]:
    """The pictures as a table: whoever has its digest has all of theirs."""
    paths = sorted(pictures)
    return {
        "path": paths,
        "bytes": [str(pictures[path].size) for path in paths],
        "sha256": [pictures[path].sha256 for path in paths],
    }


FILES_PATH = f"{FILES}.csv"
FILES_FIELDS = {
    "path": Column(role="id", type="image", means="An image file of this release"),
    "bytes": Column(role="meta", type="integer", means="Its size"),
    "sha256": Column(role="meta", type="text", means="Its digest"),
}
VOTE_FIELDS = {
    "item": Column(role="id", type="text", means="The row that was judged, by its key"),
    "annotator": Column(role="meta", type="category", means="Who judged it"),
    "label": Column(role="label", type="category", means="What they said"),
}
