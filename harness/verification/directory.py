"""A runs directory as a whole: its ledger, every record against its cells, and what MLflow holds of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import HarnessError
from harness.tracking import held
from harness.tracking.ledger import Entry, Ledger, latest_records
from harness.tracking.record import Record
from harness.tracking.runs import RunsDir
from harness.verification.judge import Judge
from harness.verification.memory import Memory
from harness.verification.run import Checked

BEING_WRITTEN = "it is being run again now"
Wanted = Callable[[Record], bool]


@dataclass(frozen=True)
class Problem:
    """What does not agree; ``run_id`` is empty where it is no single run."""

    run_id: str
    what: str

    def __str__(self) -> str:
        return f"run {self.run_id}: {self.what}" if self.run_id else self.what


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
    wanted: Wanted = lambda record: True,
) -> Report:
    """Verify the ledger of a runs directory, and the runs that are ``wanted``.

    Other harnesses may go on recording runs meanwhile: what does not agree is looked at again as long as the ledger
    grows. Raises HarnessError where the MLflow store cannot be opened.
    """
    ledger = Ledger(runs_dir)
    while True:
        report = _once(ledger, uri, Path(config_dir) if config_dir else None, wanted)
        if report.ok or tuple(_entries(ledger)) == report.entries:
            return report


def _once(ledger: Ledger, uri: str | None, config_dir: Path | None, wanted: Wanted) -> Report:
    runs = ledger.runs
    problems = [Problem("", what) for what in ledger.verify()]
    entries = _entries(ledger)
    records, unread = _records(runs, wanted)
    problems += unread
    checked = Memory(runs, config_dir).checked(records)
    notes = []
    for run_id, one in checked.items():
        if one.problems and runs.being_written(run_id):
            checked[run_id] = Checked(one.record, (), (BEING_WRITTEN,))
    problems += [Problem(run_id, what) for run_id, one in checked.items() for what in one.problems]
    notes += [Problem(run_id, what) for run_id, one in checked.items() for what in one.notes]
    problems += [Problem(*found) for found in held.compare(runs, uri, _delivered(entries, records.values()))]
    if entries and not any(entry.signature for entry in entries):
        notes.append(Problem("", "The ledger is not signed: whoever can write the runs directory can add lines to it."))
    return Report(checked, tuple(entries), tuple(dict.fromkeys(problems)), tuple(notes))


def _records(runs: RunsDir, wanted: Wanted) -> tuple[dict[str, Record], list[Problem]]:
    records, problems = {}, []
    for run_id in runs.run_ids():
        try:
            record = runs.load_record(run_id)
        except HarnessError as error:
            problems.append(Problem(run_id, error.reason))
            continue
        if wanted(record):
            records[run_id] = record
    return records, problems


def _entries(ledger: Ledger) -> list[Entry]:
    try:
        return ledger.read()
    except HarnessError:  # which is one of the problems
        return []
