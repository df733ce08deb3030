"""A runs directory as a whole: its ledger, every record against its cells, and what MLflow holds of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import HarnessError
from harness.tracking import held
from harness.tracking.held import Board, Recorded
from harness.tracking.ledger import Entry, Ledger, latest_records
from harness.tracking.record import Record
from harness.tracking.runs import RunsDir
from harness.verification.memory import Memory
from harness.verification.run import Checked

BEING_WRITTEN = "it is being run again now"


class BoardRefused(HarnessError):
    """A board cannot be trusted as things stand; the reason names every entry that does not agree."""


@dataclass(frozen=True)
class Problem:
    """What does not agree; ``run_id`` is empty where it is no single run."""

    run_id: str
    what: str

    def __str__(self) -> str:
        return self.what if not self.run_id or self.run_id in self.what else f"Run {self.run_id}: {self.what}"


@dataclass(frozen=True)
class Report:
    """What came of verifying a runs directory."""

    runs: Mapping[str, Checked] = field(default_factory=dict)  # those asked for, by run id
    entries: tuple[Entry, ...] = ()  # of the ledger
    problems: tuple[Problem, ...] = ()
    notes: tuple[Problem, ...] = ()  # what could not be checked, or is not protected

    @property
    def ok(self) -> bool:
        return not self.problems


def verify(
    runs_dir: Path | str,
    uri: str | None = None,
    config_dir: Path | str | None = None,
    board: Board | None = None,
) -> Report:
    """Verify the ledger of a runs directory and its runs: all of them, or those of one board.

    Other harnesses may go on recording runs meanwhile: what does not agree is looked at again as long as the ledger
    grows.

    Parameters
    ----------
    uri: the MLflow store; default as for runs.
    config_dir: with challenges that are not shipped.
    board: challenge and fingerprint.

    Raises
    ------
    HarnessError: the MLflow store cannot be opened.
    """
    ledger = Ledger(runs_dir)
    while True:
        report = _once(ledger, uri, Path(config_dir) if config_dir else None, board)
        if report.ok or tuple(_entries(ledger)) == report.entries:
            return report


def refused(challenge: str, report: Report) -> BoardRefused:
    """The error of a board whose runs do not agree."""
    problems = [str(problem) for problem in report.problems]
    listed = " ".join(f"({i}) {p}" for i, p in enumerate(problems[:10], 1)) if len(problems) > 1 else problems[0]
    more = f" And {len(problems) - 10} more; `harness verify` lists them." if len(problems) > 10 else ""
    return BoardRefused(
        f"The board of {challenge} is not built: {listed}{more}",
        "Restore what was changed; `harness sync` delivers again what MLflow has lost, `harness sync --rebuild` makes its store "
        "again from the records, and running the submission again with --force replaces its record.",
    )


def _once(ledger: Ledger, uri: str | None, config_dir: Path | None, board: Board | None) -> Report:
    runs = ledger.runs
    problems = [Problem(found.run_id, found.what) for found in ledger.problems()]
    entries = _entries(ledger)
    every, unread = _records(runs)
    records = {run_id: record for run_id, record in every.items() if board in (None, recorded(record))}
    checked = Memory(runs, config_dir).checked(records)
    for run_id, one in checked.items():
        if one.problems and runs.being_written(run_id):
            checked[run_id] = Checked(one.record, (), (BEING_WRITTEN,))
    problems += unread + [Problem(run_id, what) for run_id, one in checked.items() for what in one.problems]
    boards = {board} if board else {recorded(r) for r in records.values()} | held.boards(runs, uri)
    problems += [Problem(*found) for found in held.compare(runs, uri, _recorded(entries, every), boards)]
    notes = [Problem(run_id, what) for run_id, one in checked.items() for what in one.notes]
    if not ledger.path.exists() or entries:
        notes += [Problem("", what) for what in ledger.remarks()]
    return Report(checked, tuple(entries), tuple(dict.fromkeys(problems)), tuple(notes))


def recorded(record: Record) -> Board:
    """The board that a record belongs to."""
    return record.challenge, record.fingerprint


def _recorded(entries: Sequence[Entry], records: Mapping[str, Record]) -> dict[str, Recorded]:
    """What MLflow must hold: the records that the ledger names, with those it named before."""
    earlier: dict[str, set[str]] = {}
    for entry in entries:
        if entry.kind == "run" and entry.record_sha256:
            earlier.setdefault(entry.run_id, set()).add(entry.record_sha256)
    latest = latest_records(entries)
    return {
        run_id: Recorded(records[run_id], digest, frozenset(earlier[run_id] - {digest}))
        for run_id, digest in latest.items()
        if run_id in records
    }


def _records(runs: RunsDir) -> tuple[dict[str, Record], list[Problem]]:
    records, problems = {}, []
    for run_id in runs.run_ids():
        try:
            records[run_id] = runs.load_record(run_id)
        except HarnessError as error:
            problems.append(Problem(run_id, error.reason))
    return records, problems


def _entries(ledger: Ledger) -> list[Entry]:
    try:
        return ledger.read()
    except HarnessError:  # which is one of the problems
        return []
