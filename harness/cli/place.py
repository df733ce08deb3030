"""Where a run stands among the baselines that have runs beside it, in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.errors import Status
from harness.evaluation.session import Session
from harness.leaderboard.ranking import places
from harness.protocol import submission
from harness.protocol.catalogue import baseline_names
from harness.statistics.differences import difference
from harness.tracking.record import Record


@dataclass(frozen=True)
class Baselines:
    """The newest scored run of each shipped baseline on a challenge's fingerprint, and how many baselines have none."""

    runs: Mapping[str, Record]  # by name
    missing: int

    @classmethod
    def of(cls, session: Session) -> Baselines:
        """Those of a session's runs directory."""
        challenge, ids = session.challenge, session.runs.run_ids()
        names = baseline_names(challenge.track_type.task.kind, challenge.left_out())
        shipped = submission.shipped_digests()
        found: dict[str, Record] = {}
        for name in names:
            own = [run_id for run_id in ids if run_id.rpartition("-")[0] == f"{challenge.name}-{name}"]
            for record in map(session.runs.load_record, own):
                fits = record.fingerprint == session.fingerprint and record.submission_digest in shipped
                if fits and record.status is Status.OK and (name not in found or record.created > found[name].created):
                    found[name] = record
        return cls(found, len(names) - len(found))


def sentence(record: Record, session: Session, baselines: Baselines) -> str:
    """The rank among the baselines, as far as it can be told, and the distance to the best of them.

    Both are those of the board: a 95 % confidence set for the rank, and the paired difference over seeds with its 95 %
    interval. Without runs of baselines: the place between floor and skyline.
    """
    others = [run for run in baselines.runs.values() if run.submission_digest != record.submission_digest]
    if not others:
        between = "" if record.normalised is None else f"{record.normalised:.0%} of the way from random to skyline; "
        return f"{between}no other baseline has a run here to compare with"
    sign = 1.0 if record.direction == "max" else -1.0
    ordered = sorted([record, *others], key=lambda run: -sign * (run.score or 0.0))
    place = places(ordered, session.challenge.track_type, sets=True)[record.run_id]
    low, high = place.rank_ci95 or (place.rank, place.rank)
    rank = ordinal(low or 1) if low == high else f"{ordinal(low or 1)} to {ordinal(high or 1)}"
    count = len(baselines.runs)
    which = "the baselines" if not baselines.missing else f"{count} of {count + baselines.missing} baselines"
    return f"{rank} of {len(ordered)}, with {which}; {_distance(record, best(others, record.direction), sign)}"


def best(runs: list[Record], direction: str) -> Record:
    """The run with the best score."""
    return (max if direction == "max" else min)(runs, key=lambda run: run.score or 0.0)


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th, ..."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _distance(record: Record, other: Record, sign: float) -> str:
    found = difference(record.seed_scores, other.seed_scores)
    if not found.seeds:
        return f"no seed in common with {other.submission}, the best of them"
    if abs(found.mean) < 1e-12:
        return f"level with {other.submission}"
    half = f" ± {(found.ci95[1] - found.ci95[0]) / 2:.4f}" if found.ci95 else ""
    chance = ", which may be chance" if found.p is None or found.p >= 0.05 else ""
    return (
        f"{'ahead of' if sign * found.mean > 0 else 'behind'} {other.submission} by {abs(found.mean):.4f}{half}{chance}"
    )
