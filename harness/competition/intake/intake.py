"""Taking entries in: read, told apart by team, written into the ledger, run, reported. Done again, nothing is done twice.

Order of work: whatever is in the inbox is read, in the order in which it came; what cannot be run is refused with a
reason; each other entry is written into the ledger before anything of it runs; all of them run in one pool; each team is
told what came of its entry as soon as that is known. A kill at any moment loses nothing: the next intake goes on.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from harness.competition.intake import inbox, quota, reports
from harness.competition.intake.entering import Desk
from harness.competition.intake.leaks import Leaks
from harness.competition.intake.reports import Report
from harness.competition.intake.told import told
from harness.errors import ProtocolError, Status, SubmissionError
from harness.evaluation.run import sweep
from harness.evaluation.session import OnCell, Session
from harness.evaluation.sweep import Wanted
from harness.protocol import folder as folders
from harness.protocol.challenge import Challenge
from harness.protocol.launch import Launch
from harness.protocol.roster import Roster
from harness.protocol.roster import read as read_roster
from harness.protocol.rules import written
from harness.tracking.entries import handed
from harness.tracking.files import TEMPORARY
from harness.tracking.ledger import Ledger
from harness.tracking.record import Record
from harness.tracking.runs import exclusive
from harness.tracking.signature import Key


class Intake:
    """One inbox, one challenge; :meth:`reports` takes everything in."""

    def __init__(
        self,
        session: Session,
        place: Path,
        *,
        received: datetime | None,
        key: Key | None,
        config_dir: Path | None = None,
    ) -> None:
        challenge = session.challenge
        if challenge.teams is None:
            raise ProtocolError(
                f"{challenge.name} has no roster, so nobody can tell whose an entry is.",
                "`teams: teams.yaml` in the challenge names one.",
            )
        if challenge.lock is None:
            warnings.warn(
                f"{challenge.name} is not frozen, so nothing holds it to what teams were told: `harness challenge freeze`.",
                stacklevel=2,
            )
        self.session = session
        self._roster: Roster = read_roster(challenge.teams)
        self._found = inbox.look(place, self._roster, received)
        self._desk, self._key = Desk(session), key
        self._leaks = Leaks(challenge, session.track.dataset, config_dir)
        self._ledger = Ledger(session.runs.path)

    def __len__(self) -> int:
        """How many things lie in the inbox."""
        return len(self._found)

    @property
    def challenge(self) -> Challenge:
        return self.session.challenge

    def reports(
        self, out: Path, launch: Launch, *, tracking_uri: str | None = None, on_cell: OnCell | None = None
    ) -> Iterator[tuple[Report, bool]]:
        """A report for every entry as it is written below ``out``, and whether it says anything new.

        Raises HarnessError where another intake is at work, or the disk refuses.
        """
        runs = self.session.runs.path
        with exclusive(runs / ".intake.lock", "the intake", wait_seconds=0):
            for stale in runs.glob(f"{TEMPORARY}intake-*"):  # of a killed intake: the lock was its own
                shutil.rmtree(stale, ignore_errors=True)
            stage = Path(tempfile.mkdtemp(prefix=f"{TEMPORARY}intake-", dir=runs))
            try:
                wanted: dict[Wanted, inbox.Found] = {}
                for found in self._found:
                    one = self._admitted(found, stage / str(len(wanted)))
                    if isinstance(one, Report):
                        yield one, reports.write(one, out)
                    elif not any((one.team, one.admitted[0].digest) == (w.team, w.admitted[0].digest) for w in wanted):
                        wanted[one] = found
                if wanted:
                    for one, record in sweep([*wanted], launch, tracking_uri=tracking_uri, on_cell=on_cell):
                        report = self._told(wanted[one], one, record)
                        yield report, reports.write(report, out)
            finally:
                shutil.rmtree(stage, ignore_errors=True)

    def _admitted(self, found: inbox.Found, stage: Path) -> Wanted | Report:
        """The run to be made of an entry, which the ledger holds from here on; or why there is none."""
        try:
            entry = inbox.read(found, self._roster)
        except SubmissionError as error:
            return self._refused(found, None, str(error))
        folder = stage / _stem(found.path)
        folder.mkdir(parents=True)
        folders.write(entry.contents, folder)
        if not (folder / "submission.yaml").exists():
            return self._refused(found, entry.team.id, "It has no submission.yaml, so there is nothing to run.")
        one = Wanted(self.session, folder, entry.team.id)
        for leak in self._leaks.found(entry.contents):
            warnings.warn(
                f"{found.place}, team {entry.team.id}: {leak}; look at it, and see who had them.", stacklevel=2
            )
        try:
            self._desk.enter(one, self._key, found.received)
        except ProtocolError as error:  # it is for another track, or one too many
            return self._refused(found, entry.team.id, str(error).replace(str(folder), found.path.name))
        return one

    def _refused(self, found: inbox.Found, team: str | None, why: str) -> Report:
        return self._report(found, team, status="refused", reason=why)

    def _told(self, found: inbox.Found, one: Wanted, record: Record) -> Report:
        """What a team is told of its run."""
        self._desk.saw(record)
        entries = self._ledger.read()
        head = self._ledger.head()
        first = next(
            e
            for e in handed(entries, self.challenge.name)
            if (e.team, e.digest) == (one.team, record.submission_digest)
        )
        receipt = {
            "run_id": record.run_id,
            "digest": record.submission_digest,
            "fingerprint": record.fingerprint,
            "ledger_lines": head.lines,
            "ledger_sha256": head.sha256,
        }
        report = self._report(found, one.team, status=record.status.value, reason=_reason(record))
        shown = told(self.session, record, entries, self._desk.records)
        counts = " ".join(self._desk.announced(record))
        facts: dict[str, Any] = {
            "submission": record.submission,
            "received": first.received,
            "counts": counts,
            "receipt": receipt,
        }
        return replace(report, **facts, **vars(shown))

    def _report(self, found: inbox.Found, team: str | None, *, status: str, reason: str) -> Report:
        entries = self._ledger.read()
        rest = None
        if team is not None:
            used = quota.counted(entries, self.challenge.name, team, self._desk.records)
            rest = quota.left(self.challenge.quota, used, found.received)
        left = {"today": rest.today, "total": rest.total} if rest else {}
        return Report(
            self.challenge.name, self.challenge.version, team, found.place, None, written(found.received), status, reason,
            quota_left=left,
        )  # fmt: skip


def _stem(path: Path) -> str:
    """A plain name for the folder that an entry is unpacked into: reasons may name it."""
    stem = re.sub(r"(\.tar)?\.\w+\Z", "", path.name)
    return re.sub(r"[^A-Za-z0-9_-]", "_", stem)[:60] or "entry"


def _reason(record: Record) -> str:
    """Why a run has no score: nothing of what a suspicious one reached, or of this machine where the fault is ours."""
    if record.status is Status.HARNESS_ERROR:
        return "A fault of the harness or of its machine, not of the submission: it is tried again."
    return "" if record.status is Status.SUSPICIOUS else record.reason
