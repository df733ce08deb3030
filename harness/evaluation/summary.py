"""From the cells of a run to its record: told to disk, ledger and MLflow, in this order."""

from __future__ import annotations

from datetime import UTC, datetime

from harness.errors import HarnessError, Status
from harness.evaluation.entrants import Entrant
from harness.evaluation.plots import score_curve_svg
from harness.evaluation.session import Session
from harness.evaluation.tally import References, tally
from harness.tracking import delivery, ledger, provenance
from harness.tracking.record import Record
from harness.tracking.runs import StoredCell


def record(
    session: Session,
    entrant: Entrant,
    cells: list[StoredCell],
    references: References | None,
    tracking_uri: str | None,
    *,
    stopped: bool = False,
) -> Record:
    """Summarise the cells, write the record, tell the ledger and MLflow.

    After Ctrl-C (``stopped``) nobody waits for MLflow: the next run, board or `harness sync` delivers.
    """
    runs = session.runs
    if not runs.being_written(session.run_id(entrant)):
        raise HarnessError(
            f"{runs.run_dir(session.run_id(entrant))} was removed while the run was going on, so it is not recorded.",
            "Run it again; cells that ended after the removal are used.",
        )
    summary = summarise(session, entrant, cells, references)
    plots = _plots(session, entrant, cells, references) if summary.status is Status.OK else {}
    delivery.mark(runs.run_dir(summary.run_id))  # first: a kill from here on leaves something to be done
    runs.save_record(summary, plots)
    ledger.append(runs.path, "run", summary.run_id)
    if not stopped:
        delivery.deliver(runs.run_dir(summary.run_id), tracking_uri)
    return summary


def summarise(session: Session, entrant: Entrant, cells: list[StoredCell], references: References | None) -> Record:
    """The record of a run; ``references`` is None for the references themselves, and for runs that were stopped."""
    challenge, track = session.challenge, session.track
    counted = tally(track, session.fingerprint, cells, references, entrant.name)
    commit = provenance.commit()
    return Record(
        **vars(counted),
        run_id=session.run_id(entrant),
        challenge=challenge.name,
        fingerprint=session.fingerprint,
        commitment=challenge.commitment(session.data_digest),
        track=track.track,
        submission=entrant.name,
        submission_digest=entrant.digest,
        metric=track.metric,
        direction=track.direction,
        cells=tuple(stored.cell for stored in cells),
        isolation=session.tier_of(entrant),
        device=session.device,
        versions=provenance.versions(),
        source=provenance.source(),
        statistics=provenance.statistics(),
        commit=commit[0] if commit else None,
        dirty=commit[1] if commit else None,
        data_digests={track.dataset.name: session.data_digest},
        dataset=spec.facts() if (spec := challenge.specification) else {},
        n_classes=track.dataset.n_classes,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        challenge_version=challenge.version,
        minimum_isolation=challenge.minimum_isolation,
        cells_alone=session.alone,
        modified=challenge.modified,
        unpinned=not challenge.dataset.pinned,
        reference=entrant.is_reference,
        task=track.task.kind,
        authors=entrant.authors,
        description=entrant.description,
        license=entrant.license,
        params=dict(entrant.params),
        team=entrant.team,
        settings=challenge.published(),
        packages=None if entrant.packages is None else entrant.packages.packages,
    )


def _plots(
    session: Session, entrant: Entrant, cells: list[StoredCell], references: References | None
) -> dict[str, str]:
    """SVG texts by file name: the track's curve beside those of the references, where the track has one."""
    rows = {entrant.name: [stored for stored in cells if stored.cell.status is Status.OK]}
    if references is not None:
        rows |= {"random": references.floor, "skyline": references.skyline}
    curves = {name: [stored.curve for stored in row if stored.curve is not None] for name, row in rows.items()}
    if not any(len(curve) > 1 for curve in curves[entrant.name]):
        return {}  # a single point is no curve
    return {"curve.svg": score_curve_svg(curves, session.track.curve_axes, f"{session.challenge.name}: {entrant.name}")}
