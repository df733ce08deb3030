"""Selection for language models: order the documents of a mixed pool; the first bytes train the fixed model."""

from __future__ import annotations

from dataclasses import replace
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from harness.api import IntArray, SelectionLmTask
from harness.errors import ProtocolError
from harness.tracks.base import Arrays, Reference, Score, View
from harness.tracks.language import (
    LanguageKey,
    LanguageSettings,
    LanguageTrack,
    documents_of,
    gated,
    of_domain,
)
from harness.tracks.leaks import LeakGate


class SelectionLmSettings(LanguageSettings):
    """See ``conf/track/selection_lm.yaml``."""

    targets: int = Field(4, ge=1)
    sampled: int = Field(4, ge=1)
    samples: int = Field(30, ge=1)

    @model_validator(mode="after")
    def _enough(self) -> Self:
        if self.sampled > self.targets:
            raise ValueError(f"sampled {self.sampled} is more than the {self.targets} target domains")
        if self.domains and self.targets > len(self.domains):
            raise ValueError(f"targets {self.targets} is more than the {len(self.domains)} domains they are drawn from")
        return self


class SelectionLm(LanguageTrack[SelectionLmSettings, LanguageKey]):
    """Mean bits per byte on hidden documents of the target domains, of the fixed model trained on the first bytes chosen.

    The targets are drawn from ``domains`` by the seed, all of these where there are as many. The task is that of Moore and
    Lewis (*Intelligent selection of language model training data*, ACL 2010) and of Xie et al. (*Data selection for language
    models via importance resampling*, NeurIPS 2023), with the model fixed; hidden domains without samples, as in DataComp-LM's
    separate evaluation (Li et al., 2024), ask for more than the imitation of a sample. Targets that a participant cannot know
    are not named beside the score.
    """

    name = "selection_lm"
    track = "selection"
    task = SelectionLmTask
    settings_class = SelectionLmSettings

    def rows(self, seed: int) -> IntArray:
        return self._parts(seed)[3]

    def prepare(self, seed: int) -> tuple[View, LanguageKey]:
        s, data = self.settings, self.dataset
        texts, _ = documents_of(data)
        targets, hidden, samples, pool, dropped = self._parts(seed)
        view = View(
            {"sample_target": np.repeat(np.arange(s.sampled), s.samples)},
            {"n_classes": s.targets, "budget": s.budget},
            {"texts": texts[pool], "samples": texts[samples]},
        )
        place = np.full(data.n_classes, -1)
        place[targets] = np.arange(s.targets)
        known = s.sampled == s.targets == len(documents_of(data, s.domains)[1])
        groups = [
            data.class_names[t] if known else "sampled" if i < s.sampled else "unsampled" for i, t in enumerate(targets)
        ]
        return view, LanguageKey(texts[hidden], place[data.y[hidden]], tuple(groups), place[data.y[pool]], dropped)

    def score(self, output: Arrays, view: View, key: LanguageKey, seed: int) -> Score:
        return self._with_shares(
            self.scores([output["indices"]], view.texts["texts"], key)[0], output["indices"], view, key
        )

    def reference(self, which: Reference, view: View, key: LanguageKey, seed: int) -> Score:
        """``random``: the mean over ``floor_draws`` random orders. ``skyline``: an oracle that takes documents of the target
        domains in turn, and no others; a level line beside the curves of those who choose.
        """
        if which == "random":
            return self.floor(view, key, seed)
        rng = self.rng(seed, "oracle")
        order = in_turn(key.kind, rng)
        score = self.score({"indices": order}, view, key, seed)
        return replace(
            score, curve=np.array([(b, score.value) for b in (*self.settings.budgets, self.settings.budget)])
        )

    def _with_shares(self, score: Score, order: IntArray, view: View, key: LanguageKey) -> Score:
        trained = order[: int(score.metrics["documents"])]
        size = np.diff(view.texts["texts"].offsets)[trained].astype(np.float64)
        shares = np.bincount(key.kind[trained] + 1, size, minlength=len(key.groups) + 1)[1:] / max(size.sum(), 1)
        named: dict[str, float] = {"share_targets": float(shares.sum())}
        for name, share in zip(key.groups, shares, strict=True):
            named[f"share_{name}"] = named.get(f"share_{name}", 0.0) + float(share)
        return replace(score, metrics={**score.metrics, **named})

    def _parts(self, seed: int) -> tuple[IntArray, IntArray, IntArray, IntArray, int]:
        """Target domains, those with samples first; rows hidden, rows shown as samples, rows of the pool; leaks dropped."""
        s, data = self.settings, self.dataset
        texts, domains = documents_of(data, s.domains)
        if s.targets > len(domains):
            raise ProtocolError(f"{data.name} has {len(domains)} domains, {s.targets} targets are asked for.")
        rng = self.rng(seed, "split")
        targets = rng.permutation(domains)[: s.targets]
        of = [of_domain(data, texts, int(t), s.test, rng) for t in targets]
        hidden = np.concatenate([rows[: s.test] for rows in of])
        gate = LeakGate(texts[hidden])
        shown = [gated(gate, texts, rows[s.test :], s.samples, "the samples")[0] for rows in of[: s.sampled]]
        samples = np.concatenate(shown)
        rest = rng.permutation(np.setdiff1d(np.arange(len(data.y)), np.concatenate([hidden, samples])))
        pool, dropped = gated(gate, texts, rest, s.pool, "the pool")
        if not np.isin(data.y[pool], targets).any():
            raise ProtocolError(
                "No document of the pool is of a target domain: there is nothing to find.", "Raise track.pool."
            )
        return targets, hidden, samples, pool, dropped


def in_turn(kind: IntArray, rng: np.random.Generator) -> IntArray:
    """Rows of kind 0, 1, ... in turn, each kind in random order, until all of them are listed; rows of kind -1 are not."""
    rows = rng.permutation(np.flatnonzero(kind >= 0))
    place = np.zeros(len(rows), np.int64)
    for t in np.unique(kind[rows]):
        of = kind[rows] == t
        place[of] = np.arange(of.sum())
    return rows[np.lexsort((kind[rows], place))]
