"""From a challenge and a submission to a record: the way the data go, on one page.

For every seed: the track draws a view and its key; the sandbox runs the submission on the view; the track reads what
came back, or refuses it; the fixed model is trained and scored against the key. Cells run side by side, are kept as
soon as they finish and are used again by the next run. No step reaches back: the scorer never imports a submission,
the sandbox never sees a key.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.errors import HarnessError, ProtocolError, Status, SubmissionError
from harness.evaluation.cell import evaluate_cell, reference_cell
from harness.evaluation.entrants import Entrant
from harness.evaluation.launchers.local import failed
from harness.evaluation.session import OnCell, Session
from harness.evaluation.summary import record
from harness.evaluation.tally import References
from harness.packages.provide import provide
from harness.protocol import folder as folders
from harness.protocol import submission as submissions
from harness.protocol.challenge import Challenge
from harness.protocol.compose import load_challenge
from harness.protocol.submission import Submission
from harness.tracking.record import Record
from harness.tracking.runs import StoredCell
from harness.tracks.base import Reference

_WAIT = 3600.0  # seconds: what another harness is computing in the same runs directory is waited for


def evaluate(
    challenge: Challenge | str,
    submission: str | Path,
    *,
    runs_dir: Path | str = "runs",
    device: str = "auto",
    tier: str = "auto",
    workers: int | None = None,
    tracking_uri: str | None = None,
    force: bool = False,
    on_cell: OnCell | None = None,
) -> Record:
    """Run a submission on all seeds of a challenge and record it; what ``harness run`` calls.

    Parameters
    ----------
    challenge: from :func:`harness.load_challenge`, or the name of a shipped one.
    submission: name of a baseline or path of a folder; ``"default"`` is the challenge's own baseline.
    runs_dir: where cells, records and (unless ``tracking_uri`` is given) the MLflow store are.
    device: ``auto``, ``cpu`` or ``cuda``: where the harness trains the fixed model.
    tier: isolation, ``auto`` or the name of a tier.
    workers: cells side by side; None: one per core.
    force: run finished cells again.

    Raises
    ------
    ProtocolError: no such submission, data, device or tier, or a submission for another track.
    HarnessError: the disk refuses, or another harness holds the run for too long.
    """
    if isinstance(challenge, str):
        challenge = load_challenge(challenge)
    if not isinstance(challenge, Challenge):
        raise ProtocolError(
            f"A challenge is needed, got {type(challenge).__name__}.",
            "Pass its name, or what harness.load_challenge(name, overrides, config_dir) returns.",
        )
    session = Session.open(challenge, runs_dir=runs_dir, device=device, tier=tier)
    return run_submission(session, submission, workers=workers, tracking_uri=tracking_uri, force=force, on_cell=on_cell)


def run_submission(
    session: Session,
    name: str | Path,
    *,
    workers: int | None = None,
    tracking_uri: str | None = None,
    force: bool = False,
    on_cell: OnCell | None = None,
) -> Record:
    """One submission on an open session; parameters as for :func:`evaluate`."""
    return run_folder(
        session,
        find_entry(session.challenge, name),
        workers=workers,
        tracking_uri=tracking_uri,
        force=force,
        on_cell=on_cell,
    )


def run_folder(
    session: Session,
    folder: Path,
    *,
    workers: int | None = None,
    tracking_uri: str | None = None,
    force: bool = False,
    on_cell: OnCell | None = None,
) -> Record:
    """The submission in a folder, which may have gone since it was found: that is its row, too."""
    folders.keep_apart(folder, session.runs.path)
    try:
        entry = load_entry(session.challenge, folder)
    except SubmissionError as error:
        entrant = Entrant.broken(folder)
        reason = str(error).replace(f"{folder}/", "").replace(str(folder), folder.name)  # no paths of this machine
        return _refused(session, entrant, error.status, reason, tracking_uri)
    try:
        provided = provide(entry.requires, session.challenge.packages)
    except SubmissionError as error:
        return _refused(session, Entrant.of(entry), error.status, str(error), tracking_uri)
    except HarnessError as error:  # no network, say: not the submission's fault, and tried again by the next run
        return _refused(session, Entrant.of(entry), Status.HARNESS_ERROR, str(error), tracking_uri)
    entrant = Entrant.of(entry, provided.lock if provided else None)
    entry = session.runs.keep_submission(entry)  # cells run from this copy: the folder may change meanwhile
    entry = replace(entry, packages=provided.folder if provided else None)

    def run_cell(seed: int) -> StoredCell:
        return evaluate_cell(session, entry, seed)

    with session.runs.lock(session.run_id(entrant), wait_seconds=_WAIT):
        if not force and (finished := session.finished(entrant)):
            return finished
        cells = session.cells(entrant, run_cell, workers=workers, force=force, on_cell=on_cell)
        stopped = any(stored.cell.status is Status.CANCELLED for stored in cells)
        references = None if stopped else run_references(session, tracking_uri, on_cell)
        return record(session, entrant, cells, references, tracking_uri)


def _refused(session: Session, entrant: Entrant, status: Status, reason: str, tracking_uri: str | None) -> Record:
    """The row of a submission of which no cell could be run."""
    cells = [failed(seed, status, reason) for seed in range(session.challenge.seeds)]
    with session.runs.lock(session.run_id(entrant), wait_seconds=_WAIT):
        return record(session, entrant, cells, None, tracking_uri)


def find_entry(challenge: Challenge, name: str | Path) -> Path:
    """The folder meant by a name or path for this challenge. Raises ProtocolError where there is none."""
    return submissions.find(challenge.baseline if name == "default" else str(name), challenge.track_type.task.kind)


def load_entry(challenge: Challenge, folder: Path) -> Submission:
    """The submission in a folder. Raises SubmissionError if it is broken, ProtocolError if it does not fit the challenge."""
    kind = challenge.track_type.task
    entry = submissions.load(folder, kind=kind)
    if entry.track != kind.kind:
        raise ProtocolError(
            f"{folders.shown(folder)} is a submission for {entry.track}, but {challenge.name} is a {kind.kind} challenge.",
            "`harness list challenges` shows the challenges of each track.",
        )
    if unmet := sorted(challenge.track.left_out().intersection(entry.needs)):
        raise ProtocolError(
            f"{entry.name} needs {' and '.join(f'task.{field}' for field in unmet)}, which {challenge.name} leaves out.",
            "submission=all runs the baselines that fit.",
        )
    return entry


def run_references(session: Session, tracking_uri: str | None = None, on_cell: OnCell | None = None) -> References:
    """The harness's own rows, floor and skyline: scored like submissions, computed once per fingerprint."""
    if session.references:
        return session.references[0]

    def cells_of(which: Reference) -> list[StoredCell]:
        entrant = Entrant.reference(which)

        def run_cell(seed: int) -> StoredCell:
            return reference_cell(session, which, seed)

        with session.runs.lock(session.run_id(entrant), wait_seconds=_WAIT):
            if recorded := session.finished(entrant):  # whose seeds without anything to measure are not tried again
                return session.kept(recorded)
            cells = session.cells(entrant, run_cell, workers=1, on_cell=on_cell)
            record(session, entrant, cells, None, tracking_uri)
        return cells

    references = References.of(cells_of("random"), cells_of("skyline"))
    if references.whole or not references.skyline:  # the second: no seed can be measured
        session.references.append(references)
    return references
