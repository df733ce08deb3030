"""Cleaning for language models: say which documents of a dirty pool to keep; the fixed model is trained on them alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from harness.api import CleaningLmTask, IntArray, Texts
from harness.data import text_dirt
from harness.data.text_dirt import DirtRates
from harness.tracks.base import Arrays, Reference, Score, View
from harness.tracks.language import LanguageKey, LanguageSettings, LanguageTrack, documents_of, gated, of_domain
from harness.tracks.leaks import LeakGate


class CleaningLmSettings(LanguageSettings):
    """See ``conf/track/cleaning_lm.yaml``."""

    pool: int = Field(240, ge=1)
    foreign: tuple[str, ...] = ()
    planted: DirtRates = DirtRates()

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if both := set(self.domains) & set(self.foreign):
            raise ValueError(f"{min(both)} cannot be among domains and foreign as well")
        return self


@dataclass(frozen=True)
class CleaningLmKey(LanguageKey):
    """Also which clean document each one of the pool is or was copied from."""

    origin: IntArray  # [n] -1: none


class CleaningLm(LanguageTrack[CleaningLmSettings, CleaningLmKey]):
    """Mean bits per byte on hidden clean documents of the pool's domains, of the fixed model trained on the documents kept.

    Dirt is planted among clean documents: copies, near copies, garbled text, boilerplate, other languages. It takes room in
    the budget, and the model pays for what it learns of it. After Lee et al. (ACL 2022), who judge deduplication by the
    perplexity of the model trained on what is left. How much of what was kept is dirt stands beside the score.
    """

    name = "cleaning_lm"
    track = "training_set"
    task = CleaningLmTask
    settings_class = CleaningLmSettings

    def prepare(self, seed: int) -> tuple[View, CleaningLmKey]:
        s, data, rng = self.settings, self.dataset, self.rng(seed, "split")
        texts, domains = documents_of(data, s.domains or [c for c in data.class_names if c not in s.foreign])
        each = -(-s.pool // len(domains))  # clean documents of a domain
        of = [of_domain(data, texts, int(d), s.test, rng) for d in domains]
        hidden = texts[np.concatenate([rows[: s.test] for rows in of])]
        gate = LeakGate(hidden)
        drawn = [gated(gate, texts, rows[s.test :], each, "the clean documents") for rows in of]
        clean = [text for rows, _ in drawn for text in texts[rows]]
        others = (
            np.flatnonzero(np.isin(data.y, documents_of(data, s.foreign)[1])) if s.foreign else np.empty(0, np.int64)
        )
        foreign = list(texts[rng.permutation(others)[: round(s.planted.foreign * len(clean))]])
        documents, kind, origin = text_dirt.planted(clean, foreign, s.planted, self.rng(seed, "dirt"))
        view = View({}, {"n_classes": len(domains), "budget": s.budget}, {"texts": Texts.of(documents)})
        domain = np.repeat(np.arange(len(domains)), s.test)
        names = tuple(data.class_names[d] for d in domains)
        return view, CleaningLmKey(hidden, domain, names, kind, sum(leaks for _, leaks in drawn), origin)

    def score(self, output: Arrays, view: View, key: CleaningLmKey, seed: int) -> Score:
        texts, order = view.texts["texts"], output["indices"]
        score = self.scores([order], texts, key)[0]
        trained = order[: int(score.metrics["documents"])]
        dirt = what_is_dirt(trained, key.kind, key.origin)
        size = np.diff(texts.offsets)[trained].astype(np.float64)
        shares = np.bincount(dirt, size, minlength=len(text_dirt.KINDS)) / max(size.sum(), 1)
        named = {f"share_{name}": float(share) for name, share in zip(text_dirt.KINDS, shares, strict=True)}
        clean = np.unique(key.origin[trained][key.origin[trained] >= 0])
        recall = len(clean) / max(1, int((key.kind == text_dirt.CLEAN).sum()))
        beside = {"share_dirt": 1 - named.pop("share_clean"), **named, "originals_kept": recall}
        return replace(score, metrics={**score.metrics, **beside})

    def reference(self, which: Reference, view: View, key: CleaningLmKey, seed: int) -> Score:
        """``random``: the mean over ``floor_draws`` random orders of the dirty pool. ``skyline``: the clean documents."""
        if which == "random":
            return self.floor(view, key, seed)
        clean = self.rng(seed, "oracle").permutation(np.flatnonzero(key.kind == text_dirt.CLEAN))
        return self.score({"indices": clean}, view, key, seed)


def what_is_dirt(kept: IntArray, kind: IntArray, origin: IntArray) -> IntArray:
    """The kind of dirt [k] of each document kept, 0 for none.

    Of a document and its copies any one is as good as another: the first that is kept is clean. A later one is an exact copy
    if its very words were kept before, a near copy otherwise.
    """
    found = kind[kept].copy()
    words = np.where(found == text_dirt.NEAR, -1 - kept, origin[kept])  # the same where documents are the same
    copies = np.flatnonzero(np.isin(found, (text_dirt.CLEAN, text_dirt.EXACT, text_dirt.NEAR)))
    repeated = np.setdiff1d(copies, copies[np.unique(words[copies], return_index=True)[1]])
    first = copies[np.unique(origin[kept][copies], return_index=True)[1]]
    found[copies] = text_dirt.NEAR
    found[repeated] = text_dirt.EXACT
    found[first] = text_dirt.CLEAN
    return found
