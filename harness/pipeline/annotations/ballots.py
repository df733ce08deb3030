"""Votes as arrays, in one order whatever the order of the file, so that no figure depends on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from harness.api import IntArray
from harness.data.own.roles import NUMBER
from harness.errors import ProtocolError

NOBODY, OTHER = -1, -2  # of `gold`: nothing is known; a label that nobody voted for
_MOST_CELLS = 200_000_000  # of counts [n, C]


@dataclass(frozen=True)
class Cast:
    """V votes with their annotators, sorted by item, then annotator. Arrays [V] of positions in the names."""

    annotators: tuple[str, ...]
    item: IntArray
    annotator: IntArray
    label: IntArray

    def __len__(self) -> int:
        return len(self.item)

    def only(self, which: npt.NDArray[np.bool_]) -> Cast:
        """The votes that ``which`` [V] marks."""
        return replace(self, item=self.item[which], annotator=self.annotator[which], label=self.label[which])

    def last(self) -> npt.NDArray[np.bool_]:
        """Which votes [V] no later one of the same annotator on the same item follows."""
        return np.append((np.diff(self.item) != 0) | (np.diff(self.annotator) != 0), len(self) > 0)[: len(self)]


@dataclass(frozen=True)
class Ballots:
    """Votes on n items for C classes; ``cast`` is None where only counts are known.

    ``gold`` [n]: a class that is known to be right, :data:`NOBODY`, or :data:`OTHER`. ``rounds``: the same items and classes
    with the votes of one round each.
    """

    items: tuple[str, ...]
    classes: tuple[str, ...]
    counts: IntArray  # [n, C]
    cast: Cast | None
    gold: IntArray
    rounds: Mapping[str, Ballots] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @cached_property
    def row_of(self) -> dict[str, int]:
        """Position of every item."""
        return {name: i for i, name in enumerate(self.items)}

    @cached_property
    def voted(self) -> IntArray:
        """Votes an item, [n]."""
        votes: IntArray = self.counts.sum(axis=1)
        return votes

    def coded(self, truth: Mapping[str, str]) -> IntArray:
        """Labels by item as classes [n], in the notation of ``gold``; items that are not here are passed over."""
        code = {name: c for c, name in enumerate(self.classes)}
        whole = all(_is_whole(name) for name in self.classes)
        found = np.full(len(self.items), NOBODY)
        for item, label in truth.items():
            if (row := self.row_of.get(item)) is not None:
                found[row] = code.get(_plain(label) if whole else label, OTHER)
        return found


def ballots(
    items: Sequence[str],
    labels: Sequence[str],
    annotators: Sequence[str],
    *,
    gold: Mapping[str, str] | None = None,
    when: IntArray | None = None,
    rounds: tuple[IntArray, Sequence[str]] | None = None,
    notes: Sequence[str] = (),
) -> Ballots:
    """Put V votes in order; names of items and annotators are sorted, classes as data sets sort them.

    Parameters
    ----------
    items, labels, annotators: [V].
    gold: label by item; items with gold and no vote are items as well.
    when: rank in time of every vote [V]: of two votes of one annotator on one item the later counts.
    rounds: the position of every vote's round [V] and the names of the rounds.

    Raises
    ------
    ProtocolError: no vote at all, far too many different labels, or one annotator votes twice on one item at one time.
    """
    import pandas as pd

    gold, total = dict(gold or {}), len(items)
    if not total:
        raise ProtocolError("There is not a single vote in it.", "Annotations that were skipped or are empty are none.")
    item, item_names = pd.factorize(np.array([*items, *gold], object), sort=True)
    annotator, annotator_names = pd.factorize(np.array(annotators, object), sort=True)
    label, classes = classes_of([*labels, *gold.values()])
    if len(item_names) * len(classes) > _MOST_CELLS:
        raise ProtocolError(
            f"There are {len(classes):,} different labels, e.g. {', '.join(map(repr, classes[:3]))}: these are no classes.",
            "Agreement is measured on labels that people choose from a list.",
        )
    names = tuple(map(str, item_names))
    when = np.zeros(total, np.int64) if when is None else when
    order = np.lexsort((when, annotator, item[:total]))
    columns = (column[order].astype(np.int64) for column in (item[:total], annotator, label[:total]))
    cast = Cast(tuple(map(str, annotator_names)), *columns)
    again = ~cast.last()
    _once(cast, again & (when[order] == np.append(when[order][1:], -1)), names, classes)
    known = np.full(len(names), NOBODY)
    known[item[total:]] = label[total:]
    whole = Ballots(names, classes, np.zeros((len(names), len(classes)), np.int64), cast, known)
    by_round = {}
    if rounds is not None:
        of_round = [cast.only(rounds[0][order] == r) for r in range(len(rounds[1]))]
        by_round = {name: _with(whole, said.only(said.last())) for name, said in zip(rounds[1], of_round, strict=True)}
    if again.any():
        notes = (*notes, f"{again.sum()} votes were given again later by the same annotator: the last one counts.")
    return replace(_with(whole, cast.only(~again)), rounds=by_round, notes=tuple(notes))


def counted(items: Sequence[str], classes: Sequence[str], counts: IntArray, notes: Sequence[str] = ()) -> Ballots:
    """Counts [n, C] of votes whose annotators are not known. Raises ProtocolError where there is no vote."""
    if not counts.sum():
        raise ProtocolError("There is not a single vote in it: every count is 0.")
    return Ballots(tuple(items), tuple(classes), counts, None, np.full(len(items), NOBODY), notes=tuple(notes))


def _with(whole: Ballots, cast: Cast) -> Ballots:
    shape = whole.counts.shape
    flat = np.bincount(cast.item * shape[1] + cast.label, minlength=shape[0] * shape[1])
    return replace(whole, counts=flat.reshape(shape), cast=cast)


def _once(cast: Cast, twice: npt.NDArray[np.bool_], items: Sequence[str], classes: Sequence[str]) -> None:
    if twice.any():
        at = int(np.flatnonzero(twice)[0])
        who, what = cast.annotators[cast.annotator[at]], items[cast.item[at]]
        said = " and ".join(repr(classes[cast.label[i]]) for i in (at, at + 1))
        raise ProtocolError(
            f"{twice.sum()} votes are doubled: annotator {who!r} labels item {what!r} more than once, as {said}.",
            "Keep one of them, or say in a column `round` or `time` which came later.",
        )


def classes_of(labels: Sequence[str]) -> tuple[IntArray, tuple[str, ...]]:
    """Codes of labels, and the names in the order that data sets have them: whole numbers by value."""
    import pandas as pd

    code, found = pd.factorize(np.array(labels, object))
    names = [str(name) for name in found]
    whole = all(_is_whole(name) for name in names)
    plain = [_plain(name) for name in names] if whole else names
    classes = tuple(sorted(set(plain), key=int if whole else str))
    position = {name: c for c, name in enumerate(classes)}
    return np.array([position[name] for name in plain], np.int64)[code], classes


def _is_whole(text: str) -> bool:
    return len(text) <= 18 and NUMBER.fullmatch(text) is not None and float(text).is_integer()


def _plain(text: str) -> str:
    return str(int(float(text))) if _is_whole(text) else text
