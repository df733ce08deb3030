"""A suite's board: one ranking over the boards of several challenges, from their rows' scores by seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import ProtocolError
from harness.leaderboard.board import Board, Row
from harness.statistics.bradley_terry import Abilities, bradley_terry
from harness.statistics.overall import (
    FEWEST_SEEDS,
    Entry,
    NoScale,
    Overall,
    Pairs,
    Panel,
    Scale,
    overall,
    pairs,
    panel,
    rank_sets,
    scale,
)
from harness.statistics.profiles import grid, profiles

if TYPE_CHECKING:
    from harness.protocol.suites import Suite

NOT_RUN = "no run here"
_FLOOR, _SKYLINE = "reference-random", "reference-skyline"

Interval = tuple[float, float]


@dataclass(frozen=True)
class Part:
    """One challenge that counts."""

    challenge: str
    title: str
    metric: str
    direction: str
    fingerprint: str
    floor: float
    skyline: float
    seeds: int


@dataclass(frozen=True)
class Place:
    """What a row reached on one challenge; 0 where it is missing, which counts as the floor."""

    normalised: float
    score: float | None
    rank: int | None
    seeds: int
    run_id: str
    missing: str  # why it has no score here; empty where it has one


@dataclass(frozen=True)
class Gap:
    """How far an entry is behind another, in overall score."""

    difference: float
    ci95: Interval | None  # of this pair by itself
    p: float  # two-sided, of this pair by itself
    adjusted: float  # for all pairs of the suite at once


@dataclass(frozen=True)
class SuiteRow:
    """One entry of a suite."""

    rank: int
    rank_ci95: tuple[int, int]
    submission: str
    authors: tuple[str, ...]
    score: float  # mean normalised score
    ci95: Interval | None
    behind_first: Gap | None  # None for the first itself
    ability: float
    beats_average: float
    beats_average_ci95: Interval | None
    places: Mapping[str, Place]  # by challenge
    profile: tuple[float, ...]  # share of runs above each tau
    team: str | None = None  # its id; each challenge's entry of a team may be another
    team_name: str | None = None

    @property
    def label(self) -> str:
        """What people call the entry."""
        return self.team_name or self.team or self.submission


@dataclass(frozen=True)
class SuiteBoard:
    """What is rendered: rows best first."""

    suite: str
    title: str
    description: str
    track: str
    task: str
    challenges: tuple[Part, ...]
    left_out: Mapping[str, str]  # challenge -> why it does not count
    ranked: tuple[SuiteRow, ...]
    taus: tuple[float, ...]
    pairs: Mapping[tuple[int, int], Gap]  # point ranks, the better first
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """The board as plain JSON values."""
        gaps = [{"ranks": list(ranks), **asdict(gap)} for ranks, gap in self.pairs.items()]
        return {**asdict(self), "pairs": gaps}


def build_suite(suite: Suite, boards: Sequence[Board]) -> SuiteBoard:
    """The board of a suite from verified boards of its challenges, in any order; a challenge without one is left out.

    Entries are the ranked rows, one for each team or, without a roster, for each submission's files. A challenge counts if its skyline is better than its
    floor by more than chance.

    Raises
    ------
    ProtocolError: no challenge counts, or none has a ranked row.
    """
    by_name = {board.challenge: board for board in boards}
    left_out, scales = {name: "has no runs" for name in suite.challenges if name not in by_name}, {}
    for name in suite.challenges:
        if name in by_name:
            try:
                scales[name] = _scale(by_name[name])
            except NoScale as why:
                left_out[name] = str(why)
    rows = {name: {_key(row): row for row in by_name[name].ranked if row.seed_scores} for name in scales}
    entries = [Entry(name, key, row.seed_scores) for name, found in rows.items() for key, row in found.items()]
    keys = sorted({entry.submission for entry in entries})
    if not keys:
        reasons = [f"{name} {reason}" for name, reason in left_out.items()] + [
            f"{name} has no ranked row" for name in scales
        ]
        raise ProtocolError(
            f"Suite {suite.name} has nothing to rank: {'; '.join(reasons)}.",
            f"`harness run challenge={suite.challenges[0]} submission=PATH` makes a first row.",
        )
    keys, panels, scores, abilities = _ordered(entries, keys, scales)
    told = pairs(panels)
    sets, gaps = rank_sets(told, len(keys)), _gaps(told)
    taus = grid(panels)
    curves = profiles(panels, taus)
    ranked = []
    for i, key in enumerate(keys):
        places = {p.challenge: _place(p, i, rows[p.challenge].get(key), by_name[p.challenge], key) for p in panels}
        row = next(found[key] for found in rows.values() if key in found)
        ranked.append(
            SuiteRow(
                rank=i + 1,
                rank_ci95=sets[i],
                submission=row.submission,
                authors=row.authors,
                score=float(scores.score[i]),
                ci95=_ends(scores.low[i], scores.high[i]),
                behind_first=gaps[1, i + 1] if i else None,
                ability=float(abilities.ability[i]),
                beats_average=float(abilities.beats_average[i]),
                beats_average_ci95=_ends(abilities.low[i], abilities.high[i]),
                places=places,
                profile=tuple(curves[i].tolist()),
                team=row.team,
                team_name=row.team_name,
            )
        )
    return SuiteBoard(
        suite=suite.name,
        title=suite.title,
        description=suite.description,
        track=suite.track,
        task=suite.task,
        challenges=tuple(_part(by_name[name], on, panels) for name, on in scales.items()),
        left_out={name: left_out[name] for name in suite.challenges if name in left_out},
        ranked=tuple(ranked),
        taus=tuple(taus.tolist()),
        pairs=gaps,
        notes=tuple(_notes(left_out, panels, ranked)),
    )


def _key(row: Row) -> str:
    """Whose row it is, the same on every board of the suite: a team's, else that of the very same files."""
    packages = sorted(f"{package['name']} {package['version']}" for package in row.packages)
    return f"team {row.team}" if row.team else "\0".join([row.submission, row.submission_digest or "", *packages])


def _scale(board: Board) -> Scale:
    """Raises NoScale where the board's references give none."""
    found = {row.submission: row.seed_scores for row in board.references}
    lacking = [name for name in (_FLOOR, _SKYLINE) if not found.get(name)]
    if lacking:
        raise NoScale(f"has no score of {' and '.join(lacking)}")
    return scale(found[_FLOOR], found[_SKYLINE], board.direction)


def _ordered(
    entries: Sequence[Entry], keys: list[str], scales: Mapping[str, Scale]
) -> tuple[list[str], list[Panel], Overall, Abilities]:
    """Keys, panels, overall scores and abilities, best first; of equal scores the larger ability, then the name, leads."""
    panels = [panel(name, entries, keys, on) for name, on in scales.items()]
    scores, abilities = overall(panels), bradley_terry(panels)
    # Rounded, since sums of the same scores in another order differ in their last digit.
    place = np.lexsort((np.arange(len(keys)), -abilities.ability.round(9), -scores.score.round(12)))
    return (
        [keys[i] for i in place],
        [Panel(p.challenge, p.seeds, p.values[:, place], p.missing[place]) for p in panels],
        Overall(scores.score[place], scores.low[place], scores.high[place], scores.df[place]),
        Abilities(
            abilities.ability[place], abilities.beats_average[place], abilities.low[place], abilities.high[place]
        ),
    )


def _gaps(told: Pairs) -> dict[tuple[int, int], Gap]:
    return {
        (int(a) + 1, int(b) + 1): Gap(
            float(told.difference[i]),
            _ends(told.low[i], told.high[i]),
            float(told.p[i]),
            float(told.adjusted[i]),
        )
        for i, (a, b) in enumerate(zip(told.first, told.second, strict=True))
    }


def _ends(low: float, high: float) -> Interval | None:
    return (float(low), float(high)) if isfinite(low) and isfinite(high) else None


def _part(board: Board, on: Scale, panels: Sequence[Panel]) -> Part:
    seeds = next(len(p.seeds) for p in panels if p.challenge == board.challenge)
    return Part(
        board.challenge, board.title, board.metric, board.direction, board.fingerprint, on.floor, on.skyline, seeds
    )


def _place(panel: Panel, column: int, row: Row | None, board: Board, key: str) -> Place:
    if row is None:
        failed = next((other.reason for other in board.unranked if _key(other) == key), "")
        return Place(0.0, None, None, 0, "", failed or NOT_RUN)
    mean = float(np.nanmean(panel.values[:, column]))
    return Place(mean, row.score, row.rank, len(row.seed_scores), row.run_id, "")


def _notes(left_out: Mapping[str, str], panels: Sequence[Panel], ranked: Sequence[SuiteRow]) -> list[str]:
    notes = [f"{name} is left out: it {why}." for name, why in left_out.items()]
    missing = [row.submission for row in ranked if any(place.missing for place in row.places.values())]
    if missing:
        notes.append(f"Missing on some challenge, where they count as the floor: {', '.join(dict.fromkeys(missing))}.")
    few = [p.challenge for p in panels if len(p.seeds) < FEWEST_SEEDS]
    if few:
        notes.append(
            f"{', '.join(few)}: fewer than {FEWEST_SEEDS} seeds, which say too little of what others would give. So no row with "
            "a score there has an interval, and it is told from no other."
        )
    return notes
