"""Annotation without a model: one label an item from votes alone, scored by how many labels are right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import Field

from harness.api import AnnotationTask, FloatArray, IntArray
from harness.data.workers import Workers
from harness.errors import ProtocolError
from harness.tracks import checks, metrics
from harness.tracks.annotation import agreement, drawn_gold, drawn_votes, one_vote, shown
from harness.tracks.base import Arrays, Reference, Score, Settings, Track, View


class AnnotationConsensusSettings(Settings):
    """See ``conf/track/annotation_consensus.yaml``."""

    items: int = Field(0, ge=0)
    gold: int = Field(0, ge=0)
    workers: Workers | None = None
    floor_draws: int = Field(10, ge=1, le=100)

    def left_out(self) -> frozenset[str]:
        return frozenset({"X"})


@dataclass(frozen=True)
class AnnotationConsensusKey:
    """What stays hidden: the items whose truth is known and was not shown, and that truth."""

    asked: IntArray  # [k] items
    y: IntArray  # [k]


class AnnotationConsensus(Track[AnnotationConsensusSettings, AnnotationConsensusKey]):
    """``consensus_accuracy``: share of right labels among the items whose truth is known and not shown.

    Accuracy is what the literature of truth inference reports (Zheng et al., *Truth inference in crowdsourcing*, VLDB 2017),
    so its figures compare; macro-F1 stands beside it for data of unequal classes.
    """

    name = "annotation_consensus"
    track = "annotation"
    task = AnnotationTask
    metric = "consensus_accuracy"
    tie_break = "macro_f1"
    settings_class = AnnotationConsensusSettings

    def rows(self, seed: int) -> IntArray:
        s, data = self.settings, self.dataset
        voted = np.flatnonzero(data.extras["votes"].any(axis=1)) if "votes" in data.extras else np.arange(len(data.y))
        if s.items > len(voted):
            raise ProtocolError(f"track.items is {s.items}, and {data.name} has {len(voted)} items.")
        return self.rng(seed, "split").permutation(voted)[: s.items or None]

    def prepare(self, seed: int) -> tuple[View, AnnotationConsensusKey]:
        s, data = self.settings, self.dataset
        rows = self.rows(seed)
        known = np.flatnonzero(data.extras["known"][rows]) if "known" in data.extras else np.arange(len(rows))
        gold = drawn_gold(s.gold, known, self.rng(seed, "gold"))
        votes = drawn_votes(data, rows, s.workers, self.rng(seed, "votes"))
        asked = np.setdiff1d(known, gold)
        if not len(asked):
            raise ProtocolError("No item is left to be scored on: the truth of each is shown or not known.")
        y = data.y[rows]
        scalars = {
            "n_classes": data.n_classes,
            "n_items": len(rows),
            "n_annotators": votes.annotators,
            "soft": False,
        }
        return View(shown(votes, gold, y), scalars), AnnotationConsensusKey(asked, y[asked])

    def read_output(self, arrays: Arrays, view: View) -> Arrays:
        n, c = int(view.scalars["n_items"]), int(view.scalars["n_classes"])
        return {"labels": checks.labels(arrays["labels"], name="labels", length=n, n_classes=c)}

    def score(self, output: Arrays, view: View, key: AnnotationConsensusKey, seed: int) -> Score:
        said = output["labels"][key.asked]
        items = {"right": agreement(said, key.y)}
        ones = np.ones((1, len(key.y)))
        secondary = {
            "macro_f1": float(metrics.macro_f1(key.y, said, int(view.scalars["n_classes"]), ones)[0]),
            "items": float(len(key.y)),
        }
        return Score(float(self.statistic(items, ones)[0]), items, secondary)

    def reference(self, which: Reference, view: View, key: AnnotationConsensusKey, seed: int) -> Score:
        """``random``: one random vote an item, mean over ``floor_draws`` draws. ``skyline``: the truth, always 1."""
        if which == "skyline":
            labels = np.zeros(int(view.scalars["n_items"]), np.int64)
            labels[key.asked] = key.y
            return self.score({"labels": labels}, view, key, seed)
        rng = self.rng(seed, "random reference")
        scores = [
            self.score({"labels": one_vote(view, rng)}, view, key, seed) for _ in range(self.settings.floor_draws)
        ]
        items = {"right": np.mean([score.items["right"] for score in scores], axis=0)}
        return Score.mean(scores, float(self.statistic(items, np.ones((1, len(key.y))))[0]), items)

    def statistic(self, items: Arrays, weights: FloatArray) -> FloatArray:
        mean: FloatArray = weights @ items["right"] / weights.sum(axis=1)
        return mean
