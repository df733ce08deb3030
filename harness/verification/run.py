"""One run: its record against its cells, its archived submission, the protocol, and the harness's own rows.

Nothing is trained: scores, mean, interval, status and place are computed again from what was kept of the cells. What
somebody changed everywhere at once, cells included, only running again can tell (`harness reproduce`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isclose

import numpy as np

from harness.errors import BenchmarkError, HarnessError, Status, SubmissionError
from harness.evaluation.draws import over_draws
from harness.evaluation.entrants import Entrant
from harness.evaluation.session import TRUSTED
from harness.evaluation.tally import tally
from harness.protocol import submission
from harness.tracking import provenance
from harness.tracking.record import SCHEMA_VERSION, CellRecord, Record
from harness.tracking.runs import StoredCell, arrays_digest
from harness.verification.judge import Judge, Protocol

UNFINISHED = "it was being run again and did not come to an end: run it once more"
OTHER_STATISTICS = "another version of the harness summed up its cells: run it again, which its kept cells make quick"
OLD = "an older version of the harness made its record, which binds neither cells nor source"


@dataclass(frozen=True)
class Checked:
    """What came of checking one run."""

    record: Record
    problems: tuple[str, ...] = ()  # what does not agree
    notes: tuple[str, ...] = ()  # what could not be checked
    files: tuple[str, ...] = ()  # read in its cells, by their names there


def check(record: Record, judge: Judge) -> Checked:
    """Compare a record with everything it rests on. Nothing is raised: what cannot be read is a problem."""
    if judge.runs.unfinished(record.run_id):
        return Checked(record, (), (UNFINISHED,))
    if record.schema_version < SCHEMA_VERSION:
        return Checked(record, (), (OLD,))
    try:
        protocol = judge.protocol(record)
    except BenchmarkError as error:
        return Checked(record, (f"its settings are no challenge here: {error}",))
    problems = [*protocol.problems(record), *_entrant(record, judge)]
    if record.statistics != provenance.statistics():
        return Checked(record, tuple(problems), (OTHER_STATISTICS,))
    cells, broken = _cells(record, protocol, judge)
    problems += broken
    later = "" if record.reference else judge.unsettled(record)
    if not broken:
        problems += _alone(record, cells, protocol) if later else _counted(record, cells, protocol, judge)
    files = sorted({name for stored in cells for name in stored.files()})
    return Checked(record, tuple(problems), (later,) if later and not problems else (), tuple(files))


def _entrant(record: Record, judge: Judge) -> Iterator[str]:
    """Whose row it is: one of the harness's own, or the archived submission's, whose manifest says what the row says."""
    own = {entrant.digest: entrant for entrant in (Entrant.reference("random"), Entrant.reference("skyline"))}
    if record.reference or record.isolation == TRUSTED:
        expected = own.get(record.submission_digest or "")
        if expected is None or (expected.name, expected.authors) != (record.submission, record.authors):
            yield "it is said to be a row of the harness's own, and is none"
        elif not (record.reference and record.isolation == TRUSTED):
            yield "it is a row of the harness's own, and does not say so"
        return
    if all(cell.sha256 is None for cell in record.cells):
        return  # refused before it ran: nothing was kept, and nothing ranks
    try:
        folder = judge.runs.submission_dir(record.submission_digest or "")
        entry = submission.load(folder, everything=True, kind=judge.protocol(record).challenge.track_type.task)
    except (SubmissionError, HarnessError) as error:
        yield f"the submission kept with it cannot be read: {error.reason}"
        return
    if entry.digest != record.submission_digest:
        yield "the submission kept with it was changed"
    for name, said in (
        ("submission", entry.name),
        ("authors", entry.authors),
        ("description", entry.description),
        ("license", entry.license),
        ("params", dict(entry.params)),
    ):
        if getattr(record, name) != said:
            yield f"{name} is {getattr(record, name)!r:.100}, the manifest kept with it says {said!r:.100}"
    if entry.requires and record.packages is None:
        yield "it does not say which packages it ran with"


def _cells(record: Record, protocol: Protocol, judge: Judge) -> tuple[list[StoredCell], list[str]]:
    """The cells of all seeds as kept, and what is wrong with them."""
    seeds, measured = list(range(protocol.challenge.seeds)), [cell.seed for cell in record.cells]
    if measured != seeds:
        return [], [f"its cells are of seeds {_few(measured)}, the challenge has {_few(seeds)}"]
    cells, problems = [], []
    for cell in record.cells:
        if cell.sha256 is None:
            if cell.status is Status.OK:
                problems.append(f"seed {cell.seed}: ok, but no cell was kept")
            cells.append(StoredCell(cell, {}, {}, None, ""))
            continue
        try:
            stored = judge.runs.read_cell(record.run_id, cell.seed)
            problems += [f"seed {cell.seed}: {what}" for what in _cell(record, cell, stored, protocol)]
            cells.append(stored)
        except BenchmarkError as error:
            problems.append(f"seed {cell.seed}: {error.reason}")
    return cells, problems


def _cell(record: Record, cell: CellRecord, stored: StoredCell, protocol: Protocol) -> Iterator[str]:
    """One cell's file against the record, its output's digest, and its score from its items."""
    if stored.cell.sha256 != cell.sha256:
        yield "its cell.json is not the one that the record binds"
    elif stored.cell != cell:
        yield "the record says of it what its cell.json does not"
    if stored.cell.source != record.source:
        yield "another source of the harness scored it"
    if stored.cell.status is not Status.OK:
        return
    if cell.output_digest != (arrays_digest(stored.output) if stored.output else None):
        yield "its output is not the one that was scored"
    if not stored.items:
        yield "no items were kept, so its score cannot be computed again"
        return
    score = _score(stored, protocol)
    if cell.score is None or not isclose(score, cell.score, rel_tol=1e-9, abs_tol=1e-9):
        yield f"its score is {cell.score}, its items give {score:.6g}"


def _score(stored: StoredCell, protocol: Protocol) -> float:
    m = len(next(iter(stored.items.values())))
    try:
        return float(over_draws(protocol.track.statistic)(stored.items, np.ones((1, m)))[0])
    except (KeyError, IndexError, ValueError, TypeError, ZeroDivisionError) as error:
        raise HarnessError(f"its items are not those of this track: {type(error).__name__}: {error}") from error


def _counted(record: Record, cells: list[StoredCell], protocol: Protocol, judge: Judge) -> list[str]:
    """The record against what its cells come to; only what nothing was measured on for the harness's rows may be left out."""
    references = None
    if not record.reference and not any(cell.status is Status.CANCELLED for cell in record.cells):
        try:
            references = judge.references(record)
        except HarnessError as error:
            return [error.reason] if record.score is not None else []
        measured = {stored.cell.seed for stored in references.floor}
        left_out = [cell.seed for cell in record.cells if cell.status is Status.SKIPPED and cell.seed in measured]
        if left_out:
            return [f"seeds {_few(left_out)} are left out, and could be measured"]
    return tally(protocol.track, record.fingerprint, cells, references, record.submission).differences(record)


def _alone(record: Record, cells: list[StoredCell], protocol: Protocol) -> list[str]:
    """What needs neither floor nor skyline: score, interval and curve."""
    if record.score is None:
        return []
    counted = tally(protocol.track, record.fingerprint, cells, None, record.submission)
    return [what for what in counted.differences(record) if what.startswith(("score ", "ci95 ", "curve "))]


def _few(seeds: list[int]) -> str:
    shown = ", ".join(map(str, seeds[:12]))
    return f"{shown} ... ({len(seeds)})" if len(seeds) > 12 else shown or "none"
