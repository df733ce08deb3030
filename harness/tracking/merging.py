"""Two runs directories become one: the runs of another machine are brought here, and the ledger stays a single chain.

The other ledger is verified first, kept as it was under ``merged/``, and named by its head in one line of this chain;
behind it come the brought runs and, as copies, what persons said over there. A copy tells the line it was made from, by
which a second merge, or a merge back, knows it again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError, ProtocolError, SubmissionError
from harness.protocol import folder as folders
from harness.tracking import archive
from harness.tracking.bringing import Found, here_for, write
from harness.tracking.chain import BY_PERSONS, MAX_NOTE, Entry, Head, Line, latest_records
from harness.tracking.files import disk_errors, read_bytes, write_bytes_atomic
from harness.tracking.ledger import START, Ledger, user
from harness.tracking.record import Record, parse_record, record_sha256
from harness.tracking.runs import MERGED, RunsDir, exclusive

if TYPE_CHECKING:
    from harness.tracking.signature import Key

_OF_THE_DIRECTORY = ("key", "publish", "import", "rebuild", "merge")  # what they say holds over there alone
_AS_DATA = ("entry",)  # whose notes are JSON, with the time in it
_COPIED = re.compile(r" \(merged from line \d+ of [^ ()]+\)$")


@dataclass(frozen=True)
class Merged:
    """What was brought."""

    brought: tuple[str, ...] = ()  # run ids
    known: tuple[str, ...] = ()  # those that were there, with the same record or the same results
    refused: Mapping[str, str] = field(default_factory=dict)  # run id -> why: damaged, or another record is there
    said: int = 0  # lines of persons that were copied


def merge(runs_dir: Path | str, other: Path | str, *, who: str | None = None, key: Key | None = None) -> Merged:
    """Bring the runs of another runs directory into this one, which is made if need be; the other is only read.

    A run comes whole or not at all, nothing is overwritten, and what was brought before is not brought again. A kill
    loses nothing: a second merge goes on. Brought runs wait to be delivered.

    Raises
    ------
    ProtocolError: there is no other directory, it has no ledger, or it is this one; the ledger here has another key.
    HarnessError: one of both ledgers does not agree with itself or its records; the disk refuses.
    """
    here, there = Ledger(runs_dir), Ledger(other)
    _check_places(here, there)
    here.require(key)
    with exclusive(here.runs.path / ".merge.lock", "a merge", wait_seconds=60):
        return _Merger(here, there).merge(who or user(), key)


def _check_places(here: Ledger, there: Ledger) -> None:
    place = there.runs.path
    if not place.is_dir():
        raise ProtocolError(f"There is no runs directory {folders.shown(place)}.", "Name the one to be brought here.")
    if here.runs.path.exists() and place.samefile(here.runs.path):
        raise ProtocolError(
            f"{folders.shown(place)} is the runs directory to merge into.", "Name another one, or a copy of it."
        )
    if not there.path.is_file():
        raise ProtocolError(
            f"{folders.shown(place)} has no {there.path.name}, so nothing in it can be trusted.",
            "Name a directory in which a harness recorded runs.",
        )


class _Merger:
    """Brings what one directory has into another. Raises HarnessError where one of them does not agree with itself."""

    def __init__(self, here: Ledger, there: Ledger) -> None:
        self._here, self._there = here, there
        _refuse_problems(there)
        self._lines = there.lines()
        self._wanted = latest_records(line.entry for line in self._lines)  # run id -> SHA-256 of its record
        _refuse_problems(here, self._awaited())
        self._entries = here.read()
        self._listed = latest_records(self._entries)
        self._earlier = {(entry.run_id, entry.record_sha256) for entry in self._entries if entry.kind == "run"}

    def _awaited(self) -> list[str]:
        """Runs of the other directory that are here without a line: a merge was killed before it came to the ledger."""
        runs = self._here.runs
        return [
            run_id
            for run_id, sha256 in self._wanted.items()
            if runs.recorded(run_id) and record_sha256(runs.run_dir(run_id)) == sha256
        ]

    def merge(self, who: str, key: Key | None) -> Merged:
        """Bring the runs, then write all lines at once."""
        outcomes: dict[str, bool] = {}
        refused: dict[str, str] = {}
        for run_id in self._wanted:
            try:
                outcomes[run_id] = self._bring(run_id)
            except (HarnessError, SubmissionError) as error:
                refused[run_id] = error.reason
        brought = [run_id for run_id, new in outcomes.items() if new]
        known = [run_id for run_id, new in outcomes.items() if not new]
        said = self._said({**self._listed, **{run_id: self._wanted[run_id] for run_id in brought}})
        if brought or said:
            self._write([*self._recorded(brought), *said], who, key)
        return Merged(tuple(brought), tuple(known), refused, len(said))

    # --- runs ---

    def _bring(self, run_id: str) -> bool:
        """Whether the run is new here. HarnessError or SubmissionError where it is damaged or in conflict."""
        sha256 = self._wanted[run_id]
        if self._listed.get(run_id) != sha256 and (run_id, sha256) in self._earlier:
            return False  # it was done again here
        there = self._there.runs
        content = read_bytes(f"{there.run_dir(run_id)}/record.json")
        record = parse_record(content, f"the record of run {run_id}")
        if record.run_id != run_id or hashlib.sha256(content).hexdigest() != sha256:
            raise HarnessError("It is being written over there.")
        here = here_for(self._here.runs, record, sha256, self._listed.get(run_id))
        if here is None:
            if there.unfinished(run_id):
                raise HarnessError("It was being run again over there, and did not come to an end.")
            write(self._here.runs, Found(record, content, _cells(there, record), _submission(there, record)))
        return here in (None, sha256) and self._listed.get(run_id) != sha256

    # --- lines ---

    def _recorded(self, brought: Sequence[str]) -> Iterator[dict[str, Any]]:
        last = {entry.run_id: entry for entry, _ in self._lines if entry.kind == "run" and entry.record_sha256}
        return (_facts(last[run_id], last[run_id].note) for run_id in brought)

    def _said(self, here: Mapping[str, str]) -> list[dict[str, Any]]:
        """What persons said over there of runs that are here with the same record, or of none, and is not here yet."""
        known = {_origin(entry) for entry in self._entries}
        return [
            _facts(entry, _note(entry))
            for entry, _ in self._lines
            if entry.kind in BY_PERSONS
            and entry.kind not in _OF_THE_DIRECTORY
            and (not entry.run_id or here.get(entry.run_id) == self._wanted.get(entry.run_id, ""))
            and _origin(entry) not in known
        ]

    def _write(self, lines: Sequence[dict[str, Any]], who: str, key: Key | None) -> None:
        here, there = self._here.head(), _head(self._lines)
        kept = self._here.runs.path / MERGED / f"{there.sha256}.jsonl"
        with disk_errors(f"keep the other ledger in {kept}"):
            if not kept.exists():
                write_bytes_atomic(kept, b"".join(line.content for line in self._lines))
        note = f"head here: {here.lines} {here.sha256}; head there: {there.lines} {there.sha256}"
        self._here.extend([{"kind": "merge", "who": who, "note": note}, *lines], key=key)


def _refuse_problems(ledger: Ledger, awaited: Sequence[str] = ()) -> None:
    problems = [problem.what for problem in ledger.problems(awaited)]
    if problems:
        more = f" And {len(problems) - 5} more." if len(problems) > 5 else ""
        raise HarnessError(
            f"Nothing is merged: {folders.shown(ledger.runs.path)} does not agree with itself: {' '.join(problems[:5])}{more}",
            "`harness verify` lists everything; restore what was changed from a copy.",
        )


def _cells(runs: RunsDir, record: Record) -> archive.Cells:
    """The kept cells of a run, each held against the record."""
    cells = {}
    for cell in record.cells:
        if cell.seed in archive.kept_seeds(record):
            cells[cell.seed] = runs.cell_files(record.run_id, cell.seed)
            archive.check_cell(cells[cell.seed], cell)
    return cells


def _submission(runs: RunsDir, record: Record) -> Mapping[str, bytes]:
    """Empty for the harness's own rows, which have none, and where no cell could be run of what was handed in."""
    if record.reference or record.submission_digest is None or not archive.kept_seeds(record):
        return {}
    files = folders.read(runs.submission_dir(record.submission_digest), everything=True)
    if files.digest != record.submission_digest:
        raise HarnessError("The copy of its submission over there was changed.")
    return files.contents


def _head(lines: Sequence[Line]) -> Head:
    """The last line that publishing a board does not move."""
    last = next((line for line in reversed(lines) if line.entry.kind != "publish"), None)
    return Head(last.entry.seq, hashlib.sha256(last.content).hexdigest()) if last else Head(0, START)


def _facts(entry: Entry, note: str) -> dict[str, Any]:
    told = {name: getattr(entry, name) for name in ("kind", "run_id", "record_sha256", "who")}
    return {**told, "note": note, "verbatim": True}


def _note(entry: Entry) -> str:
    """The note of a line's copy: with the line that it was made from, unless it is data or a copy itself."""
    if entry.kind in _AS_DATA or _COPIED.search(entry.note):
        return entry.note[:MAX_NOTE]
    end = f" (merged from line {entry.seq} of {entry.time})"
    return entry.note[: MAX_NOTE - len(end)] + end


def _origin(entry: Entry) -> tuple[object, ...]:
    """What a line has in common with its copies, and with nothing else."""
    return entry.kind, entry.run_id, entry.record_sha256, entry.who, _note(entry)
