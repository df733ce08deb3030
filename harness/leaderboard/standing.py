"""Whose row is whose, and which of their runs stands for them.

In a competition a row belongs to a team of the roster. Without a roster it belongs to what was submitted: other files are
another row, however they are called, unless the owner of the runs directory has said that a run takes another's place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from harness.errors import Status
from harness.leaderboard.phase import ladder
from harness.protocol import names, submission
from harness.protocol.challenge import Challenge
from harness.protocol.roster import Roster
from harness.protocol.rules import moment, written
from harness.tracking.chain import Entry
from harness.tracking.entries import Handed, handed, marks, replaced
from harness.tracking.record import Record

Obstacle = Callable[[Record], str | None]


@dataclass(frozen=True)
class Standing:
    """What of a board's runs is shown."""

    ranked: tuple[Record, ...]  # one for each team, or line of submissions; in no order
    unranked: Mapping[str, tuple[Record, str]]  # by run id, with the reason
    attempts: Mapping[str, int]  # run id -> runs of its row's owner, those included that count no longer
    owners: Mapping[str, str]  # run id -> owner


class Standings:
    """The rules by which runs come to stand for their owners."""

    def __init__(self, challenge: Challenge, entries: Sequence[Entry], roster: Roster | None) -> None:
        self._challenge = challenge
        self._roster = roster
        self._withdrawn, self._disqualified = marks(entries, "withdraw"), marks(entries, "disqualify")
        self._selected = marks(entries, "select")
        self._replaced = replaced(entries)
        self._handed = {(one.team, one.digest): one for one in handed(entries, challenge.name)}
        self._line = {entry.run_id: entry.seq for entry in entries if entry.kind == "select"}

    def received(self, record: Record) -> datetime:
        """When a run's submission was handed in; when it was recorded, where nobody handed it in."""
        one = self._handed_in(record)
        return one.time if one else moment(record.created)

    def obstacle(self, record: Record) -> str | None:
        """Why the rules of the competition keep a run from ranking; None where they do not."""
        if mark := self._withdrawn.get(record.run_id):
            return f"withdrawn by {mark.who}: {mark.note}"
        if names.reserved(record.submission, record.task) and not submission.is_shipped(
            record.submission_digest or "", record.submission, record.params
        ):
            return "it has the name of one of the harness's own rows, and not its files"
        if self._roster is not None and not is_ours(record):
            if not record.team:
                return "no team handed it in"
            if record.team not in self._roster.teams:
                return f"team {record.team} is not in the roster"
        return self.late(record)

    def of(self, records: Sequence[Record], obstacle: Obstacle, step: float | None = None) -> Standing:
        """Which runs stand.

        Parameters
        ----------
        obstacle: says why a run may not rank, the rules of the competition included.
        step: of the Ladder, where one decides what is shown of an owner's runs.
        """
        ids = {record.run_id: record for record in records}
        owners = {record.run_id: self._owner(record, ids) for record in records}
        of_owner: dict[str, list[Record]] = {}
        for record in sorted(records, key=lambda record: (self.received(record), record.created, record.run_id)):
            of_owner.setdefault(owners[record.run_id], []).append(record)
        ranked, unranked = [], {}
        for runs in of_owner.values():
            out = [(run, mark) for run in runs if (mark := self._disqualified.get(run.run_id))]
            if out:
                unranked[out[-1][0].run_id] = (out[-1][0], f"disqualified by {out[-1][1].who}: {out[-1][1].note}")
                continue
            may = [run for run in runs if obstacle(run) is None]
            if may:
                ranked.append(ladder(may, step, self._challenge.track_type.direction) if step else self.counting(may))
            for run in runs:  # below are what was withdrawn or late, and the newest, if nothing has made up for it
                if (why := obstacle(run)) is not None and (run is runs[-1] or self._is_out(run)):
                    unranked[run.run_id] = (run, why)
        for run_id in [run_id for run_id, (run, _) in unranked.items() if self._made_up_for(run, ranked)]:
            del unranked[run_id]
        attempts = {run.run_id: len(runs) for runs in of_owner.values() for run in runs}
        return Standing(tuple(ranked), dict(sorted(unranked.items())), attempts, owners)

    def counting(self, runs: Sequence[Record]) -> Record:
        """Which of an owner's runs, in the order in which they were handed in, stands for it."""
        chosen = [run for run in runs if run.run_id in self._selected]
        if self._challenge.counts == "selected" and chosen:
            return max(chosen, key=lambda run: self._line[run.run_id])
        if self._challenge.counts == "best":
            sign = 1.0 if self._challenge.track_type.direction == "max" else -1.0
            return max(runs, key=lambda run: sign * (run.score or 0.0))  # of equal ones the earlier
        return runs[-1]

    def _made_up_for(self, run: Record, ranked: Sequence[Record]) -> bool:
        """Whether a failure without a team is followed by a ranked run of its words: then it says nothing any more.

        A row that is taken back, late or scored stays, whoever comes with the same words.
        """
        if run.team or run.status in (Status.OK, Status.SUSPICIOUS) or self._is_out(run):
            return False
        theirs = [one for one in ranked if one.submission == run.submission and not one.team]
        return any(one.created >= run.created and run.authors in ((), one.authors) for one in theirs)  # (): not read

    def _is_out(self, record: Record) -> bool:
        marked = record.run_id in self._withdrawn or record.run_id in self._disqualified
        return marked or self.late(record) is not None

    def late(self, record: Record) -> str | None:
        """Why a run was handed in too late to rank; None where it was not."""
        closes = self._challenge.phases.public.closes if self._challenge.phases else None
        if closes is None or is_ours(record) or (received := self.received(record)) <= closes:
            return None
        return f"late: handed in {written(received)}, and entries closed {written(closes)}"

    def _handed_in(self, record: Record) -> Handed | None:
        return self._handed.get((record.team, record.submission_digest or ""))

    def _owner(self, record: Record, ids: Mapping[str, Record]) -> str:
        """The team; else the line of submissions that replaced each other, known by its first."""
        if record.team:
            return f"team {record.team}"
        seen = {record.run_id}
        while (earlier := self._replaced.get(record.run_id, "")) in ids and earlier not in seen:
            if ids[earlier].team or ids[earlier].reference:
                break
            record = ids[earlier]
            seen.add(earlier)
        return (
            f"ours {record.submission}"
            if names.reserved(record.submission, record.task) and not record.params
            else f"files {record.identity}"
        )


def is_ours(record: Record) -> bool:
    """Whether a run is of the harness's own: a reference, or a shipped baseline that no team handed in."""
    return record.reference or (not record.team and record.submission_digest in submission.shipped_digests())
