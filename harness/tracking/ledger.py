"""The ledger: one line for whatever was recorded, released or reproduced; appended, never changed.

Each line carries the SHA-256 of the line before it and of itself, so an edited, reordered or missing line breaks the
chain, and the SHA-256 of the record it speaks of, so an edited record shows. A line without its newline is what a kill left in the
middle of an append: it was never acknowledged, and the next append removes it.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from harness.errors import HarnessError
from harness.tracking.files import disk_errors, sync_directory
from harness.tracking.record import record_sha256 as digest_of_record
from harness.tracking.runs import RunsDir, exclusive

LEDGER = "ledger.jsonl"
START = "0" * 64
_MAX_LINE = 64_000


@dataclass(frozen=True)
class Entry:
    """One line of the ledger."""

    seq: int  # from 1
    time: str  # UTC, ISO 8601
    kind: str  # run, release or reproduce
    run_id: str
    record_sha256: str | None
    who: str
    note: str
    prev: str  # SHA-256 of the line before, START for the first
    sha256: str = ""  # of this line with an empty text here: nothing follows the last line yet

    def sealed(self) -> Entry:
        """The same entry with its own digest."""
        return replace(self, sha256=hashlib.sha256(replace(self, sha256="").line()).hexdigest())

    def line(self) -> bytes:
        """The entry as written, newline included."""
        return (json.dumps(asdict(self), ensure_ascii=True, allow_nan=False) + "\n").encode()


_ENTRY = TypeAdapter(Entry)


class Ledger:
    """The ledger of one runs directory."""

    def __init__(self, runs_dir: Path | str) -> None:
        self.runs = RunsDir(runs_dir)
        self.path = self.runs.path / LEDGER

    def append(
        self,
        kind: str,
        run_id: str,
        *,
        record_sha256: str | None = None,
        who: str | None = None,
        note: str = "",
    ) -> Entry:
        """Add a line under lock, fsynced on return. Raises HarnessError where it cannot be written.

        A line of kind ``run`` carries the SHA-256 of the run's record as it is on disk, unless another is given.
        """
        if kind == "run" and record_sha256 is None:
            record_sha256 = digest_of_record(self.runs.run_dir(run_id))
        with exclusive(self.path.with_suffix(".lock"), "the ledger", wait_seconds=60):
            content = self._content()
            whole = content[: content.rfind(b"\n") + 1]
            lines = whole.splitlines(keepends=True)
            entry = Entry(
                seq=len(lines) + 1,
                time=datetime.now(UTC).isoformat(timespec="milliseconds"),
                kind=kind,
                run_id=run_id,
                record_sha256=record_sha256,
                who=who or user(),
                note=note[:2000],
                prev=hashlib.sha256(lines[-1]).hexdigest() if lines else START,
            ).sealed()
            with disk_errors(f"write {self.path}"):
                _extend(self.path, len(whole), entry.line())
                if not content:
                    sync_directory(self.path.parent)
        return entry

    def read(self) -> list[Entry]:
        """All entries in order, a torn last line left out. Raises HarnessError naming the first broken line."""
        return [entry for entry, _ in self._parsed()]

    def verify(self) -> list[str]:
        """What was edited or is missing, one sentence each; empty when all is well.

        A run that another harness is writing may have a record before it has its line: it is looked at again, and left
        to its writer.
        """
        first = self._problems()
        if not first:
            return []
        busy = {run_id for run_id, _ in first if run_id and self.runs.being_written(run_id)}
        return [text for run_id, text in self._problems() if run_id not in busy and (run_id, text) in first]

    def _problems(self) -> list[tuple[str, str]]:
        """Run id (empty: of the ledger itself) and sentence."""
        recorded = self.runs.run_ids()  # first: whatever is recorded from here on has its line later
        try:
            parsed = self._parsed()
        except HarnessError as error:
            return [("", error.reason)]
        problems = [("", text) for text in _chain_problems(parsed)]
        latest = latest_records([entry for entry, _ in parsed])
        for run_id, expected in latest.items():
            try:
                actual = digest_of_record(self.runs.run_dir(run_id))
            except HarnessError as error:
                problems.append((run_id, f"The ledger lists run {run_id}, but: {error.reason}"))
                continue
            if actual != expected:
                text = f"The record of run {run_id} is not the one in the ledger: it was edited afterwards."
                problems.append((run_id, text))
        return problems + [
            (run_id, f"Run {run_id} has a record, but the ledger has no line for it.")
            for run_id in recorded
            if run_id not in latest
        ]

    def recorded(self, run_id: str) -> str | None:
        """SHA-256 of the record that the ledger holds for a run now, None where it holds none."""
        return latest_records(self.read()).get(run_id)

    def _content(self) -> bytes:
        with disk_errors(f"read {self.path}"):
            return self.path.read_bytes() if self.path.is_file() else b""

    def _parsed(self) -> list[tuple[Entry, bytes]]:
        parsed = []
        content = self._content()
        for number, line in enumerate(content[: content.rfind(b"\n") + 1].splitlines(keepends=True), 1):
            try:
                if len(line) > _MAX_LINE:
                    raise ValueError("longer than any entry")
                parsed.append((_ENTRY.validate_json(line, strict=True), line))
            except (ValidationError, ValueError) as error:
                text = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
                raise HarnessError(
                    f"{LEDGER} line {number} is not an entry ({text[:120]}): it was edited.",
                    "Restore the ledger from a copy; it is only ever appended to.",
                ) from error
        return parsed


def latest_records(entries: list[Entry]) -> dict[str, str]:
    """SHA-256 of the record of every run that a ledger holds now, by run id."""
    return {entry.run_id: entry.record_sha256 for entry in entries if entry.kind == "run" and entry.record_sha256}


def _chain_problems(parsed: list[tuple[Entry, bytes]]) -> Iterator[str]:
    previous, sealed = START, False
    for number, (entry, line) in enumerate(parsed, 1):
        if entry.seq != number:
            yield f"{LEDGER} line {number} has seq {entry.seq}: entries were removed, added or reordered."
            return
        if entry.prev != previous:
            yield (
                f"{LEDGER} line {number} ({entry.kind} {entry.run_id}) does not follow from the line before it: "
                f"line {max(1, number - 1)} or {number} was edited."
            )
        sealed = sealed or bool(entry.sha256)  # the first lines of an old ledger are not
        if sealed and entry != entry.sealed():
            yield f"{LEDGER} line {number} ({entry.kind} {entry.run_id}) was edited."
        previous = hashlib.sha256(line).hexdigest()


def _extend(path: Path, length: int, line: bytes) -> None:
    """Cut the file to ``length`` and add a line, or leave it at ``length`` where the disk refuses."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        os.ftruncate(descriptor, length)
        try:
            written = 0
            while written < len(line):
                written += os.pwrite(descriptor, line[written:], length + written)
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, length)
            raise
    finally:
        os.close(descriptor)


def append(runs_dir: Path | str, kind: str, run_id: str, **facts: Any) -> Entry:
    """``Ledger(runs_dir).append``."""
    return Ledger(runs_dir).append(kind, run_id, **facts)


def read(runs_dir: Path | str) -> list[Entry]:
    """``Ledger(runs_dir).read()``."""
    return Ledger(runs_dir).read()


def verify(runs_dir: Path | str) -> list[str]:
    """``Ledger(runs_dir).verify()``."""
    return Ledger(runs_dir).verify()


def user() -> str:
    """The login name of whoever runs this, for ``who``."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
