"""Running a published row again from its record: ``reproduced``, ``differs`` by how much, or ``cannot run`` and why.

Before anything runs, the record has to agree with its own cells: a record that says .95 of cells that say .205 differs,
whatever running again would give.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from harness.errors import BenchmarkError, ProtocolError, Status, SubmissionError
from harness.evaluation.launchers.base import compute
from harness.evaluation.launchers.local import Local
from harness.evaluation.session import Session
from harness.evaluation.work import Work
from harness.packages.lock import Lock
from harness.packages.overlay import overlay
from harness.protocol import submission
from harness.protocol.challenge import NOWHERE, Challenge
from harness.protocol.compose import homes_of, load_challenge
from harness.protocol.submission import Submission
from harness.tracking import ledger, provenance
from harness.tracking.record import CellRecord, Record, record_sha256
from harness.tracking.runs import RunsDir, StoredCell
from harness.tracking.signature import load_key
from harness.tracks.base import Reference
from harness.verification.judge import OTHER_VERSION, Judge
from harness.verification.run import OLD, UNFINISHED, check

_MISSING = re.compile(r"ModuleNotFoundError: No module named '([\w.]{1,100})'")
SAME_DEVICE_TOLERANCE = 1e-9  # the scorer is bit-identical on CPU for the same versions; this is only rounding in JSON
OTHER_DEVICE_TOLERANCE = 5e-3  # a test row or two may fall on the other side when the device or a version changes


REPRODUCED: tuple[str, ...] = ("reproduced", "score reproduced")
"""The verdicts that confirm a row; in the second some outputs differ, and no score does."""


@dataclass(frozen=True)
class Verdict:
    """What came of running a row again."""

    run_id: str
    verdict: Literal["reproduced", "score reproduced", "differs", "cannot run"]
    detail: str
    recorded_score: float | None
    score: float | None
    largest_difference: float | None  # of any seed's score
    identical_outputs: (
        int | None
    )  # seeds whose output is the same to the last bit; None where outputs are not published
    seeds: int  # those on which something could be measured
    changed: dict[str, tuple[str | None, str | None]]  # versions and machine: in the record, and here

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def reproduce(
    run_id: str,
    runs_dir: Path | str,
    *,
    config_dir: Path | str | None = None,
    device: str = "auto",
    workers: int | None = None,
) -> Verdict:
    """Run one recorded row again and write the verdict into the ledger, beside the row.

    A record shows neither a challenge's kept secret nor own data and modules; ``config_dir`` then names the directory
    with the challenge in it. The verdict is of the record as it was at the beginning, and signed if there is a key.
    Raises HarnessError where there is no such record, ProtocolError for a key that cannot be used.
    """
    key = load_key()
    runs = RunsDir(runs_dir)
    digest = record_sha256(runs.run_dir(run_id))
    record = runs.load_record(run_id)
    wrong, unchecked = _edited(record, runs, config_dir)
    try:
        if wrong:
            verdict = _differs(record, wrong)
        elif unchecked:
            verdict = _cannot(record, unchecked)
        else:
            verdict = _run_again(record, runs, config_dir, device, workers)
    except BenchmarkError as error:
        verdict = _cannot(record, str(error))
    try:
        note = f"{verdict.verdict}: {verdict.detail}"
        ledger.append(runs.path, "reproduce", run_id, record_sha256=digest, note=note, key=key)
    except BenchmarkError as error:  # somebody else's runs, which may be read only or signed with their key
        warnings.warn(f"The verdict is not in the ledger: {error.reason}", stacklevel=2)
    return verdict


def _edited(record: Record, runs: RunsDir, config_dir: Path | str | None) -> tuple[list[str], str]:
    """What of a record is not as its ledger line, its cells and its archive have it, and why that cannot be told."""
    checked = check(record, Judge(runs, Path(config_dir) if config_dir else None))
    found = [what for what in checked.problems if what != OTHER_VERSION]  # of which running again will tell
    recorded = ledger.Ledger(runs.path).recorded(record.run_id)
    if recorded != record_sha256(runs.run_dir(record.run_id)):
        found.append("the record is not the one in the ledger" if recorded else "the ledger has no line for it")
    return found, next((note for note in checked.notes if note in (UNFINISHED, OLD)), "")


def _run_again(
    record: Record, runs: RunsDir, config_dir: Path | str | None, device: str, workers: int | None
) -> Verdict:
    session = _session(record, runs, config_dir, device)
    if record.status is Status.INVALID_SUBMISSION or record.submission_digest is None:
        return _cannot(record, "the submission was refused before it ran; nothing of it was kept")
    whose = _reference(record) if record.reference else _submission(record, session)
    seeds = [cell.seed for cell in record.cells]
    works = [Work(session, whose, seed) for seed in seeds]
    ended = {work.seed: stored for work, stored in compute(works, Local([session], workers))}
    if any(stored.cell.status is Status.CANCELLED for stored in ended.values()):
        raise KeyboardInterrupt  # a verdict from half of the cells would be none
    for then in record.cells:
        cell = ended[then.seed].cell
        if then.status is Status.OK and cell.status is not Status.OK and (missing := missing_package(ended[then.seed])):
            return _cannot(record, f"ModuleNotFoundError {missing}, which is not installed here")
        if cell.status is Status.HARNESS_ERROR:
            return _cannot(record, f"seed {cell.seed}: {cell.reason}")
    return _compare(record, [ended[seed].cell for seed in seeds], tolerance(record.device, session.device))


def missing_package(stored: StoredCell) -> str:
    """The module that a cell looked for in vain, as its log has it; empty for none."""
    found = _MISSING.search(f"{stored.cell.reason}\n{stored.log}")
    return found[1] if found else ""


def tolerance(then: str, now: str) -> float:
    """How far a seed's score may move between two devices and still be the same."""
    return SAME_DEVICE_TOLERANCE if then == now == "cpu" else OTHER_DEVICE_TOLERANCE


def _session(record: Record, runs: RunsDir, config_dir: Path | str | None, device: str) -> Session:
    """The record's challenge made ready. Raises ProtocolError where data, scorer or model are no longer those."""
    settings = dict(record.settings)
    if settings.get("secret") is None:
        settings["secret"] = load_challenge(record.challenge, config_dir=config_dir).secret
    homes = homes_of(record.challenge, config_dir) if config_dir else NOWHERE
    challenge = Challenge.from_plain(settings, homes, modified=record.modified)
    tier = "auto" if record.reference or record.isolation == "none" else record.isolation
    session = Session.open(challenge, runs_dir=runs.path, device=device, tier=tier)
    if session.fingerprint != record.fingerprint:
        raise ProtocolError(
            f"data, scorer or fixed model are not those of the record: fingerprint {session.fingerprint[:12]} here, "
            f"{record.fingerprint[:12]} there"
        )
    return session


def _reference(record: Record) -> Reference:
    return "random" if record.submission.endswith("random") else "skyline"


def _submission(record: Record, session: Session) -> Submission:
    """The kept submission. Raises ProtocolError where it is not what the record says of it."""
    folder = session.runs.submission_dir(str(record.submission_digest))
    if not folder.is_dir():
        raise ProtocolError(f"the submission's folder is not kept at {folder}")
    try:
        entry = submission.load(folder, everything=True, kind=session.challenge.track_type.task)
    except SubmissionError as error:
        raise ProtocolError(f"the kept submission has been changed: {error.reason}") from error
    if entry.digest != record.submission_digest:
        raise ProtocolError(f"the kept submission {folder} has been changed")
    if entry.requires and record.packages is None:
        raise ProtocolError("the record does not say which packages it ran with")
    lock = Lock.of(record.packages or ())
    return replace(entry, lock=lock, packages=overlay(lock))


def _compare(record: Record, again: list[CellRecord], allowed: float) -> Verdict:
    pairs = list(zip(record.cells, again, strict=True))
    measured = [pair for pair in pairs if any(cell.status is not Status.SKIPPED for cell in pair)]
    outputs = [(a.output_digest, b.output_digest) for a, b in pairs if a.output_digest or b.output_digest]
    other_status = [f"seed {a.seed}: {a.status} then, {b.status} now" for a, b in pairs if a.status is not b.status]
    differences = [abs(a.score - b.score) for a, b in pairs if a.score is not None and b.score is not None]
    largest = max(differences, default=None)
    scores = [cell.score for cell in again if cell.score is not None]
    identical = sum(a == b for a, b in outputs)
    verdict: Literal["reproduced", "score reproduced", "differs"] = "differs"
    changed = _changed(record)
    if other_status:
        detail = "; ".join(other_status)
    elif largest is not None and largest > allowed:
        detail = f"a seed's score moved by {largest:.3g}, more than {allowed:g}"
    else:
        verdict = "reproduced" if identical == len(outputs) else "score reproduced"
        detail = _found_again(identical, len(outputs), largest)
    if changed:
        detail += f"; here {', '.join(f'{name} {now} (was {was})' for name, (was, now) in changed.items())}"
    return Verdict(
        run_id=record.run_id,
        verdict=verdict,
        detail=detail,
        recorded_score=record.score,
        score=sum(scores) / len(scores) if scores and len(scores) == len(measured) else None,
        largest_difference=largest,
        identical_outputs=identical,
        seeds=len(measured),
        changed=changed,
    )


def _changed(record: Record) -> dict[str, tuple[str | None, str | None]]:
    """Versions and machine that are not those of the record; the source of the scorers as one of them."""
    then = record.versions | {"source": (record.source or "unknown")[:12]}
    now = provenance.versions() | {"source": provenance.source()[:12]}
    return {name: (then.get(name), now.get(name)) for name in {**now, **then} if then.get(name) != now.get(name)}


def _found_again(identical: int, outputs: int, largest: float | None) -> str:
    if largest is None:
        return "no seed has a score, then as now"
    of_outputs = (
        f"{identical} of {outputs} outputs identical, " if outputs else ""
    )  # the harness's references have none
    return f"{of_outputs}largest difference of a seed's score {largest:.3g}"


def _cannot(record: Record, why: str) -> Verdict:
    return Verdict(
        record.run_id, "cannot run", why, record.score, None, None, 0, len(record.measured), _changed(record)
    )


def _differs(record: Record, wrong: list[str]) -> Verdict:
    """The verdict on a record that is not what was run."""
    detail = f"the record is not what was run: {'; '.join(wrong[:5])}"
    return Verdict(record.run_id, "differs", detail, record.score, None, None, 0, len(record.measured), {})
