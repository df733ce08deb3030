"""After a correction: the entries that counted on the board of the version before, to be run again under the new one."""

from __future__ import annotations

from harness.errors import ProtocolError, Status
from harness.evaluation.session import Session
from harness.evaluation.sweep import Wanted
from harness.leaderboard.standing import Standings
from harness.protocol.roster import read as read_roster
from harness.tracking.ledger import Ledger
from harness.tracking.record import Record


def counted_before(session: Session) -> list[Wanted]:
    """The runs to be made: of the newest other fingerprint of this challenge, every owner's counted run, from its archive.

    Entries that failed, were withdrawn, late or disqualified are none.

    Raises ProtocolError where there is no earlier version with runs.
    """
    challenge, runs = session.challenge, session.runs
    found = [runs.load_record(run_id) for run_id in runs.run_ids() if run_id.startswith(f"{challenge.name}-")]
    official = [r for r in found if r.challenge == challenge.name and not r.modified and r.isolation != "none"]
    before = [r for r in official if r.fingerprint != session.fingerprint and not r.reference]
    if not before:
        raise ProtocolError(
            f"{runs.path} has no runs of another version of {challenge.name}, so there is nothing to run again.",
            "`harness run` runs a submission for the first time.",
        )
    newest = max(before, key=lambda record: (record.challenge_version, record.created)).fingerprint
    roster = read_roster(challenge.teams) if challenge.teams else None
    rules = Standings(challenge, Ledger(runs.path).read(), roster)

    def obstacle(record: Record) -> str | None:
        return rules.obstacle(record) or (None if record.status is Status.OK else record.status.value)

    stands = rules.of([record for record in before if record.fingerprint == newest], obstacle)
    return [
        Wanted(session, runs.submission_dir(record.submission_digest or ""), record.team)
        for record in sorted(stands.ranked, key=lambda record: (record.team, record.submission))
    ]
