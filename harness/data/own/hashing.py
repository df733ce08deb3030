"""Features of text without labels and without fitting: signed feature hashing of word and character n-grams.

Weinberger et al. (2009, "Feature hashing for large scale multitask learning"): every n-gram adds +1 or -1 to one of the
columns, both decided by its hash, so that inner products are those of the n-gram counts in expectation.

The same bits everywhere: case folding (stable by Unicode's rules), whole numbers in 64 bits, sums of squares that are whole
numbers below 2^53, and square roots and divisions, which IEEE 754 rounds in one way only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from harness.api import FloatArray

VERSION = 1  # raise whenever the output could change
WORDS, CHARACTERS = (1, 2), (3, 4, 5)  # lengths of the n-grams

_Codes = npt.NDArray[np.uint64]
_BATCH = 1_000_000  # characters at a time
_CELLS = 8_000_000  # and entries of the result
# A polynomial over the mixed code points modulo 2^64; its base is odd, so it has an inverse, and the hash of any stretch
# comes from two prefix sums.
_BASE = 0x9E3779B97F4A7C15
_INVERSE = pow(_BASE, -1, 1 << 64)


def hashed(documents: Sequence[str], dimension: int) -> FloatArray:
    """float32 [n, dimension] of unit length: the first half words and pairs of words, the second 3 to 5 characters.

    Both halves weigh the same. A document without a character is all zeros.
    """
    pieces = [np.zeros((0, dimension), np.float32)]
    for batch in _batches(documents, dimension):
        halves = [_counts(batch, dimension // 2, words=True), _counts(batch, dimension - dimension // 2, words=False)]
        filled = sum(half.any(axis=1).astype(np.float64) for half in halves)
        whole = np.concatenate([_unit(half) for half in halves], axis=1)
        pieces.append((whole / np.sqrt(np.maximum(filled, 1.0))[:, None]).astype(np.float32))
    return np.concatenate(pieces)


def _unit(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Whole numbers [n, d], each row over its length: squares add up exactly, in any order."""
    length = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    unit: npt.NDArray[np.float64] = rows / np.where(length > 0, length, 1.0)[:, None]
    return unit


def _batches(documents: Sequence[str], dimension: int) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for document in documents:
        folded = f" {' '.join(document.casefold().split())} "
        if batch and (size + len(folded) > _BATCH or (len(batch) + 1) * dimension > _CELLS):
            yield batch
            batch, size = [], 0
        batch.append(folded)
        size += len(folded)
    if batch:
        yield batch


def _counts(batch: list[str], width: int, *, words: bool) -> npt.NDArray[np.float64]:
    """Signed counts [len(batch), width] of the n-grams of folded documents, each of which begins and ends with a space."""
    raw = "".join(batch).encode("utf-32-le", errors="replace")
    points = np.frombuffer(raw, np.uint32)
    ends = np.cumsum([len(document) for document in batch])
    document = np.repeat(np.arange(len(batch)), np.diff(ends, prepend=0))
    prefix, inverse = _prefix(points)
    counts = np.zeros(len(batch) * width)
    for n, (start, stop) in _spans(points, document, words=words):
        code = _mix((prefix[stop] - prefix[start]) * inverse[start] + np.uint64(n + 16 * words))
        sign = np.where(code >> np.uint64(63), 1.0, -1.0)
        column = ((code & np.uint64(0xFFFFFFFF)) % np.uint64(width)).astype(np.int64)
        counts += np.bincount(document[start] * width + column, weights=sign, minlength=len(counts))
    return counts.reshape(len(batch), width)


def _spans(
    points: npt.NDArray[np.uint32], document: npt.NDArray[np.int64], *, words: bool
) -> Iterator[tuple[int, tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]]:
    """Length in units, and starts and ends, of all n-grams that lie in one document."""
    if words:
        inside = np.concatenate([[False], _in_word(points), [False]]).astype(np.int8)
        edges = np.diff(inside)
        starts, stops = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    else:
        starts = np.arange(len(points))
        stops = starts + 1
    for n in WORDS if words else CHARACTERS:
        first, last = starts[: max(len(starts) - n + 1, 0)], stops[n - 1 :]
        whole = document[first] == document[last - 1]
        yield n, (first[whole], last[whole])


def _in_word(points: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
    """Letters, digits and the underscore of ASCII; beyond it all but spaces and the blocks of punctuation.

    Fixed here rather than asked of Python, whose tables change with its version.
    """
    letter = np.zeros(128, bool)
    letter[[*range(48, 58), *range(65, 91), 95, *range(97, 123)]] = True
    known = np.where(points < 128, letter[np.minimum(points, 127)], points >= 0xC0)
    for low, high in (
        (0xD7, 0xD7),
        (0xF7, 0xF7),
        (0x2000, 0x206F),
        (0x3000, 0x303F),
        (0xFE30, 0xFE4F),
        (0xFF00, 0xFF0F),
    ):
        known &= (points < low) | (points > high)
    return known


def _prefix(points: npt.NDArray[np.uint32]) -> tuple[_Codes, _Codes]:
    """Prefix sums of mixed point * base^position, [n + 1], and base^-position, [n + 1]; both modulo 2^64."""
    n = len(points)
    terms = _mix(points.astype(np.uint64) + np.uint64(1)) * _powers(_BASE, n + 1)[:n]
    return np.concatenate([np.zeros(1, np.uint64), np.cumsum(terms, dtype=np.uint64)]), _powers(_INVERSE, n + 1)


def _powers(base: int, count: int) -> _Codes:
    powers = np.full(count, base, np.uint64)
    powers[0] = 1
    return np.cumprod(powers, dtype=np.uint64)


def _mix(code: _Codes) -> _Codes:
    """The finaliser of SplitMix64 (Steele, Lea and Flood, 2014): every bit of the input reaches every bit of the output."""
    code = (code ^ (code >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    code = (code ^ (code >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return code ^ (code >> np.uint64(31))
