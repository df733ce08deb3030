"""The fixed model ``ngram_lm``: bytes given the ones before them, by interpolated Witten-Bell smoothing.

P_k(w | c) = (count(c w) + T(c) P_{k-1}(w | c')) / (N(c) + T(c)) for a context c of k - 1 symbols, c' being c without its
oldest, N the weighted number of symbols seen after c and T how many different ones (Witten and Bell 1991; Chen and
Goodman 1998, section 2.5). Where c was never seen P_k = P_{k-1}; P_0 is 1 / 257. Contexts at the beginning of a
document are filled up with the boundary symbol, as NLTK's ``pad_both_ends`` does.

Counts are float64, exact for integer weights below 2**53: the order of documents, their copies (twice the weight) and the
company of other models change no bit of an answer. The scale of weights counts: it decides how much contexts are trusted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import Field

from harness.api import FloatArray, IntArray, Texts
from harness.models.grams import Grams, Level, places, spans
from harness.models.language import SYMBOLS, FittedLanguageModels, FixedLanguageModel, LanguageSettings, TextBatch

SCORED_AT_ONCE = 1 << 24  # bytes: bounds the memory that scoring takes


class NgramLmSettings(LanguageSettings):
    """Grams of ``order`` symbols: a byte is predicted from the ``order - 1`` before it."""

    name: Literal["ngram_lm"] = "ngram_lm"
    order: int = Field(6, ge=1, le=7)  # seven symbols of nine bits fill a key

    def build(self, *, device: str, n_classes: int | None) -> NgramLm:
        return NgramLm(self, device=device)


class NgramLm(FixedLanguageModel):
    """Counts on the CPU, whatever the device."""

    settings: NgramLmSettings

    def _fit(self, batch: TextBatch) -> FittedNgrams:
        order, weights = self.settings.order, [batch.of_documents(b) for b in range(len(batch.rows))]
        if len(weights) == 1:  # counted as one document
            return FittedNgrams(Grams.of(batch.documents, order, weights[0]), [np.ones(1, np.float64)])
        return FittedNgrams(Grams.of(batch.documents, order), weights)


@dataclass(frozen=True)
class Seen:
    """Where the grams of one level of the documents to be scored, and their contexts, stand among those trained on."""

    gram: IntArray  # [V_k], -1: never seen
    context: IntArray  # [V_k]
    shorter: IntArray  # [V_k] the gram without its oldest symbol, in the level below


class FittedNgrams(FittedLanguageModels):
    """B models as weights of documents; a model's counts are put together when something is to be scored."""

    def __init__(self, grams: Grams, weights: list[FloatArray]) -> None:
        self.grams, self.weights = grams, weights
        self.size = self.fits = len(weights)

    def _bits(self, documents: Texts) -> FloatArray:
        parts = list(spans(documents.offsets, SCORED_AT_ONCE))
        if len(parts) > 1:
            return np.concatenate([self._bits(documents[first:last]) for first, last in parts], axis=1)
        out = np.zeros((self.size, len(documents)))
        if not parts:
            return out
        scored = Grams.of(documents, len(self.grams.levels))
        seen = _seen(self.grams.levels, scored.levels)
        counts: FloatArray = np.zeros(len(self.grams.levels[-1].keys))
        before: FloatArray | None = None
        for b, weights in enumerate(self.weights):
            counts, before = self._counts(weights, counts, before), weights
            out[b] = scored.per_document(-np.log2(_probabilities(self.grams.levels, counts, seen)), len(documents))
        return out

    def _counts(self, weights: FloatArray, counts: FloatArray, before: FloatArray | None) -> FloatArray:
        """Counts of the longest grams under ``weights``: those under ``before`` changed where that is less and exact."""
        if before is not None:
            change = weights - before
            whole = (weights == np.rint(weights)).all() and (before == np.rint(before)).all()
            if whole and np.count_nonzero(change) < np.count_nonzero(weights):
                self.grams.add(counts, change)
                return counts
        counts = np.zeros_like(counts)
        self.grams.add(counts, weights)
        return counts


def _seen(trained: list[Level], scored: list[Level]) -> list[Seen]:
    found = []
    for k, (ours, theirs) in enumerate(zip(trained, scored, strict=True)):
        context = np.repeat(places(ours.contexts, theirs.contexts), np.diff(theirs.starts, append=len(theirs.keys)))
        shorter = scored[k - 1].suffix if k else np.zeros(len(theirs.keys), np.int64)
        found.append(Seen(places(ours.keys, theirs.keys), context, shorter))
    return found


def _probabilities(levels: list[Level], counts: FloatArray, seen: list[Seen]) -> FloatArray:
    """P of the last symbol given the others, of every longest gram to be scored; ``counts`` [U] of those trained on."""
    by_level = [counts]
    for level in levels[-2::-1]:
        by_level.append(
            np.bincount(level.suffix, by_level[-1], minlength=len(level.keys)).astype(np.float64, copy=False)
        )
    P: FloatArray = np.full(1, 1 / SYMBOLS)
    for level, here, count in zip(levels, seen, by_level[::-1], strict=True):
        total = np.append(np.add.reduceat(count, level.starts), 0.0)[here.context]  # place -1: the 0 at the end
        types = np.append(np.add.reduceat((count > 0).astype(np.float64), level.starts), 0.0)[here.context]
        shorter = P[here.shorter]
        known = total > 0
        mixed = np.append(count, 0.0)[here.gram] + types * shorter
        P = np.divide(mixed, total + types, out=shorter.copy(), where=known)
    return P
