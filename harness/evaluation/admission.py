"""Which submission is meant, and whether it may run: read, never imported."""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass, replace
from pathlib import Path

from harness.errors import HarnessError, ProtocolError, Status, SubmissionError
from harness.evaluation.entrants import Entrant
from harness.evaluation.session import Session
from harness.packages.provide import provide
from harness.protocol import folder as folders
from harness.protocol import names
from harness.protocol import submission as submissions
from harness.protocol.challenge import Challenge
from harness.protocol.manifest import MANIFEST, missing
from harness.protocol.params import NONE, Params
from harness.protocol.submission import Submission


@dataclass(frozen=True)
class Refusal:
    """Why no cell of a submission can be run: what its row says."""

    status: Status
    reason: str


def find_entry(challenge: Challenge, name: str | Path) -> Path:
    """The folder meant by a name or path for this challenge.

    Raises ProtocolError where there is none, or none with a manifest: that is a slip of whoever calls, and no entry.
    """
    folder = submissions.find(challenge.baseline if name == "default" else str(name), challenge.track_type.task.kind)
    if not os.path.lexists(folder / MANIFEST):
        beside = [path.name for path in itertools.islice(folder.glob("*"), folders.MAX_FILES)]
        error = missing(folders.shown(folder), beside)
        raise ProtocolError(error.reason, error.hint)
    return folder


def load_entry(challenge: Challenge, folder: Path, params: Params = NONE) -> Submission:
    """The submission in a folder, some of its parameters at other values.

    Raises SubmissionError if it is broken, ProtocolError if it does not fit the challenge.
    """
    kind = challenge.track_type.task
    entry = submissions.load(folder, kind=kind)
    if entry.track != kind.kind:
        raise ProtocolError(
            f"{folders.shown(folder)} is a submission for {entry.track}, but {challenge.name} is a {kind.kind} challenge.",
            "`harness list challenges` shows the challenges of each track.",
        )
    _refuse_impostor(entry)
    if unmet := sorted(challenge.left_out().intersection(entry.needs)):
        raise ProtocolError(
            f"{entry.name} needs {' and '.join(f'task.{field}' for field in unmet)}, which {challenge.name} leaves out.",
            "submission=all runs the baselines that fit.",
        )
    return entry.with_params(params)


def _refuse_impostor(entry: Submission) -> None:
    """Raise SubmissionError where a submission could be taken for a row of the harness's own."""
    for what, word in (("name", entry.name), *(("author", author) for author in entry.authors)):
        if names.reserved(word, entry.track) and not submissions.is_shipped(entry.digest, entry.name, entry.params):
            raise folders.invalid(
                f"{what} {word!r:.80} is, or could be read as, that of the harness's own rows, and these are other files.",
                f"Write another {what} into {MANIFEST}.",
            )


def admit(
    session: Session, folder: Path, team: str = "", params: Params = NONE
) -> tuple[Entrant, Submission | Refusal]:
    """Whose row a folder is (it may have gone since it was found), and the kept copy that its cells run from.

    Raises ProtocolError if it does not fit the challenge, HarnessError where the disk refuses.
    """
    folders.keep_apart(folder, session.runs.path)
    try:
        entry = load_entry(session.challenge, folder, params)
    except SubmissionError as error:
        reason = str(error).replace(f"{folder}/", "").replace(str(folder), folder.name)  # no paths of this machine
        return Entrant.broken(folder, team), Refusal(error.status, reason)
    try:
        provided = provide(entry.requires, session.challenge.packages)
    except SubmissionError as error:
        return Entrant.of(entry, team), Refusal(error.status, str(error))
    except HarnessError as error:  # no network, say: not the submission's fault, and tried again by the next run
        return Entrant.of(entry, team), Refusal(Status.HARNESS_ERROR, str(error))
    entry = session.runs.keep_submission(entry)  # cells run from this copy: the folder may change meanwhile
    if provided:
        entry = replace(entry, lock=provided.lock, packages=provided.folder)
    return Entrant.of(entry, team), entry
