"""Phases: the score of a run on one part of the hidden items, from what was kept of its cells. Nothing is run or trained.

A cell keeps for every hidden item what the score is made of (``Score.items``), and a track's ``statistic`` gives the score
under any weights: weights of 1 on a phase's items and 0 on the others give the score of the phase. Which items are whose
is drawn from the secret, for every seed anew: the parts are disjoint, and a public score says nothing of the final one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
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
_NOTHING = "nothing to measure in this phase"
_COUNTS: Mapping[str, Any] = {"status": Status.OK, "reason": ""}
_COUNTS_NOT: Mapping[str, Any] = {"status": Status.SKIPPED, "reason": _NOTHING}
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

        Which seeds count is decided by the references alone, and is the same for every row: see :meth:`_lost`. A row
        that has no score where they have one gets the floor's.

        Parameters
        ----------
        cells: of all seeds of the run; those that are not ``ok`` stay what they are.
        references: floor and skyline on the seeds that can be measured, on all items, for their own records as well;
            None where they are not known: then no seed is left out on their account.

        Raises ProtocolError where no seed is left.
        """
        if record.score is None:
            return record
        ours = [self.cell(stored) for stored in cells]
        theirs = None
        if references is not None:
            floor, skyline = ([self.cell(stored) for stored in row] for row in (references.floor, references.skyline))
            lost = self._lost(references, floor, skyline)
            instead = {stored.cell.seed: stored for stored in floor}
            ours = [_or_floor(stored, instead.get(stored.cell.seed)) for stored in ours]
            ours, floor, skyline = (
                [_skipped(stored) if stored.cell.seed in lost else stored for stored in row]
                for row in (ours, floor, skyline)
            )
            theirs = None if record.reference else References.of(floor, skyline)
        counted = vars(tally(self._track, record.fingerprint, ours, theirs, record.submission))
        if counted["score"] is None:
            raise ProtocolError(
                f"No seed of {self._challenge.name} measures anything on the {self._phase} phase's items.",
                "Ask for more hidden rows, or change phases.public.share.",
            )
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
        cell = stored.cell.model_copy(update={"score": score, "metrics": {}})
        ours = replace(stored, cell=cell, items=items, curve=None)
        return ours if np.isfinite(score) else _skipped(ours)

    def _lost(self, references: References, floor: Sequence[StoredCell], skyline: Sequence[StoredCell]) -> set[int]:
        """Seeds on which the phase's items measure nothing, by the references alone: no row decides what counts for it.

        There a reference has no score, or the skyline, which is better than the floor on all items, is not on these.
        Debugging's recovery is a share of what true labels gain: without a gain it has no scale, with a loss it is
        turned round.
        """
        sign = 1.0 if self._track.direction == "max" else -1.0
        whole = _gaps(references.floor, references.skyline, sign)
        part = _gaps(floor, skyline, sign)
        return {seed for seed, gap in whole.items() if seed not in part or part[seed] <= 0 < gap}


def _gaps(floor: Sequence[StoredCell], skyline: Sequence[StoredCell], sign: float) -> dict[int, float]:
    """By how much the skyline is better, by seed."""
    low, high = ({s.cell.seed: s.cell.score for s in row if s.cell.score is not None} for row in (floor, skyline))
    return {seed: sign * (high[seed] - low[seed]) for seed in low.keys() & high.keys()}


def _or_floor(stored: StoredCell, floor: StoredCell | None) -> StoredCell:
    """The cell, or the floor in its place where the row alone has no score."""
    if floor is None or floor.cell.score is None or stored.cell.reason != _NOTHING:
        return stored
    return replace(floor, cell=stored.cell.model_copy(update={**_COUNTS, "score": floor.cell.score}))


def _skipped(stored: StoredCell) -> StoredCell:
    return replace(stored, cell=stored.cell.model_copy(update={"score": None, **_COUNTS_NOT}))


class _OnPart:
    """What is asked of a track when cells are summed up, with weights that are 0 outside the items of a phase."""

    def __init__(self, track: Track[Any, Any]) -> None:
        self._track = track
        self.direction = track.direction
        self.suspicious_above = track.suspicious_above

    def statistic(self, items: Arrays, weights: FloatArray) -> FloatArray:
        return self._track.statistic(items, weights * items[_PART])
