"""How much of a run its team is told: what the phase allows, and nothing that a view could be read from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.errors import Status
from harness.evaluation.phases import PhaseScores
from harness.evaluation.session import Session
from harness.leaderboard.phase import ladder, now
from harness.leaderboard.standing import Standings
from harness.protocol.rules import written
from harness.sandbox.log import last_lines
from harness.sandbox.quiet import frames
from harness.tracking.chain import Entry
from harness.tracking.record import Record
from harness.verification.judge import Judge

_OURS = (Status.OK, Status.SKIPPED, Status.CANCELLED, Status.HARNESS_ERROR, Status.SUSPICIOUS)


@dataclass(frozen=True)
class Told:
    """Names as in a report."""

    score: float | None = None
    ci95: tuple[float, float] | None = None
    phase: str | None = None
    said: str = ""
    late: bool = False
    traceback: tuple[str, ...] = ()
    log: str = ""


def told(session: Session, record: Record, entries: Sequence[Entry], records: Sequence[Record]) -> Told:
    """What a team is told of a run; ``records``: those of the board, for the Ladder."""
    challenge = session.challenge
    rules = Standings(challenge, entries, None)
    late = rules.late(record) is not None
    if record.status is Status.SUSPICIOUS:
        return Told(said="Its score is held until a person has looked at it.", late=late)
    if record.status is not Status.OK:
        return Told(late=late, traceback=_traceback(session, record), log=_log(session, record))
    phases = challenge.phases
    log = _log(session, record)
    if phases is None:
        return Told(record.score, record.ci95, late=late, log=log)
    if phases.public.opens and now(entries) < phases.public.opens:
        return Told(said=f"Scores are shown from {written(phases.public.opens)} on.", late=late, log=log)
    mine = in_public(session, record)
    if step := phases.public.ladder:
        others = [one for one in records if one.team == record.team and one.status is Status.OK and one != record]
        earlier = sorted((one for one in others if rules.obstacle(one) is None), key=rules.received)
        before = [in_public(session, one) for one in earlier if rules.received(one) <= rules.received(record)]
        shown = ladder([*before, mine], step, record.direction)
        said = f"The team's public score, which moves in steps of {step:g} (the Ladder)."
        return Told(shown.score, None, "public", said, late, log=log)
    part = f" It is that of {phases.public.share:.0%} of the hidden items; the others decide." if phases.final else ""
    return Told(mine.score, mine.ci95, "public", f"The score of the public phase.{part}", late, log=log)


def in_public(session: Session, record: Record) -> Record:
    """A record with its scores in the public phase."""
    runs, challenge = session.runs, session.challenge
    cells = [runs.read_cell(record.run_id, cell.seed) for cell in record.cells]
    return PhaseScores(challenge, session.track, "public").record(record, cells, Judge(runs).references(record))


def _traceback(session: Session, record: Record) -> tuple[str, ...]:
    """Files and lines of the submission in the first failed cell's last traceback."""
    log = _of_failed(session, record)
    folder = session.runs.submission_dir(record.submission_digest) if log and record.submission_digest else None
    return tuple(frames(log, folder)) if folder else ()


def _log(session: Session, record: Record) -> str:
    """The last lines that it printed, where the challenge shows them: those of a failed cell, else of the first."""
    if session.challenge.logs != "shown":
        return ""
    return last_lines(_of_failed(session, record) or _read(session, record, 0))


def _of_failed(session: Session, record: Record) -> str:
    failed = [cell.seed for cell in record.cells if cell.status not in _OURS]
    return _read(session, record, failed[0]) if failed else ""


def _read(session: Session, record: Record, seed: int) -> str:
    path = session.runs.cell_dir(record.run_id, seed) / "log.txt"
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
