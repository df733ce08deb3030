"""A run in a team's name: may it enter, what the ledger says of it, and which run counts from then on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from harness.competition.intake import quota
from harness.competition.intake.told import in_public
from harness.errors import HarnessError, ProtocolError, Status
from harness.evaluation.session import Session
from harness.evaluation.sweep import Wanted
from harness.leaderboard.phase import now
from harness.leaderboard.standing import Standings, is_ours
from harness.protocol import roster
from harness.protocol.challenge import Challenge
from harness.tracking.entries import hand_in, handed
from harness.tracking.ledger import Ledger
from harness.tracking.record import Record
from harness.tracking.runs import exclusive
from harness.tracking.signature import Key


def check_team(challenge: Challenge, team: str) -> None:
    """Raise ProtocolError where a challenge has no roster, or the roster no such team."""
    if challenge.teams is None:
        raise ProtocolError(
            f"team={team}: {challenge.name} has no roster, so its rows belong to what was submitted.",
            "`teams: teams.yaml` in the challenge names one; --replaces RUN_ID gives an earlier run's row to a new one.",
        )
    roster.read(challenge.teams).team(team)


@dataclass(frozen=True)
class Desk:
    """Where entries to one challenge are written down."""

    session: Session

    @cached_property
    def records(self) -> tuple[Record, ...]:
        """All records of this board, read once; :meth:`saw` adds to them."""
        return tuple(self._records(""))

    def saw(self, record: Record) -> None:
        """Know of a record that has just been made."""
        vars(self)["records"] = (*(one for one in self.records if one.run_id != record.run_id), record)

    def _records(self, submission: str) -> Iterator[Record]:
        """Those of one submission's name, whosever; all for an empty one."""
        for run_id in self.session.runs.run_ids():
            if run_id.startswith(f"{self.session.challenge.name}-{submission}"):
                with suppress(HarnessError):  # verification says what is wrong with it
                    record = self.session.runs.load_record(run_id)
                    if record.fingerprint == self.session.fingerprint:
                        yield record

    def enter(self, wanted: Wanted, key: Key | None, received: datetime | None = None) -> None:
        """Write an entry into the ledger, before anything of it runs; the same files of a team are one entry.

        Raises ProtocolError where the team's quota is used up, or a ledger is signed with another key.
        """
        runs, challenge = self.session.runs.path, self.session.challenge
        entrant, _ = wanted.admitted
        with exclusive(
            runs / ".entries.lock", "the list of entries", wait_seconds=60
        ):  # else two could be the last one
            ledger = Ledger(runs)
            entries = ledger.read()
            when = received or now(entries)
            if not any(
                (one.team, one.digest) == (wanted.team, entrant.digest) for one in handed(entries, challenge.name)
            ):
                used = quota.counted(entries, challenge.name, wanted.team, self.records)
                quota.refuse_over(challenge, wanted.team, used, when)
            hand_in(ledger, challenge.name, wanted.team, entrant.name, entrant.digest, when, key)

    def announced(self, record: Record) -> list[str]:
        """What a new run means for the rows that were there: a sentence each."""
        if record.status is not Status.OK or record.modified or record.reference or is_ours(record):
            return []
        there = self.records if record.team else self._records(record.submission)
        earlier = [one for one in there if one.run_id != record.run_id and one.status is Status.OK]
        if record.team:
            return self._of_team(record, [one for one in earlier if one.team == record.team])
        same = [one for one in earlier if not one.team and not one.reference and one.submission == record.submission]
        same = [one for one in same if one.params == record.params]  # other parameters are a row of their own
        if not same:
            return []
        listed = ", ".join(one.run_id for one in same[-3:])
        return [
            f"Other files of the name {record.submission} keep a row of their own ({listed}); --replaces RUN_ID gives the "
            "place of one of them to this run."
        ]

    def _of_team(self, record: Record, earlier: Sequence[Record]) -> list[str]:
        challenge = self.session.challenge
        rules = Standings(challenge, Ledger(self.session.runs.path).read(), None)
        runs = sorted([*earlier, record], key=lambda run: (rules.received(run), run.created, run.run_id))
        runs = [run for run in runs if rules.obstacle(run) is None]
        if record not in runs:
            return [f"Team {record.team}: {rules.obstacle(record)}."]
        if challenge.counts == "best" and challenge.phases:
            if challenge.phases.public.ladder:
                return []  # which of two is better, the Ladder alone tells
            runs = [in_public(self.session, run) for run in runs]
        counts = rules.counting(runs)
        if counts.run_id != record.run_id:
            return [f"Team {record.team}: {counts.run_id} counts, not this run (counts: {challenge.counts})."]
        others = [run for run in runs if run.run_id != record.run_id]
        before = rules.counting(others) if others else None
        instead = f" in place of {before.run_id}" if before else ""
        return [f"Team {record.team}: this run counts from now on{instead} (counts: {challenge.counts})."]
