"""Phases: the score of a run on one part of the hidden items, from what was kept of its cells. Nothing is run or trained.

A cell keeps for every hidden item what the score is made of (``Score.items``), and a track's ``statistic`` gives the score
under any weights: weights of 1 on a phase's items and 0 on the others give the score of the phase. Which items are whose
is drawn from the secret, for every seed anew: the parts are disjoint, and a public score says nothing of the final one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from harness import randomness
from harness.api import FloatArray
from harness.errors import ProtocolError, Status
from harness.evaluation.draws import over_draws
from harness.evaluation.tally import References, tally
from harness.protocol.challenge import Challenge
from harness.protocol.rules import PhaseName
from harness.tracking.record import Record
from harness.tracking.runs import StoredCell
from harness.tracks.base import Arrays, Track

_PART = "phase"  # the name under which a cell's items say which of them are the phase's
_OF_DRAW = re.compile(r"(draw\d+_).+", re.DOTALL)


def items_of(challenge: Challenge, phase: PhaseName, seed: int, m: int) -> npt.NDArray[np.bool_]:
    """Which of the ``m`` hidden items of a seed are a phase's: bool [m].

    Raises ProtocolError where one of the phases would have none.
    """
    phases = challenge.phases
    if phases is None or phases.final is None:
        return np.ones(m, bool)
    count = round(phases.public.share * m)
    if not 0 < count < m:
        raise ProtocolError(
            f"On seed {seed} a phase of {challenge.name} has no items: {count} of {m} are the public phase's.",
            "Change phases.public.share, or ask for more hidden rows.",
        )
    public = np.zeros(m, bool)
    public[randomness.generator(challenge.secret, seed, "phases").permutation(m)[:count]] = True
    return public if phase == "public" else ~public


class PhaseScores:
    """Scores of one phase of a challenge, whose secret is known."""

    def __init__(self, challenge: Challenge, track: Track[Any, Any], phase: PhaseName) -> None:
        self._challenge = challenge
        self._phase: PhaseName = phase
        self._track = cast(Track[Any, Any], _OnPart(track))

    def record(self, record: Record, cells: Sequence[StoredCell], references: References | None) -> Record:
        """The record as the phase has it: its scores, without what was measured on all items (metrics, curve).

        Parameters
        ----------
        cells: of all seeds of the run; those that are not ``ok`` stay what they are.
        references: floor and skyline on the seeds that can be measured, on all items; None for the references themselves.
        """
        if record.score is None:
            return record
        ours = [self.cell(stored) for stored in cells]
        theirs = None
        if references is not None:
            floor, skyline = ([self.cell(stored) for stored in row] for row in (references.floor, references.skyline))
            theirs = References.of(floor, skyline)
        counted = vars(tally(self._track, record.fingerprint, ours, theirs, record.submission))
        kept = ("score", "ci95", "normalised", "normalised_ci95", "floor", "skyline")
        changed = {name: counted[name] for name in kept} | {"curve": None}
        return record.model_copy(update={**changed, "cells": tuple(stored.cell for stored in ours)})

    def cell(self, stored: StoredCell) -> StoredCell:
        """A cell with its score on the phase's items; skipped where it has none there."""
        if stored.cell.status is not Status.OK or not stored.items:
            return stored
        m = len(next(iter(stored.items.values())))
        part = items_of(self._challenge, self._phase, stored.cell.seed, m)
        draws = {found[1] for name in stored.items if (found := _OF_DRAW.fullmatch(name))} or {""}
        items = {**stored.items, **{f"{draw}{_PART}": part for draw in draws}}
        score = float(over_draws(self._track.statistic)(items, np.ones((1, m)))[0])
        facts: dict[str, object] = {"score": score, "metrics": {}}
        if not np.isfinite(score):
            facts = {
                "score": None,
                "metrics": {},
                "status": Status.SKIPPED,
                "reason": "nothing to measure in this phase",
            }
        return replace(stored, cell=stored.cell.model_copy(update=facts), items=items, curve=None)


class _OnPart:
    """What is asked of a track when cells are summed up, with weights that are 0 outside the items of a phase."""

    def __init__(self, track: Track[Any, Any]) -> None:
        self._track = track
        self.direction = track.direction
        self.suspicious_above = track.suspicious_above

    def statistic(self, items: Arrays, weights: FloatArray) -> FloatArray:
        return self._track.statistic(items, weights * items[_PART])
