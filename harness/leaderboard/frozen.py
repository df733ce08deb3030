"""A board keeps to what was frozen: neither a challenge's rules nor its lock change without a word."""

from __future__ import annotations

from collections.abc import Sequence

from harness.errors import ProtocolError
from harness.evaluation.frozen import refuse_drift
from harness.protocol.challenge import Challenge
from harness.tracking.chain import Entry
from harness.verification.directory import BoardRefused


def refuse_loosened(challenge: Challenge, data_digest: str, entries: Sequence[Entry]) -> None:
    """Raise BoardRefused where a challenge is not what was frozen, or its lock not the one that the ledger names.

    Without the second, whoever removes the lock could move a deadline behind the ledger's back.
    """
    try:
        refuse_drift(challenge, data_digest)
    except ProtocolError as error:
        raise BoardRefused(error.reason, error.hint) from error
    named = f"{challenge.name} version {challenge.version} "
    told = [entry for entry in entries if entry.kind in ("freeze", "reveal") and entry.note.startswith(named)]
    if not told or told[-1].kind == "reveal":  # which publishes the lock, and takes it away
        return
    lock = challenge.lock
    if lock is None or lock.sha256 not in told[-1].note:
        what = "its lock is gone" if lock is None else "its lock is another one"
        raise BoardRefused(
            f"{challenge.name} was frozen in line {told[-1].seq} of the ledger, and {what}: its rules may have changed since.",
            f"Restore {challenge.name}.lock, or say `harness challenge freeze {challenge.name}` again with this --runs-dir.",
        )
