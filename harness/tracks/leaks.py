"""The leak gate: documents that repeat hidden ones, word for word or nearly so, must not be trained on.

Two documents are compared after case, accents, white space and punctuation are gone. A document leaks if it shares a run
of thirteen words with a hidden one (the overlap by which Brown et al., *Language models are few-shot learners*, NeurIPS 2020,
appendix C, look for contamination), or a quarter of the runs of twelve characters of either (near copies: containment,
Broder, *On the resemblance and containment of documents*, 1997; of a long one, at least a quarter of 600), or if nothing tells
the two apart.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from harness.api import IntArray, Texts
from harness.data.base import Dataset
from harness.errors import ProtocolError

WORDS = 13  # a run of so many is a passage
CHARACTERS = 12  # letters and digits of the runs that near copies are found by
CONTAINED = 0.25  # share of the runs of either document,
PHRASE = 8  # beside so many: a phrase of twenty characters that two sentences share is no copy
PART = 600  # runs; of a long hidden document, a shorter part is judged as one of this size: a headline in common is no copy

_Hashes = npt.NDArray[np.uint64]
_NOT_A_WORD = re.compile(r"[\W_]+")
_TABLE = 22  # bits of a hash
_PRIME = np.uint64(0x9E3779B97F4A7C15)


class LeakGate:
    """Compares documents with hidden ones, which are read once."""

    def __init__(self, hidden: Texts) -> None:
        normal = [words(text) for text in hidden]
        self._whole = {"".join(one) for one in normal} - {""}
        self._passages = _Index([_passages(one) for one in normal])
        self._runs = _Index([_runs("".join(one)) for one in normal])

    def leaks(self, documents: Texts | Sequence[str]) -> IntArray:
        """Rows, rising, of the documents that leak."""
        return np.array([i for i, text in enumerate(documents) if self._leaks(words(text))], np.int64)

    def _leaks(self, normal: list[str]) -> bool:
        whole = "".join(normal)
        if whole in self._whole or len(self._passages.owners(_passages(normal))):
            return True
        runs = _runs(whole)
        shared = np.bincount(self._runs.owners(runs), minlength=len(self._runs.sizes))
        judged = np.minimum(self._runs.sizes, max(len(runs), PART))
        return bool((shared > PHRASE + CONTAINED * judged).any())


def unrepeated(dataset: Dataset, hidden: IntArray, *shown: IntArray) -> IntArray:
    """The hidden rows whose document repeats none of the rows shown; all of them where the data are no text.

    Raises ProtocolError where more than half of them do.
    """
    if dataset.texts is None:
        return hidden
    leaks = LeakGate(dataset.texts[np.concatenate(shown)]).leaks(dataset.texts[hidden])
    if 2 * len(leaks) > len(hidden):
        raise ProtocolError(
            f"{len(leaks)} of {len(hidden)} hidden documents of {dataset.name} repeat one that is shown: {WORDS} words in a row, "
            "or a quarter of it.",
            "Take out what many documents have in common (greetings, footers, boilerplate), or give those that belong together a "
            "dataset.group.",
        )
    return np.delete(hidden, leaks)


class _Index:
    """Which of several documents have a hash among theirs."""

    def __init__(self, hashes: Sequence[_Hashes]) -> None:
        hashes = [np.unique(one) for one in hashes]
        self.sizes = np.array([len(one) for one in hashes], np.int64)
        every = np.concatenate([np.empty(0, np.uint64), *hashes])
        order = np.argsort(every, kind="stable")
        self._hashes, self._owner = every[order], np.repeat(np.arange(len(hashes)), self.sizes)[order]
        self._may_be = np.zeros(1 << _TABLE, bool)  # most hashes that are not there are not in this table either
        self._may_be[every >> np.uint64(64 - _TABLE)] = True

    def owners(self, hashes: _Hashes) -> IntArray:
        """The documents that have each of these hashes, one after the other; repeats among the hashes count once."""
        hashes = np.unique(hashes[self._may_be[hashes >> np.uint64(64 - _TABLE)]])
        first, last = (np.searchsorted(self._hashes, hashes, side) for side in ("left", "right"))
        found = [self._owner[a:b] for a, b in zip(first, last, strict=True) if a < b]
        return np.concatenate([np.empty(0, np.int64), *found])


def words(text: str) -> list[str]:
    """Words of a text: letters and digits without case, accents and other forms of the same letter."""
    if not text.isascii():
        decomposed = unicodedata.normalize("NFKD", text.casefold())
        text = "".join(c for c in decomposed if not unicodedata.combining(c))
    return _NOT_A_WORD.sub(" ", text.casefold()).split()


def _passages(normal: list[str]) -> _Hashes:
    """Hashes of all runs of ``WORDS`` words."""
    return _rolled(np.array([zlib.crc32(word.encode()) for word in normal], np.uint64), WORDS)


def _runs(whole: str) -> _Hashes:
    """Hashes of all runs of ``CHARACTERS`` characters."""
    return _rolled(np.frombuffer(whole.encode("utf-32-le"), np.uint32).astype(np.uint64), CHARACTERS)


def _rolled(each: _Hashes, length: int) -> _Hashes:
    """A hash of every run of ``length`` entries: a polynomial modulo 2**64, whose upper bits are the well mixed ones."""
    if len(each) < length:
        return np.empty(0, np.uint64)
    out = np.zeros(len(each) - length + 1, np.uint64)
    for i in range(length):
        out = out * _PRIME + each[i : i + len(out)]
    return out * _PRIME
