"""How many entries a team has left. Those that failed by a fault of the harness's own, or were cancelled, cost nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from harness.errors import ProtocolError, Status
from harness.protocol.challenge import Challenge
from harness.protocol.rules import Quota
from harness.tracking.chain import Entry
from harness.tracking.entries import Handed, handed
from harness.tracking.record import Record

_FREE = (Status.HARNESS_ERROR, Status.CANCELLED, Status.SKIPPED)


@dataclass(frozen=True)
class Left:
    """What a team may still hand in; None: as much as it likes."""

    today: int | None
    total: int | None

    def __str__(self) -> str:
        said = [f"{n} {when}" for n, when in ((self.today, "today (UTC)"), (self.total, "in all")) if n is not None]
        return " and ".join(said) or "no limit"


def counted(entries: Iterable[Entry], challenge: str, team: str, records: Iterable[Record]) -> list[Handed]:
    """The entries of a team that cost it one of its quota, in the order of the ledger."""
    status: Mapping[str, Status] = {r.submission_digest or "": r.status for r in records if r.team == team}
    mine = (one for one in handed(entries, challenge) if one.team == team)
    return [one for one in mine if status.get(one.digest) not in _FREE]


def left(quota: Quota | None, used: list[Handed], when: datetime) -> Left:
    """What is left of a quota at a time."""
    quota = quota or Quota()
    today = sum(one.time.date() == when.date() for one in used)
    return Left(
        None if quota.per_day is None else max(0, quota.per_day - today),
        None if quota.total is None else max(0, quota.total - len(used)),
    )


def refuse_over(challenge: Challenge, team: str, used: list[Handed], when: datetime) -> None:
    """Raise ProtocolError where a team has nothing left."""
    rest = left(challenge.quota, used, when)
    if rest.total == 0:
        raise ProtocolError(f"Team {team} has used all its {len(used)} entries of {challenge.name}.")
    if rest.today == 0:
        raise ProtocolError(
            f"Team {team} has used its {challenge.quota and challenge.quota.per_day} entries of {when.date()} (UTC) for "
            f"{challenge.name}.",
            "Hand it in again tomorrow.",
        )
