"""What teams handed in, and what people said of their runs: read from the ledger."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from harness.protocol.rules import moment, written
from harness.tracking.chain import Entry
from harness.tracking.ledger import Ledger
from harness.tracking.signature import Key

_DECODER = json.JSONDecoder()
_MARKS = {"withdraw": "reinstate", "disqualify": "reinstate"}


@dataclass(frozen=True)
class Handed:
    """One entry of a team."""

    challenge: str
    team: str
    name: str  # of the submission, or of what was handed in where it is none
    digest: str  # SHA-256 of its files
    received: str  # UTC, ISO 8601, to the second

    @property
    def time(self) -> datetime:
        return moment(self.received)


def hand_in(
    ledger: Ledger, challenge: str, team: str, name: str, digest: str, received: datetime, key: Key | None
) -> Handed:
    """Write the ledger's line of an entry, unless this team handed in the same files before; returns the first of both."""
    same = [one for one in handed(ledger.read(), challenge) if (one.team, one.digest) == (team, digest)]
    if same:
        return same[0]
    one = Handed(challenge, team, name, digest, written(received))
    ledger.append("entry", note=json.dumps(asdict(one)), key=key)
    return one


def handed(entries: Iterable[Entry], challenge: str) -> list[Handed]:
    """The entries of a challenge in the order of the ledger; of the same files of a team the first."""
    found: dict[tuple[str, str], Handed] = {}
    for entry in entries:
        if entry.kind == "entry":
            try:
                one = Handed(**_DECODER.raw_decode(entry.note)[0])  # behind it may stand what a wrong clock showed
                moment(one.received)
            except (ValueError, TypeError):  # a line of a newer version
                continue
            if one.challenge == challenge:
                found.setdefault((one.team, one.digest), one)
    return list(found.values())


def marks(entries: Iterable[Entry], kind: str) -> dict[str, Entry]:
    """The last line of a kind by run id, where none has ended it since: what people said of a run outlives its record."""
    found: dict[str, Entry] = {}
    for entry in entries:
        if entry.kind == kind:
            found[entry.run_id] = entry
        elif entry.kind == _MARKS.get(kind):
            found.pop(entry.run_id, None)
    return found


def replaced(entries: Iterable[Entry]) -> Mapping[str, str]:
    """Run id -> the run whose place it took, as the owner of the directory said."""
    return {entry.run_id: entry.note.split()[0] for entry in entries if entry.kind == "replace" and entry.note.strip()}
