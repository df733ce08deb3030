"""Which row stands where: by score, with a confidence set for the rank beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from harness.leaderboard.row import Place, mean_metrics
from harness.statistics.rank_sets import rank_sets
from harness.tracking.record import Record
from harness.tracks.base import Track

_DECIMALS = 12  # scores that agree so far are the same: means of the same numbers, summed in another order


def order(
    records: Sequence[Record], track: type[Track[Any, Any]], received: Callable[[Record], datetime]
) -> list[Record]:
    """Best first: by score, then the track's tie-break, then the earlier submission. No row moves because of another."""
    sign = -1.0 if track.direction == "max" else 1.0

    def key(record: Record) -> tuple[float, float, datetime, str]:
        score = sign * round(record.score or 0.0, _DECIMALS)
        tie_break = -round(mean_metrics(record).get(track.tie_break, 0.0), _DECIMALS)
        return score, tie_break, received(record), record.run_id

    return sorted(records, key=key)


def places(ordered: Sequence[Record], track: type[Track[Any, Any]], *, sets: bool) -> dict[str, Place]:
    """Rank and, where ``sets`` are wanted, 95 % confidence set for the rank of every record, by run id; best first.

    A protocol with a rule of its own (``score_alone``) has ranks and no sets.
    """
    wanted = sets and not track.score_alone
    around_ranks = rank_sets({r.run_id: r.seed_scores for r in ordered}, track.direction) if wanted else {}
    found = {}
    for rank, record in enumerate(ordered, 1):
        low, high = around_ranks.get(record.run_id, (rank, rank))
        around = (min(low, rank), max(high, rank))  # rows that share few seeds may be told apart against their means
        found[record.run_id] = Place(rank, around if wanted else None)
    return found
