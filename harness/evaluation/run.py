"""From challenges and submissions to records: the way the data go, on one page.

For every seed: the track draws a view and its key; the sandbox runs the submission on the view; the track reads what
came back, or refuses it; the fixed model is trained and scored against the key (:mod:`harness.evaluation.cell`). Cells
run side by side wherever the launcher has them computed, are kept here as soon as they finish and are used again by the
next run (:mod:`harness.evaluation.sweep`). No step reaches back: the scorer never imports a submission, the sandbox
never sees a key.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.errors import ProtocolError
from harness.evaluation.admission import find_entry
from harness.evaluation.launchers import launcher
from harness.evaluation.launchers.base import Pool
from harness.evaluation.session import OnCell, Session
from harness.evaluation.sweep import Sweep, Wanted
from harness.evaluation.tally import References
from harness.protocol.challenge import Challenge
from harness.protocol.compose import load_challenge
from harness.protocol.launch import LOCAL, Launch, LocalLaunch
from harness.protocol.params import NONE, Params, checked
from harness.tracking.record import Record


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
    params: Params = NONE,
) -> Record:
    """Run a submission on all seeds of a challenge and record it; what ``harness run`` calls.

    Parameters
    ----------
    challenge: from :func:`harness.load_challenge`, or the name of a shipped one.
    submission: name of a baseline or path of a folder; ``"default"`` is the challenge's own baseline.
    runs_dir: where cells, records and (unless ``tracking_uri`` is given) the MLflow store are.
    device: ``auto``, ``cpu`` or ``cuda``: where the harness trains the fixed model.
    tier: isolation, ``auto`` or the name of a tier.
    workers: processes of this machine that compute cells side by side; None: one per core.
    force: run finished cells again.
    params: keyword arguments of the submission's function, in the place of those in its manifest.

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
    return run_submission(
        session, submission, workers=workers, tracking_uri=tracking_uri, force=force, on_cell=on_cell, params=params
    )


def run_submission(
    session: Session,
    name: str | Path,
    *,
    workers: int | None = None,
    tracking_uri: str | None = None,
    force: bool = False,
    on_cell: OnCell | None = None,
    params: Params = NONE,
) -> Record:
    """One submission on an open session; parameters as for :func:`evaluate`. KeyboardInterrupt: stopped before it began."""
    wanted = Wanted(session, find_entry(session.challenge, name), params=checked(params))
    for _, record in sweep(
        [wanted], LocalLaunch(workers=workers), tracking_uri=tracking_uri, force=force, on_cell=on_cell
    ):
        return record
    raise KeyboardInterrupt


def run_references(session: Session, tracking_uri: str | None = None, on_cell: OnCell | None = None) -> References:
    """The harness's own rows, floor and skyline: scored like submissions, computed once per fingerprint."""
    if not session.references:
        wanted = [Wanted(session, "random"), Wanted(session, "skyline")]
        records = {
            record.submission: record for _, record in sweep(wanted, LOCAL, tracking_uri=tracking_uri, on_cell=on_cell)
        }
        if len(records) < len(wanted):
            raise KeyboardInterrupt
        if not session.references:  # not whole: those of the next run are tried again
            return References.of(*(session.kept(records[f"reference-{one.whose}"]) for one in wanted))
    return session.references[0]


def sweep(
    wanted: Sequence[Wanted],
    launch: Launch,
    *,
    tracking_uri: str | None = None,
    force: bool = False,
    on_cell: OnCell | None = None,
) -> Iterator[tuple[Wanted, Record]]:
    """Runs on open sessions, all their cells in one pool, each yielded as it is recorded; ``launch`` says where."""
    sessions = list({id(one.session): one.session for one in wanted}.values())
    with Pool(launcher(launch, sessions, wanted[0].session.runs.path)).opened() as pool:
        yield from Sweep(wanted, pool, tracking_uri=tracking_uri, force=force, on_cell=on_cell).records()
