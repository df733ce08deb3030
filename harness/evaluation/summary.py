"""From the cells of a run to its record: mean, interval, place between floor and skyline, status."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from harness import __version__
from harness.api import FloatArray
from harness.errors import HarnessError, Status
from harness.evaluation.draws import over_draws
from harness.evaluation.entrants import Entrant, References
from harness.evaluation.plots import mean_curve, score_curve_svg
from harness.evaluation.session import Session
from harness.evaluation.statistics import interval, replicates
from harness.tracking import delivery, ledger
from harness.tracking.record import Record
from harness.tracking.runs import StoredCell

_PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "pandas", "hydra-core", "mlflow")
_CURVE_POINTS = 240
_REFERENCE_PLACE = {"reference-random": 0.0, "reference-skyline": 1.0}  # by definition of the normalised score


def references_of(session: Session, floor: list[StoredCell], skyline: list[StoredCell]) -> References:
    """Floor and skyline on the seeds that can be measured."""
    floor, skyline = _measured(floor), _measured(skyline)
    whole = skyline and _status([*floor, *skyline])[0] is Status.OK
    return References(floor, skyline, _replicates(session, skyline) if whole else None)


def record(
    session: Session, entrant: Entrant, cells: list[StoredCell], references: References | None, tracking_uri: str | None
) -> Record:
    """Summarise the cells, write the record, tell the ledger and MLflow, in this order.

    After Ctrl-C nobody waits for MLflow: the next run, board or `harness sync` delivers.
    """
    runs = session.runs
    if not runs.being_written(session.run_id(entrant)):
        raise HarnessError(
            f"{runs.run_dir(session.run_id(entrant))} was removed while the run was going on, so it is not recorded.",
            "Run it again; cells that ended after the removal are used.",
        )
    summary, resampled, plots = summarise(session, entrant, cells, references)
    delivery.mark(runs.run_dir(summary.run_id))  # first: a kill from here on leaves something to be done
    written = runs.save_record(summary, resampled, plots)
    ledger.append(runs.path, "run", written.run_id)
    if not session.engine.stopped.is_set():
        delivery.deliver(runs.run_dir(written.run_id), tracking_uri)
    return written


def summarise(
    session: Session, entrant: Entrant, cells: list[StoredCell], references: References | None
) -> tuple[Record, FloatArray | None, dict[str, str]]:
    """The record of a run, the bootstrap replicates [R] of its score (None unless every cell is ok) and its plots.

    The score is the mean over seeds; the interval is the 2.5 to 97.5 percentile of a hierarchical bootstrap over
    seeds and test items. A run is ``suspicious`` when the interval of its difference to the bound given by the skyline
    (paired: same resampled seeds and items) lies wholly on the better side. A seed on which there was nothing to
    measure (``skipped``) is left out and said so; where that is every seed, the run is ``skipped``.
    """
    challenge, track = session.challenge, session.track
    sign = 1.0 if track.direction == "max" else -1.0
    every, cells = cells, _measured(cells)
    status, reason = _status(cells) if cells else _nothing_measured(every)
    if status is Status.OK and references is not None:
        status, reason = _status([*references.floor, *references.skyline], "reference ")
    if status is Status.OK and len(cells) < len(every):
        left_out = next(stored.cell for stored in every if stored.cell.status is Status.SKIPPED)
        reason = f"{len(every) - len(cells)} of {len(every)} seeds left out, the first of them {left_out.seed}: {left_out.reason}"
    score: float | None = None
    normalised = floor = skyline = bound = None
    resampled: FloatArray | None = None
    if status is Status.OK:
        score = _mean(cells)
        resampled = _replicates(session, cells)
        if references is not None and references.replicates is not None:
            floor, skyline = _mean(references.floor), _mean(references.skyline)
            bound = track.suspicious_above(skyline)
            normalised = (score - floor) / (skyline - floor) if skyline != floor else None
            bounds = np.array([track.suspicious_above(v) for v in references.replicates])
            if interval(sign * (resampled - bounds), len(cells))[0] > 0:
                status = Status.SUSPICIOUS
                reason = (
                    f"Score {score:.4f} is better than {bound:.4f}, what the skyline ({skyline:.4f}) allows, by more than "
                    "chance. It is not ranked until a person has looked: `harness release RUN_ID --who --why`."
                )
    summary = Record(
        run_id=session.run_id(entrant),
        status=status,
        reason=reason,
        challenge=challenge.name,
        fingerprint=session.fingerprint,
        track=track.track,
        submission=entrant.name,
        submission_digest=entrant.digest,
        metric=track.metric,
        direction=track.direction,
        score=score,
        ci95=interval(resampled, len(cells)) if resampled is not None else None,
        cells=tuple(stored.cell for stored in every),
        isolation="trusted" if entrant.is_reference else session.tier,
        device=session.device,
        versions=versions(),
        data_digests={track.dataset.name: session.data_digest},
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        challenge_version=challenge.version,
        minimum_isolation=challenge.minimum_isolation,
        cells_alone=session.alone,
        modified=challenge.modified,
        unpinned=not challenge.dataset.pinned,
        reference=entrant.is_reference,
        normalised=_REFERENCE_PLACE.get(entrant.name) if entrant.is_reference else normalised,
        floor=floor,
        skyline=skyline,
        suspicious_bound=bound,
        task=track.task.kind,
        authors=entrant.authors,
        description=entrant.description,
        license=entrant.license,
        settings=challenge.published(),
        packages=None if entrant.packages is None else entrant.packages.packages,
        curve=_curve(cells),
    )
    return summary, resampled, _plots(session, entrant, cells, references) if status is Status.OK else {}


def versions() -> dict[str, str]:
    """Versions of whatever can change a score, and the machine."""
    found = {"python": platform.python_version(), "platform": platform.platform(), "harness": __version__}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # mlflow-skinny in place of mlflow, for example
            continue
    return found


def _status(cells: list[StoredCell], whose: str = "") -> tuple[Status, str]:
    """Status of a run: ``ok`` if every cell is, else that of its first bad cell; the participant's faults come first."""
    bad = [stored.cell for stored in cells if stored.cell.status is not Status.OK]
    if not bad:
        return Status.OK, ""
    ours = (Status.HARNESS_ERROR, Status.CANCELLED, Status.SKIPPED)
    first = min(bad, key=lambda cell: (cell.status in ours, cell.seed))
    return first.status, f"{len(bad)} of {len(cells)} {whose}cells failed; seed {first.seed}: {first.reason}"


def _nothing_measured(cells: list[StoredCell]) -> tuple[Status, str]:
    first = cells[0].cell
    on = f"any of {len(cells)} seeds" if len(cells) > 1 else "the only seed"
    return Status.SKIPPED, f"Nothing could be measured on {on}; seed {first.seed}: {first.reason}"


def _measured(cells: list[StoredCell]) -> list[StoredCell]:
    return [stored for stored in cells if stored.cell.status is not Status.SKIPPED]


def _mean(cells: list[StoredCell]) -> float:
    return float(np.mean([stored.cell.score for stored in cells]))


def _replicates(session: Session, cells: list[StoredCell]) -> FloatArray:
    return replicates([stored.items for stored in cells], over_draws(session.track.statistic), session.fingerprint)


def _curve(cells: list[StoredCell]) -> tuple[tuple[float, float], ...] | None:
    """The mean curve over seeds, thinned to what a plot can show."""
    curves = [stored.curve for stored in cells if stored.curve is not None]
    if not curves or len(curves) < len(cells):
        return None
    mean = mean_curve(curves)
    shown = mean[np.unique(np.linspace(0, len(mean) - 1, min(len(mean), _CURVE_POINTS)).round().astype(int))]
    return tuple((float(x), float(y)) for x, y in shown)


def _plots(
    session: Session, entrant: Entrant, cells: list[StoredCell], references: References | None
) -> dict[str, str]:
    """SVG texts by file name: the track's curve beside those of the references, where the track has one."""
    rows = {entrant.name: cells}
    if references is not None:
        rows |= {"random": references.floor, "skyline": references.skyline}
    curves = {name: [stored.curve for stored in row if stored.curve is not None] for name, row in rows.items()}
    if not any(len(curve) > 1 for curve in curves[entrant.name]):
        return {}  # a single point is no curve
    return {"curve.svg": score_curve_svg(curves, session.track.curve_axes, f"{session.challenge.name}: {entrant.name}")}
