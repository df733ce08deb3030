"""What people decide about runs: withdraw, disqualify, reinstate, select, replace. Each is a line of the ledger."""

from __future__ import annotations

from harness.errors import ProtocolError
from harness.tracking.entries import marks
from harness.tracking.ledger import Ledger
from harness.tracking.record import Record
from harness.tracking.runs import RunsDir
from harness.tracking.signature import Key

_ENDS = ("withdraw", "disqualify")


def decide(runs_dir: str, kind: str, run_id: str, *, who: str, why: str, key: Key | None) -> Record:
    """Write the line of kind ``withdraw``, ``disqualify``, ``reinstate`` or ``select``; returns the run's record.

    Raises ProtocolError: no such run, a row of the harness's own, an empty name or reason, or nothing that would change.
    """
    if not who.strip() or not why.strip():
        raise ProtocolError(f"To {kind} a run says who decides and why: neither --who nor --why may be empty.")
    runs = RunsDir(runs_dir)
    if run_id not in runs.run_ids():
        raise ProtocolError(f"There is no run {run_id!r:.200} in {runs.path}.", "--runs-dir names another directory.")
    record = runs.load_record(run_id)
    if record.reference:
        raise ProtocolError(f"{run_id} is a row of the harness's own: nobody can {kind} it.")
    ledger = Ledger(runs.path)
    entries = ledger.read()
    standing = {mark: marks(entries, mark).get(run_id) for mark in _ENDS}
    if kind in _ENDS and (earlier := standing[kind]):
        raise ProtocolError(f"{earlier.who} did {kind} {run_id} on {earlier.time[:10]} already: {earlier.note}")
    if kind == "reinstate" and not any(standing.values()):
        raise ProtocolError(f"{run_id} was neither withdrawn nor disqualified: there is nothing to reinstate.")
    ledger.append(kind, run_id, who=who, note=why, key=key)
    return record


def replaceable(runs: RunsDir, challenge: str, fingerprint: str, run_id: str) -> Record:
    """The record whose place a new run is to take.

    Raises ProtocolError: no such run, of another challenge, a team's, or of the harness's own.
    """
    if run_id not in runs.run_ids():
        raise ProtocolError(f"--replaces {run_id!r:.200}: there is no such run in {runs.path}.")
    record = runs.load_record(run_id)
    if (record.challenge, record.fingerprint) != (challenge, fingerprint):
        raise ProtocolError(f"--replaces {run_id}: that is a run of another board, {record.challenge}.")
    if record.reference or record.team:
        whose = f"team {record.team}'s" if record.team else "the harness's own"
        raise ProtocolError(
            f"--replaces {run_id}: that row is {whose}.",
            "A team's later entry takes the place of its earlier ones itself.",
        )
    return record
