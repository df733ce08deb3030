"""Several draws of one cell: the same view, answered by the same submission with other randomness.

A stochastic submission judged by one draw a seed is judged by luck. Where a challenge pins ``draws``, its scores are
averaged within the seed before anything else is done with them. All draws of a seed are scored on the same items, so
that a bootstrap replicate of the cell is the mean of its draws' replicates under the same item weights.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from harness.api import FloatArray
from harness.errors import HarnessError
from harness.evaluation.plots import mean_curve
from harness.statistics.bootstrap import Statistic
from harness.tracking.record import CellRecord, Seconds
from harness.tracking.runs import StoredCell, arrays_digest
from harness.tracks.base import Array, Arrays

_OF_DRAW = re.compile(r"draw(\d+)_(.+)", re.DOTALL)


def purpose(draw: int) -> str:
    """What the randomness of one draw is drawn for; the first is what a challenge without further draws has."""
    return f"algorithm draw {draw}" if draw else "algorithm"


def joined(drawn: Sequence[StoredCell]) -> StoredCell:
    """One cell of all its draws, each of them ``ok``; a single one is the cell itself.

    Score, metrics and curve are means over the draws; ``seconds.submission`` and ``submission_fits`` those of a draw, and
    ``peak_memory_mb`` the largest; scoring and fits are sums. Arrays ``x`` become ``draw0_x``, ``draw1_x``, ...
    """
    if len(drawn) == 1:
        return drawn[0]
    cells = [stored.cell for stored in drawn]
    output, items = _named([s.output for s in drawn]), _named([s.items for s in drawn])
    reported = [c.submission_fits for c in cells]
    curves = [s.curve for s in drawn if s.curve is not None]
    cell = CellRecord(
        seed=cells[0].seed,
        status=cells[0].status,
        score=_mean([c.score for c in cells]),
        metrics={name: _mean([c.metrics.get(name) for c in cells]) for c in cells for name in c.metrics},
        output_digest=arrays_digest(output),
        seconds=Seconds(
            submission=float(np.mean([c.seconds.submission for c in cells])),
            scoring=sum(c.seconds.scoring for c in cells),
        ),
        fits=sum(c.fits or 0 for c in cells),
        submission_fits=None if None in reported else round(float(np.mean([n for n in reported if n is not None]))),
        peak_memory_mb=max((c.peak_memory_mb for c in cells if c.peak_memory_mb is not None), default=None),
        draws=len(cells),
    )
    log = "".join(f"--- draw {draw} ---\n{s.log.rstrip()}\n" for draw, s in enumerate(drawn) if s.log.strip())
    return StoredCell(cell, output, items, mean_curve(curves) if len(curves) == len(drawn) else None, log)


def over_draws(statistic: Statistic) -> Statistic:
    """A track's statistic, made to take the items of :func:`joined` as well: the mean over the draws."""

    def mean(items: Arrays, weights: FloatArray) -> FloatArray:
        parts = _parts(items)
        if len({len(array) for part in parts for array in part.values()}) > 1:
            raise HarnessError("The draws of a cell were scored on different numbers of items.")
        values: FloatArray = np.mean([statistic(part, weights) for part in parts], axis=0)
        return values

    return mean


def _named(draws: Sequence[Arrays]) -> Arrays:
    return {f"draw{k}_{name}": array for k, arrays in enumerate(draws) for name, array in arrays.items()}


def _parts(items: Arrays) -> list[Arrays]:
    """Back from the names of :func:`_named`; items of a single draw are one part."""
    parts: dict[int, dict[str, Array]] = {}
    for name, array in items.items():
        found = _OF_DRAW.fullmatch(name)
        draw, own = (int(found[1]), found[2]) if found else (0, name)
        parts.setdefault(draw, {})[own] = array
    return [parts[draw] for draw in sorted(parts)]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
