"""One row of a board, made of a verified record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.tracking.record import Record

Curve = tuple[tuple[float, float], ...]
_POINTS = 61  # of a published curve


@dataclass(frozen=True)
class Row:
    """``rank`` and ``rank_ci95`` are None for the harness's own references and for rows that may not rank."""

    rank: int | None  # by score, 1..n
    rank_ci95: tuple[int, int] | None  # 95 % confidence set for the rank; None as well where the protocol gives none
    team: str | None  # its id in the organiser's roster; None on a board without one, and for rows of the harness's own
    team_name: str | None
    attempts: int  # runs of the team, or of this line of submissions
    submission: str
    authors: tuple[str, ...]
    status: str
    reason: str
    score: float | None
    ci95: tuple[float, float] | None
    normalised: float | None
    normalised_ci95: tuple[float, float] | None
    metrics: Mapping[str, float]  # secondary metrics, mean over seeds
    seconds: float | None  # of the algorithm, mean over seeds; None: nothing could be measured on any
    scoring_seconds: float | None
    peak_memory_mb: float | None  # largest over seeds
    submission_fits: float | None  # models it trained, as it reports itself, mean over seeds
    seeds: int  # those on which something could be measured
    seed_scores: Mapping[int, float]
    isolation: str
    device: str
    date: str
    run_id: str
    submission_digest: str | None
    packages: tuple[Mapping[str, Any], ...]  # wheels beside the harness's own
    description: str
    license: str
    reproduced: str  # verdict of the last `harness reproduce` of this very record, empty if there is none
    reproduced_how: str  # what it compared, and on what machine and versions
    released: str  # who released a suspicious row, empty otherwise
    versions: Mapping[str, str]
    source: str | None  # digest of the harness's scoring source
    commit: str | None
    dirty: bool | None
    record_sha256: str
    curve: Curve | None
    params: Mapping[str, Any] = field(default_factory=dict)  # keyword arguments of the submission's function


@dataclass(frozen=True)
class Place:
    """Where a row stands."""

    rank: int | None = None
    rank_ci95: tuple[int, int] | None = None


@dataclass(frozen=True)
class Owner:
    """Whose row it is."""

    team: str | None = None
    team_name: str | None = None
    attempts: int = 1


def row(
    record: Record, digest: str, place: Place, why: str, reproduced: str, released: str, owner: Owner = Owner()
) -> Row:
    """The row of a record.

    Parameters
    ----------
    digest: SHA-256 of the record's file.
    why: what keeps it from being ranked, where something does.
    reproduced: the note of the ledger's last verdict on it.
    released: who released it.
    """
    cells = record.measured
    memory = [cell.peak_memory_mb for cell in cells if cell.peak_memory_mb is not None]
    fits = [cell.submission_fits for cell in cells if cell.submission_fits is not None]
    verdict, _, how = reproduced.partition(": ")
    return Row(
        **vars(place),
        **vars(owner),
        submission=record.submission,
        authors=record.authors,
        status=record.status.value,
        reason=why or record.reason,
        score=record.score,
        ci95=record.ci95,
        normalised=record.normalised,
        normalised_ci95=record.normalised_ci95,
        metrics=mean_metrics(record),
        seconds=_mean([cell.seconds.submission for cell in cells]),
        scoring_seconds=_mean([cell.seconds.scoring for cell in cells]),
        peak_memory_mb=max(memory, default=None),
        submission_fits=_mean(fits),
        seeds=len(cells),
        seed_scores=record.seed_scores,
        isolation=record.isolation,
        device=record.device,
        date=record.created[:10],
        run_id=record.run_id,
        submission_digest=record.submission_digest,
        packages=tuple(package.model_dump(mode="json") for package in record.packages or ()),
        description=record.description,
        license=record.license,
        reproduced=verdict,
        reproduced_how=how,
        released=released,
        versions=record.versions,
        source=record.source,
        commit=record.commit,
        dirty=record.dirty,
        record_sha256=digest,
        curve=record.curve,
        params=dict(record.params),
    )


def thinned(curve: Curve | None) -> Curve | None:
    """A curve as boards publish it: at most 61 of its points, ends included, at six significant digits."""
    if curve is None:
        return None
    kept = np.unique(np.linspace(0, len(curve) - 1, _POINTS).round().astype(int)) if curve else ()
    return tuple((float(f"{curve[i][0]:.6g}"), float(f"{curve[i][1]:.6g}")) for i in kept)


def mean_metrics(record: Record) -> dict[str, float]:
    """Secondary metrics, the mean of each over the seeds that have it."""
    names = dict.fromkeys(name for cell in record.cells for name in cell.metrics)
    values = {name: [v for cell in record.cells if (v := cell.metrics.get(name)) is not None] for name in names}
    return {name: float(np.mean(found)) for name, found in values.items() if found}


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
