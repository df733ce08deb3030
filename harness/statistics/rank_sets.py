"""Confidence sets for ranks.

Source: Mogstad, Romano, Shaikh & Wilhelm, *Inference for Ranks with Applications to Mobility across Neighbourhoods and
Academic Achievement across Countries*, Review of Economic Studies 91 (2024), simultaneous sets by stepwise comparisons.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from harness.statistics.differences import LEVEL, adjusted, difference


def rank_sets(
    rows: Mapping[str, Mapping[int, float]], direction: Literal["max", "min"], level: float = LEVEL
) -> dict[str, tuple[int, int]]:
    """Best and worst rank that each row may have: all of the sets hold the true rank together with chance 1 - ``level``.

    [1 + rows significantly better, K - rows significantly worse], by :func:`~.differences.adjusted`. The true rank is
    1 + the number of rows with a better expected score. With one seed every set is (1, K).

    Parameters
    ----------
    rows: seed -> score by name.
    direction: whether the higher score is the better one (``"max"``).

    Raises
    ------
    ValueError: another direction.
    """
    if direction not in ("max", "min"):
        raise ValueError(f"direction is max or min, not {direction!r}")
    best = dict.fromkeys(rows, 1)
    worst = dict.fromkeys(rows, len(rows))
    for (a, b), p in adjusted(rows).items():
        if p < level:
            ahead = difference(rows[a], rows[b]).mean > 0
            better, worse = (a, b) if ahead == (direction == "max") else (b, a)
            best[worse] += 1
            worst[better] -= 1
    return {name: (best[name], worst[name]) for name in rows}
