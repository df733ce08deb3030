"""Byte n-grams of many documents, counted once: sorted 64-bit keys, a sparse count of each document's, their suffixes.

A symbol takes nine bits of a key, the oldest one the highest, so grams that share a context lie side by side and the
gram without its oldest symbol is a mask away. Documents are counted in pieces of a few million symbols, which bounds
the memory that sorting takes; a piece keeps its own numbering and where that lies in the common one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.api import FloatArray, IntArray, Texts
from harness.models.base import BoolArray
from harness.models.language import BOUNDARY

BITS = 9  # of a symbol
PIECE = 1 << 22  # symbols counted at a time
Sparse = Any  # scipy.sparse.csr_array


@dataclass(frozen=True)
class Piece:
    """Counts of neighbouring documents (of a document larger than a piece: of a part of it)."""

    first: int  # document of the first row
    counts: Sparse  # [documents, grams here]
    at: IntArray  # [grams here] their places among all grams


@dataclass(frozen=True)
class Level:
    """The distinct k-grams of some documents."""

    keys: IntArray  # [U_k], rising
    starts: IntArray  # where each context's grams begin
    contexts: IntArray  # [number of contexts], rising
    suffix: IntArray  # [U_{k+1}] of every gram one symbol longer, the place of its last k symbols here


@dataclass(frozen=True)
class Grams:
    """All grams of 1 to ``order`` symbols, and how often each document has those of ``order``."""

    levels: list[Level]  # levels[k - 1]: k-grams
    pieces: list[Piece]

    @classmethod
    def of(cls, documents: Texts, order: int, weights: FloatArray | None = None) -> Grams:
        """Count; with ``weights`` [n] all documents become one, weighted, and take no more room than their grams."""
        found = []
        for first, rows, keys, row in _events(documents, order):
            own, counts = _tally(keys, row, rows)
            if weights is not None:
                counts, first = _one_row(weights[first : first + rows] @ counts), 0
            found.append((first, own, counts))
        keys = _distinct([own for _, own, _ in found])
        pieces = [Piece(first, counts, np.searchsorted(keys, own)) for first, own, counts in found]
        return cls(_levels(keys, order), pieces)

    def add(self, counts: FloatArray, weights: FloatArray) -> None:
        """Add ``weights`` [n], which may be negative, times each document's grams to ``counts`` [U]."""
        for piece in self.pieces:
            part = weights[piece.first : piece.first + piece.counts.shape[0]]
            live = np.flatnonzero(part)
            if len(live):
                own = piece.counts if len(live) == len(part) else piece.counts[live]
                counts[piece.at] += part[live] @ own

    def per_document(self, costs: FloatArray, n: int) -> FloatArray:
        """Sum of ``costs`` [U] over the grams of each of the n documents."""
        out = np.zeros(n)
        for piece in self.pieces:
            out[piece.first : piece.first + piece.counts.shape[0]] += piece.counts @ costs[piece.at]
        return out


def spans(begins: IntArray, size: int) -> Iterator[tuple[int, int]]:
    """First and last + 1 of neighbouring documents of at most ``size`` symbols; of one, where it is larger."""
    first = 0
    while first < len(begins) - 1:
        last = max(first + 1, int(np.searchsorted(begins, begins[first] + size, side="right")) - 1)
        yield first, last
        first = last


def places(keys: IntArray, wanted: IntArray) -> IntArray:
    """Where each of ``wanted`` stands in the rising ``keys``; -1 where it does not."""
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[at] == wanted, at, -1)


def _events(documents: Texts, order: int) -> Iterator[tuple[int, int, IntArray, IntArray]]:
    """Pieces as (first document, number of documents, key of every symbol that is predicted, its document here)."""
    for first, last in spans(documents.offsets.astype(np.int64) + order * np.arange(len(documents) + 1), PIECE):
        yield from _group(documents, first, last, order)


def _group(documents: Texts, first: int, last: int, order: int) -> Iterator[tuple[int, int, IntArray, IntArray]]:
    offsets = documents.offsets[first : last + 1].astype(np.int64)
    data = documents.data[offsets[0] : offsets[-1]]
    offsets -= offsets[0]
    padding = np.full(last - first + 1, order)  # order - 1 before each document, one after it
    padding[0], padding[-1] = order - 1, 1
    stream = np.insert(data.astype(np.uint16), np.repeat(offsets, padding), BOUNDARY)
    begins = offsets + order * np.arange(last - first + 1)
    for low in range(order - 1, len(stream), PIECE):
        high = min(low + PIECE, len(stream))
        here = int(np.searchsorted(begins, low, side="right")) - 1
        after = int(np.searchsorted(begins, high, side="left"))
        row = np.repeat(np.arange(after - here), np.diff(begins[here : after + 1].clip(low, high)))
        keys = np.zeros(high - low, np.int64)
        for back in range(order):
            keys |= stream[low - back : high - back].astype(np.int64) << (BITS * back)
        predicted = np.arange(low, high) - begins[here:after][row] >= order - 1
        yield first + here, after - here, keys[predicted], row[predicted]


def _tally(keys: IntArray, row: IntArray, rows: int) -> tuple[IntArray, Sparse]:
    """Distinct keys, rising, and how often each of the rows has them."""
    from scipy.sparse import csr_array

    order = np.argsort(keys)
    ranked = keys[order]
    fresh = _fresh(ranked)
    number = np.empty_like(keys)
    number[order] = np.cumsum(fresh) - 1
    distinct = ranked[fresh]
    pairs = row * len(distinct) + number
    pairs.sort()
    begins = np.flatnonzero(_fresh(pairs))
    counts = np.diff(begins, append=len(pairs)).astype(np.int32)
    pairs = pairs[begins]
    bounds = np.searchsorted(pairs, np.arange(rows + 1) * len(distinct))
    columns = (pairs % len(distinct)).astype(np.int32) if len(pairs) else pairs.astype(np.int32)
    return distinct, csr_array((counts, columns, bounds), shape=(rows, len(distinct)))


def _one_row(counts: FloatArray) -> Sparse:
    from scipy.sparse import csr_array

    return csr_array(counts[None])


def _fresh(ranked: IntArray) -> BoolArray:
    """Whether each element of a rising array differs from the one before."""
    fresh = np.ones(len(ranked), bool)
    np.not_equal(ranked[1:], ranked[:-1], out=fresh[1:])
    return fresh


def _distinct(parts: list[IntArray]) -> IntArray:
    if len(parts) == 1:
        return parts[0]
    ranked = np.concatenate(parts)
    ranked.sort()
    return ranked[_fresh(ranked)]


def _levels(keys: IntArray, order: int) -> list[Level]:
    levels = [_level(keys, np.empty(0, np.int64))]
    for k in range(order - 1, 0, -1):
        keys, suffix = np.unique(keys & ((1 << (BITS * k)) - 1), return_inverse=True)
        levels.append(_level(keys, suffix))
    return levels[::-1]


def _level(keys: IntArray, suffix: IntArray) -> Level:
    context = keys >> BITS
    starts = np.flatnonzero(_fresh(context))
    return Level(keys, starts, context[starts], suffix)
