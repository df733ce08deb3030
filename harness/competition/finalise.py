"""The end of a competition: its final phase is opened, once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.errors import ProtocolError, Status
from harness.leaderboard.board import build
from harness.leaderboard.phase import board_name, finalised, now
from harness.protocol.challenge import Challenge
from harness.protocol.rules import written
from harness.tracking.chain import Entry
from harness.tracking.entries import handed
from harness.tracking.ledger import Ledger
from harness.tracking.record import Record
from harness.tracking.runs import RunsDir
from harness.tracking.signature import Key

_UNSETTLED = (Status.HARNESS_ERROR, Status.CANCELLED)


def finalise(
    challenge: Challenge,
    data_digest: str,
    runs_dir: Path | str,
    *,
    who: str,
    why: str,
    key: Key | None,
    config_dir: str | None,
    uri: str | None = None,
) -> Entry:
    """Write the ledger's line that ends a competition, after its final board has been built and found sound.

    Raises
    ------
    ProtocolError: no final phase, entries are not closed yet, the final phase opens later, it is finalised already, or
        entries wait to be run.
    BoardRefused: something was edited.
    """
    if not who.strip() or not why.strip():
        raise ProtocolError("Who ends the competition, and on what ground: neither --who nor --why may be empty.")
    phases = challenge.phases
    if phases is None or phases.final is None:
        raise ProtocolError(f"{challenge.name} has no final phase.", "`phases: {public: {...}, final: {}}` makes one.")
    ledger = Ledger(runs_dir)
    entries, time = ledger.read(), now(ledger.read())
    name = board_name(challenge.name, challenge.fingerprint_under(data_digest, challenge.commitment(data_digest)))
    if finalised(entries, name):
        raise ProtocolError(f"{name} is finalised already: the final phase is opened once.")
    for what, date in (("entries close", phases.public.closes), ("the final phase opens", phases.final.opens)):
        if date and time < date:
            raise ProtocolError(
                f"{challenge.name} cannot be finalised yet: {what} {written(date)}, now it is {written(time)}."
            )
    if waiting := _waiting(challenge, entries, RunsDir(runs_dir)):
        more = f" and {len(waiting) - 5} more" if len(waiting) > 5 else ""
        raise ProtocolError(
            f"{len(waiting)} entries have not been run to an end that is their own: {', '.join(waiting[:5])}{more}.",
            "`harness intake` or `harness rerun` runs them.",
        )
    build(challenge, data_digest, runs_dir, uri, config_dir=config_dir, phase="final", hidden=True)
    return ledger.append("finalise", who=who, note=f"{name} {why}", key=key)


def _waiting(challenge: Challenge, entries: Sequence[Entry], runs: RunsDir) -> list[str]:
    """Entries that nothing came of yet, or only a fault of the harness's own."""
    records: list[Record] = [runs.load_record(i) for i in runs.run_ids() if i.startswith(f"{challenge.name}-")]
    settled = {(r.team, r.submission_digest) for r in records if r.status not in _UNSETTLED}
    return [f"{e.name} of {e.team}" for e in handed(entries, challenge.name) if (e.team, e.digest) not in settled]
