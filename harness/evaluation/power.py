"""Can a challenge tell methods apart? Judged before it opens, from its references and baselines."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from harness.api import FloatArray
from harness.errors import Status
from harness.evaluation.run import run_references, run_submission
from harness.evaluation.session import Session
from harness.protocol.catalogue import baseline_names
from harness.protocol.challenge import Challenge
from harness.statistics.resolution import LEVEL, MOST_SEEDS, critical_value, resolved, seeds_for

_NOTHING_VARIES = 1e-12


@dataclass(frozen=True)
class Board:
    """A board that is planned: its rows, one a team, its seeds, and how its track ranks."""

    teams: int
    seeds: int
    direction: str = "max"
    score_alone: bool = False


def power(
    challenge: Challenge, runs_dir: Path, *, teams: int | None = None, seeds: int | None = None
) -> dict[str, Any]:
    """Run random, skyline and two baselines; say what a board of so many teams and seeds resolves, and at what cost.

    What is run are the challenge's own seeds; for other ``seeds`` the answer is calculated from the spread on these.

    Parameters
    ----------
    teams: rows of the board; None: the baselines that fit, and one more.
    seeds: None: the challenge's.
    """
    session = Session.open(challenge, runs_dir=runs_dir)
    fitting = baseline_names(session.track.task.kind, challenge.left_out())
    track = challenge.track_type
    board = Board(teams or len(fitting) + 1, seeds or challenge.seeds, track.direction, track.score_alone)
    references = run_references(session)
    scores = {
        "random": {stored.cell.seed: stored.cell.score for stored in references.floor},
        "skyline": {stored.cell.seed: stored.cell.score for stored in references.skyline},
    }
    seconds: dict[str, float] = {}
    failed: dict[str, str] = {}
    for name in [name for name in dict.fromkeys((challenge.baseline, *fitting)) if name != "random"][:2]:
        record = run_submission(session, name)
        if record.status is Status.CANCELLED:
            raise KeyboardInterrupt
        if record.status in (Status.OK, Status.SUSPICIOUS):
            scores[name] = {cell.seed: cell.score for cell in record.measured}
            seconds[name] = sum(cell.seconds.submission * cell.draws + cell.seconds.scoring for cell in record.cells)
        elif record.status is not Status.SKIPPED:
            failed[f"{name}, not measured"] = f"{record.status}: {record.reason}"
    by_seed = {name: [of.get(seed) for seed in range(challenge.seeds)] for name, of in scores.items()}
    return failed | summary({name: np.array(values, dtype=float) for name, values in by_seed.items()}, seconds, board)


def summary(scores: Mapping[str, FloatArray], seconds: Mapping[str, float], board: Board) -> dict[str, Any]:
    """The facts of :func:`power`.

    Separations are in standard errors of the paired difference over seeds: mean(d) / (sd(d) / sqrt(S)). ``resolves`` is
    the difference of two rows that the board's test, step-down max-t over all pairs of its rows, finds with power 80 %,
    where the sd of their difference is the median of those measured (:mod:`harness.statistics.resolution`); a baseline
    beats random where its separation exceeds that test's bound on the seeds measured.

    Parameters
    ----------
    scores: [S] float64 by name, ``random`` and ``skyline`` among them; seeds on which one has none (nan) are left out.
    seconds: of work, by name of a baseline, for a run of S seeds.
    """
    scored = np.array([all(map(math.isfinite, of_seed)) for of_seed in zip(*scores.values(), strict=True)])
    count, share = int(scored.sum()), float(scored.mean())
    seen = {name: values[scored] for name, values in scores.items()}
    facts: dict[str, Any] = {"seeds measured": count}
    if count:
        facts |= {f"{name}, mean": round(float(values.mean()), 4) for name, values in seen.items()}
        for a, b in combinations(seen, 2):
            facts[f"{b} - {a}, standard errors"] = _separation(seen[b] - seen[a])
    facts |= {f"{name}, seconds of work a run": round(value, 1) for name, value in seconds.items()}
    sign = 1 if board.direction == "max" else -1
    better = {name: sign * (values - seen["random"]) for name, values in seen.items() if name != "random"}
    sd = _median_sd(seen) if count > 1 else 0.0
    resolves = resolved(sd, board.teams, round(board.seeds * share)) if sd else math.inf
    half = seeds_for(resolves / 2, sd, board.teams) if math.isfinite(resolves) else None
    runs = [value / len(scored) * board.seeds for value in seconds.values()]
    facts |= {
        "teams": board.teams,
        "seeds": board.seeds,
        "resolves": resolves if math.isfinite(resolves) else None,
        "seeds_for_half": math.ceil(half / share) if half else None,
        "hours": float(np.mean(runs)) * board.teams / 3600 if runs else None,
        "baselines_beat_random": {name: _beats(d, board.teams) for name, d in better.items() if name != "skyline"},
    }
    gap = float(better["skyline"].mean()) if count else 0.0
    return facts | {"verdict": verdict(facts, gap, board, share)}


def verdict(facts: dict[str, Any], gap: float, board: Board, share: float = 1.0) -> str:
    """One sentence for the organiser, from the facts of :func:`summary`.

    Parameters
    ----------
    gap: how much better the skyline is than random, in score.
    share: of the seeds, on which there was something to measure.
    """
    hours = facts["hours"]
    cost = "" if hours is None else f"about {_shown(hours)} hours of work on this machine"
    size = f"{board.teams} teams and {board.seeds} seed{'s' if board.seeds > 1 else ''}"
    if facts["resolves"] is None:
        costs = f"; {size} are {cost}" if cost else ""
        return f"{_nothing(facts['seeds measured'], board, share)}{costs}."
    if share < 1:
        size += f", of which about {board.seeds * share:.0f} can be measured,"
    at = f", at {cost}" if cost else ""
    weak = gap <= facts["resolves"]
    only = "only " if weak or facts["resolves"] > gap / 3 else ""
    way = f" ({100 * facts['resolves'] / gap:.0f} % of the way from random to skyline)" if gap > 0 else ""
    start = f"Too weak to tell random from the skyline: with {size}" if weak else f"With {size}"
    measured = "" if facts["seeds measured"] == board.seeds else f" on the {facts['seeds measured']} seeds measured"
    said = [
        f"{start} the board resolves {only}a difference of {_shown(facts['resolves'])}{way} four times in five{at}",
        _who_beats(facts["baselines_beat_random"]) + measured,
        f"{facts['seeds_for_half'] or f'not even {MOST_SEEDS}'} seeds would resolve {_shown(facts['resolves'] / 2)}",
    ]
    return "; ".join(said) + "."


def _nothing(measured: int, board: Board, share: float) -> str:
    """Why it is not known what the board resolves."""
    if measured == 0:
        return "Nothing was measured on any seed, so nothing can be told apart"
    if measured == 1 or board.seeds * share < 1.5:
        own = ", but this protocol has a rule of its own, the score alone" if board.score_alone else ""
        return f"One seed tells nothing apart, and no more {'was' if measured == 1 else 'can be'} measured{own}"
    return f"No score varied over the {measured} seeds measured, so it is not known what the board resolves"


def _who_beats(beat: dict[str, bool]) -> str:
    winners = [name for name, does in beat.items() if does]
    losers = [name for name, does in beat.items() if not does]
    if not beat:
        return "no baseline was measured"
    if not losers:
        return f"{' and '.join(winners)} {'beat' if len(winners) > 1 else 'beats'} random"
    lost = f"{' and '.join(losers)} {'do' if len(losers) > 1 else 'does'} not"
    return f"{' and '.join(winners)} beats random, {lost}" if winners else f"{lost} beat random"


def _median_sd(scores: Mapping[str, FloatArray]) -> float:
    """Over the seeds, of the difference of two rows: the median of all pairs; 0 where nothing varies."""
    sd = float(np.median([(scores[b] - scores[a]).std(ddof=1) for a, b in combinations(scores, 2)]))
    return sd if sd > _NOTHING_VARIES else 0.0


def _separation(difference: FloatArray) -> float | None:
    """In standard errors; None where nothing varies, or for one seed."""
    sd = float(difference.std(ddof=1)) if len(difference) > 1 else 0.0
    return round(float(difference.mean()) / sd * math.sqrt(len(difference)), 1) if sd > _NOTHING_VARIES else None


def _beats(ahead: FloatArray, teams: int) -> bool:
    """Whether a row that is so much better than random on each seed [S] is told apart from it on a board of ``teams``."""
    if len(ahead) < 2:
        return False
    error = float(ahead.std(ddof=1)) / math.sqrt(len(ahead))
    if error <= _NOTHING_VARIES:  # then the board's test is that of signs
        return float(ahead.mean()) > _NOTHING_VARIES and 2.0 ** (1 - len(ahead)) < LEVEL
    return float(ahead.mean()) > critical_value(teams, len(ahead)) * error


def _shown(value: float) -> str:
    """Two significant digits, without an exponent."""
    return f"{value:.{max(0, 1 - math.floor(math.log10(value)))}f}" if value > 0 else "0"
