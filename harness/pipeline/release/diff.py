"""What two versions of a data set do not share, and which version number that asks for.

The rule is Croissant's: a patch repackages the same data, a minor version adds to them, a major one changes or takes away.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from packaging.version import Version

from harness.data.specification import Column, Specification
from harness.errors import ProtocolError
from harness.pipeline.release import cells, opened
from harness.pipeline.release.contents import Contents, Stored
from harness.pipeline.release.findings import Collected
from harness.pipeline.release.gather import gather
from harness.pipeline.release.material import POSITION, fields, key_of, label_of, of_role, plain_label
from harness.pipeline.release.papers import specification

Bump = Literal["none", "patch", "minor", "major"]
_ORDER: tuple[Bump, ...] = ("none", "patch", "minor", "major")
_FIRST = 5  # ids of each kind that are named


@dataclass(frozen=True)
class Side:
    """One of the two: its specification, rows, and digests of its pictures."""

    spec: Specification
    columns: Mapping[str, Sequence[str]]
    votes: frozenset[tuple[str, str, str]]
    pictures: Mapping[str, str]
    packaging: str  # of a release: how its files are written


@dataclass(frozen=True)
class Rows:
    """How many, and the first few by name."""

    count: int = 0
    first: tuple[str, ...] = ()

    @classmethod
    def of(cls, names: Sequence[str]) -> Rows:
        return cls(len(names), tuple(names[:_FIRST]))

    def as_dict(self) -> dict[str, Any]:
        return {"count": self.count, "first": list(self.first)}


@dataclass(frozen=True)
class Difference:
    """``asks``: the least step from A's version to B's; ``by_id`` is False where rows have no ids and are told by content."""

    versions: tuple[str, str]
    by_id: bool
    added: Rows = Rows()
    removed: Rows = Rows()
    relabelled: Rows = Rows()
    changed: Rows = Rows()
    columns_added: tuple[str, ...] = ()
    columns_removed: tuple[str, ...] = ()
    votes_added: int = 0
    votes_removed: int = 0
    described: bool = False  # the specification says something else
    packaged: bool = False  # the same is written in another way
    asks: Bump = "none"
    problem: str = ""
    kinds: tuple[str, ...] = field(default=("added", "removed", "relabelled", "changed"), repr=False)

    @property
    def ok(self) -> bool:
        return not self.problem

    def as_dict(self) -> dict[str, Any]:
        return {
            "a_version": self.versions[0], "b_version": self.versions[1], "by_id": self.by_id,
            **{kind: getattr(self, kind).as_dict() for kind in self.kinds},
            "columns_added": list(self.columns_added), "columns_removed": list(self.columns_removed),
            "votes_added": self.votes_added, "votes_removed": self.votes_removed, "described": self.described,
            "packaged": self.packaged, "asks": self.asks, "ok": self.ok, "problem": self.problem,
        }  # fmt: skip


def diff(a: str, b: str, config_dir: Path | None = None) -> Difference:
    """Two releases, or data sets by name, or one of each.

    Raises ProtocolError where one cannot be read, or they are two data sets: of different names, and without the versions of
    the one at the beginning of the other's, as those of a later round have them.
    """
    one, other = _side(a, config_dir), _side(b, config_dir)
    if one.spec.name != other.spec.name and not (_goes_on(one, other) or _goes_on(other, one)):
        raise ProtocolError(
            f"{a} is {one.spec.name} and {b} is {other.spec.name}: two data sets, not two versions of one."
        )
    return between(one, other)


def _goes_on(one: Side, other: Side) -> bool:
    """Whether the second's versions are those of the first and later ones."""
    before, after = one.spec.versions, other.spec.versions
    return len(before) < len(after) and after[: len(before)] == before


def _side(word: str, config_dir: Path | None) -> Side:
    if not opened.is_release(word):
        material = gather(word, config_dir).material
        pictures = {path: Stored.of(content()).sha256 for path, content in (material.pictures or {}).items()}
        return Side(material.spec, material.columns, frozenset(material.votes or ()), pictures, "")
    with opened.folder_of(Path(word)) as folder:
        found = Collected()
        read = opened.read(folder, found)
        if read is None:
            raise ProtocolError(f"{word} cannot be compared: {'; '.join(map(str, found.all()))}.")
        return side_of(read.contents)


def side_of(contents: Contents) -> Side:
    """A release as one side."""
    pictures = {path: stored.sha256 for path, stored in (contents.pictures or {}).items()}
    digests = ",".join(f"{path}:{stored.sha256}" for path, stored in sorted(contents.stored.items()))
    return Side(contents.spec, contents.columns, frozenset(contents.votes or ()), pictures, digests)


def between(a: Side, b: Side) -> Difference:
    """The difference from A to B."""
    key_a, key_b = key_of(a.spec), key_of(b.spec)
    by_id = key_a is not None and key_a == key_b and all(key_a in side.columns for side in (a, b))
    names_a, names_b = ([name for name in side.columns if name != POSITION] for side in (a, b))
    shared = [name for name in names_a if name in names_b]
    found = _by_id(a, b, str(key_a), shared) if by_id else _by_content(a, b, shared)
    more = {
        "columns_added": tuple(name for name in names_b if name not in names_a),
        "columns_removed": tuple(name for name in names_a if name not in names_b),
        "votes_added": len(b.votes - a.votes) if by_id else max(0, len(b.votes) - len(a.votes)),
        "votes_removed": len(a.votes - b.votes) if by_id else max(0, len(a.votes) - len(b.votes)),
        "described": _described(a.spec) != _described(b.spec),
        "packaged": bool(a.packaging and b.packaging) and a.packaging != b.packaging,
    }
    asks = _asks(found, more)
    versions = (a.spec.version, b.spec.version)
    return Difference(versions, by_id, **found, **more, asks=asks, problem=_problem(versions, asks))  # type: ignore[arg-type]


def _described(spec: Specification) -> str:
    return specification(spec.model_copy(update={"versions": spec.versions[:1], "digests": ()}))


def _rows(side: Side, shared: Sequence[str], label: str | None) -> list[tuple[object, ...]]:
    """What each row says in the shared columns, the label first."""
    known = fields(side.spec, side.columns)
    image = of_role(side.spec, "image")
    said: list[list[object]] = []
    for name in shared:
        type_ = known.get(name, Column(type="text")).type
        if name == label:
            said.insert(0, [plain_label(cell) for cell in side.columns[name]])
        elif name == image:
            said.append([(cell, side.pictures.get(cell)) for cell in side.columns[name]])
        else:
            said.append([cells.meaning(cell, type_) for cell in side.columns[name]])
    if label not in shared:
        said.insert(0, [None] * len(next(iter(side.columns.values()), ())))
    return list(zip(*said, strict=True))


def _by_id(a: Side, b: Side, key: str, shared: Sequence[str]) -> dict[str, Rows]:
    label = label_of(b.spec)
    one, other = (dict(zip(side.columns[key], _rows(side, shared, label), strict=True)) for side in (a, b))
    both = [name for name in one if name in other and one[name] != other[name]]
    return {
        "added": Rows.of([name for name in other if name not in one]),
        "removed": Rows.of([name for name in one if name not in other]),
        "relabelled": Rows.of([name for name in both if one[name][0] != other[name][0]]),
        "changed": Rows.of([name for name in both if one[name][1:] != other[name][1:]]),
    }


def _by_content(a: Side, b: Side, shared: Sequence[str]) -> dict[str, Rows]:
    """Rows without ids as a multiset: one that is changed or relabelled is one removed and one added."""
    label = label_of(b.spec)
    one, other = (Counter(_rows(side, shared, label)) for side in (a, b))
    more, less = (list((x - y).elements()) for x, y in ((other, one), (one, other)))
    return {
        "added": Rows(len(more), tuple(map(_shown, more[:_FIRST]))),
        "removed": Rows(len(less), tuple(map(_shown, less[:_FIRST]))),
    }


def _shown(row: tuple[object, ...]) -> str:
    return ", ".join(str(value) for value in row if value is not None)[:60]


def _asks(found: Mapping[str, Rows], more: Mapping[str, object]) -> Bump:
    if any(found[kind].count for kind in found if kind != "added") or more["columns_removed"] or more["votes_removed"]:
        return "major"
    if found["added"].count or more["columns_added"] or more["votes_added"]:
        return "minor"
    return "patch" if more["described"] or more["packaged"] else "none"


def step(a: str, b: str) -> Bump | Literal["backwards"]:
    """The step from one version to another: which of the three numbers is the first to rise."""
    one, other = Version(a), Version(b)
    if other < one:
        return "backwards"
    for bump, x, y in zip(("major", "minor", "patch"), one.release, other.release, strict=True):
        if y > x:
            return bump  # type: ignore[return-value]
    return "none" if one == other else "patch"


def _problem(versions: tuple[str, str], asks: Bump) -> str:
    made = step(*versions)
    if made == "backwards":
        return f"The version goes backwards, from {versions[0]} to {versions[1]}."
    if _ORDER.index(made) >= _ORDER.index(asks):
        return ""
    said = "is the same" if made == "none" else f"is a {made} step"
    return f"The version {said} ({versions[0]} to {versions[1]}), and what changed asks for a {asks} one."
