"""What the cells of a run come to: status, mean, interval, place between floor and skyline.

A pure function of kept cells: what a run writes into its record, and what whoever verifies the record computes again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isclose
from typing import Any

import numpy as np

from harness.errors import Status
from harness.evaluation.draws import over_draws
from harness.evaluation.plots import mean_curve
from harness.statistics.bootstrap import replicates
from harness.statistics.differences import difference
from harness.statistics.intervals import FEWEST_SEEDS, interval
from harness.statistics.normalised import normalised
from harness.tracking.record import Record
from harness.tracking.runs import StoredCell
from harness.tracks.base import Track

_CURVE_POINTS = 240


@dataclass(frozen=True)
class References:
    """Cells of floor and skyline on the seeds that can be measured."""

    floor: list[StoredCell]
    skyline: list[StoredCell]

    @classmethod
    def of(cls, floor: list[StoredCell], skyline: list[StoredCell]) -> References:
        return cls(_measured(floor), _measured(skyline))

    @property
    def whole(self) -> bool:
        """Whether every cell of both is ok, and there is one."""
        return bool(self.skyline) and status_of([*self.floor, *self.skyline])[0] is Status.OK


@dataclass(frozen=True)
class Tally:
    """The part of a record that its cells decide; names as there."""

    status: Status
    reason: str
    score: float | None = None
    ci95: tuple[float, float] | None = None
    normalised: float | None = None
    normalised_ci95: tuple[float, float] | None = None
    floor: float | None = None
    skyline: float | None = None
    suspicious_bound: float | None = None
    curve: tuple[tuple[float, float], ...] | None = None

    def differences(self, record: Record) -> list[str]:
        """What a record says that its cells do not, a phrase each; numbers to 1e-9."""
        return [
            f"{name} is {_shown(getattr(record, name))}, its cells give {_shown(value)}"
            for name, value in vars(self).items()
            if not _same(getattr(record, name), value)
        ]


def tally(
    track: Track[Any, Any], fingerprint: str, every: Sequence[StoredCell], references: References | None, name: str
) -> Tally:
    """Sum up the cells of all seeds.

    The score is the mean over the seeds measured; its interval has the seed as its unit (harness/statistics). A run is
    ``suspicious`` when the interval of its difference to the bound that the skyline gives, paired by seed, lies wholly
    on the better side. A seed on which there was nothing to measure (``skipped``) is left out and said so; where that
    is every seed, the run is ``skipped``.

    Parameters
    ----------
    references: None for the references themselves, and for runs that were stopped.
    name: of the row; ``reference-random`` and ``reference-skyline`` are 0 and 1 by definition.
    """
    cells = _measured(every)
    status, reason = status_of(cells) if cells else _nothing_measured(every)
    if status is Status.OK and references is not None:
        status, reason = status_of([*references.floor, *references.skyline], "reference ")
    curve = _curve(cells)
    if status is not Status.OK:
        return Tally(status, reason, curve=curve)
    if len(cells) < len(every):
        left_out = next(stored.cell for stored in every if stored.cell.status is Status.SKIPPED)
        reason = f"{len(every) - len(cells)} of {len(every)} seeds left out, the first of them {left_out.seed}: {left_out.reason}"
    scores, items = scores_of(cells), [stored.items for stored in cells]
    score = mean(scores)
    ci95 = interval(scores, items, over_draws(track.statistic), fingerprint)
    place: dict[str, Any] = {}
    if name in ("reference-random", "reference-skyline"):
        place["normalised"] = float(name == "reference-skyline")
    elif references is not None and references.whole:
        place = _placed(track, fingerprint, cells, references)
        bound = place["suspicious_bound"]
        if _beyond(track, fingerprint, cells, references):
            status = Status.SUSPICIOUS
            reason = (
                f"Score {score:.4f} is better than {bound:.4f}, what the skyline ({place['skyline']:.4f}) allows, by more "
                "than chance. It is not ranked until a person has looked: `harness release RUN_ID --who --why`."
            )
    return Tally(status, reason, score, ci95, curve=curve, **place)


def scores_of(cells: Sequence[StoredCell]) -> dict[int, float]:
    """Score by seed; the cells are ``ok``."""
    return {stored.cell.seed: float(stored.cell.score or 0.0) for stored in cells}


def mean(scores: dict[int, float]) -> float:
    """The score of a run."""
    return float(np.mean(list(scores.values())))


def status_of(cells: Sequence[StoredCell], whose: str = "") -> tuple[Status, str]:
    """Status of a run: ``ok`` if every cell is, else that of its first bad cell; the participant's faults come first."""
    bad = [stored.cell for stored in cells if stored.cell.status is not Status.OK]
    if not bad:
        return Status.OK, ""
    ours = (Status.HARNESS_ERROR, Status.CANCELLED, Status.SKIPPED)
    first = min(bad, key=lambda cell: (cell.status in ours, cell.seed))
    return first.status, f"{len(bad)} of {len(cells)} {whose}cells failed; seed {first.seed}: {first.reason}"


def _placed(
    track: Track[Any, Any], fingerprint: str, cells: Sequence[StoredCell], references: References
) -> dict[str, Any]:
    """Floor, skyline, what is suspicious, and the place between: only where the two differ by more than chance."""
    floor, skyline = scores_of(references.floor), scores_of(references.skyline)
    apart = len(skyline) > 1 or _apart(track, fingerprint, references)
    place = normalised(scores_of(cells), floor, skyline, apart=apart)
    return {
        "floor": mean(floor),
        "skyline": mean(skyline),
        "suspicious_bound": track.suspicious_above(mean(skyline)),
        "normalised": place.value if place else None,
        "normalised_ci95": place.ci95 if place else None,
    }


def _apart(track: Track[Any, Any], fingerprint: str, references: References) -> bool:
    """Whether floor and skyline of a single seed have intervals apart, by their items."""
    low, high = (
        interval(scores_of(cells), [s.items for s in cells], over_draws(track.statistic), fingerprint)
        for cells in (references.floor, references.skyline)
    )
    return low[1] < high[0] or high[1] < low[0]


def _beyond(track: Track[Any, Any], fingerprint: str, cells: Sequence[StoredCell], references: References) -> bool:
    """Whether a run is better than the bound by more than chance: paired by seed, by items where seeds are few."""
    sign = 1.0 if track.direction == "max" else -1.0
    skyline = {stored.cell.seed: stored for stored in references.skyline}
    pairs = [(stored, skyline[stored.cell.seed]) for stored in cells if stored.cell.seed in skyline]
    if not pairs:
        return False
    if len(pairs) >= FEWEST_SEEDS:
        ours = {a.cell.seed: sign * (a.cell.score or 0.0) for a, _ in pairs}
        most = {b.cell.seed: sign * track.suspicious_above(b.cell.score or 0.0) for _, b in pairs}
        excess = difference(ours, most)
        return (excess.ci95[0] if excess.ci95 else excess.mean) > 0
    statistic = over_draws(track.statistic)
    scored, oracle = (replicates([pair[k].items for pair in pairs], statistic, fingerprint) for k in (0, 1))
    beyond = sign * (scored - np.array([track.suspicious_above(value) for value in oracle]))
    return bool(np.nanquantile(beyond, 0.025) > 0)


def _nothing_measured(cells: Sequence[StoredCell]) -> tuple[Status, str]:
    first = cells[0].cell
    on = f"any of {len(cells)} seeds" if len(cells) > 1 else "the only seed"
    return Status.SKIPPED, f"Nothing could be measured on {on}; seed {first.seed}: {first.reason}"


def _measured(cells: Sequence[StoredCell]) -> list[StoredCell]:
    return [stored for stored in cells if stored.cell.status is not Status.SKIPPED]


def _curve(cells: Sequence[StoredCell]) -> tuple[tuple[float, float], ...] | None:
    """The mean curve over seeds, thinned to what a plot can show."""
    curves = [stored.curve for stored in cells if stored.curve is not None]
    if not curves or len(curves) < len(cells):
        return None
    drawn = mean_curve(curves)
    shown = drawn[np.unique(np.linspace(0, len(drawn) - 1, min(len(drawn), _CURVE_POINTS)).round().astype(int))]
    return tuple((float(x), float(y)) for x, y in shown)


def _same(recorded: Any, computed: Any) -> bool:
    """Equality, of numbers down to rounding; of curves and intervals number by number."""
    if isinstance(recorded, tuple) and isinstance(computed, tuple):
        return len(recorded) == len(computed) and all(map(_same, recorded, computed))
    if isinstance(recorded, float) and isinstance(computed, float):
        return isclose(recorded, computed, rel_tol=1e-9, abs_tol=1e-9)
    return bool(recorded == computed)


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, tuple) and len(value) == 2 and all(isinstance(v, float) for v in value):
        return f"{value[0]:.6g} to {value[1]:.6g}"
    return "another curve" if isinstance(value, tuple) else repr(str(value))[:200]
