"""The ledger: one line for whatever was recorded, released, reproduced or published; appended, never changed.

Each line carries the SHA-256 of the line before it and of itself, so an edited, reordered or missing line breaks the
chain, and the SHA-256 of the record it speaks of, so an edited record shows and what was said of the old one ends. Where
there is a key, what persons do is signed (:mod:`harness.tracking.chain`); a signed head on a published board shows that a
chain was not written anew or cut behind it.

A line without its newline is what a kill left in the middle of an append: it was never acknowledged, and the next append
removes it.
"""

from __future__ import annotations

import getpass
import hashlib
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import HarnessError, ProtocolError
from harness.tracking import chain
from harness.tracking.chain import LEDGER, START, Entry, Head, Line, SignedHead, latest_records, standing
from harness.tracking.files import disk_errors, sync_directory
from harness.tracking.garbage import few_collections
from harness.tracking.lines import extend, lines_backwards
from harness.tracking.record import record_sha256 as digest_of_record
from harness.tracking.runs import RunsDir, exclusive
from harness.tracking.signature import VARIABLE, Key, is_public

__all__ = [
    "LEDGER", "START", "Entry", "Head", "Ledger", "Problem", "SignedHead",
    "append", "latest_records", "read", "standing", "user", "verify",
]  # fmt: skip


@dataclass(frozen=True)
class Problem:
    """Something that was edited, added or is missing."""

    run_id: str  # empty: of the ledger itself, or of many runs
    what: str  # one sentence


class Ledger:
    """The ledger of one runs directory."""

    def __init__(self, runs_dir: Path | str) -> None:
        self.runs = RunsDir(runs_dir)
        self.path = self.runs.path / LEDGER

    # --- writing ---

    def append(
        self,
        kind: str,
        run_id: str = "",
        *,
        record_sha256: str | None = None,
        who: str | None = None,
        note: str = "",
        key: Key | None = None,
    ) -> Entry:
        """Add a line under lock, fsynced on return.

        A line that speaks of a run carries the SHA-256 of the run's record as it is on disk, unless another is given.
        The first use of a key in a ledger adds a line that names it before.

        Raises
        ------
        ProtocolError: the ledger is signed and ``key`` is not its key, for kinds made by persons.
        HarnessError: the line cannot be written, there is no such record, or no such kind.
        """
        if kind not in chain.KINDS or kind == "key" or (kind in chain.OF_A_RUN and not run_id):
            raise HarnessError(f"The ledger has no lines of kind {kind!r:.40} about run {run_id!r:.80}.")
        if run_id and record_sha256 is None:
            record_sha256 = digest_of_record(self.runs.run_dir(run_id))
        facts = {"run_id": run_id, "record_sha256": record_sha256, "who": who or user(), "note": note}
        return self._add(key if kind in chain.BY_PERSONS else None, {"kind": kind, **facts})[-1]

    def trust(self, public: str, *, key: Key, who: str | None = None, note: str = "") -> Entry:
        """Announce, signed with the key in force, that another one (``public``, hex) signs from the next line on.

        Raises ProtocolError where ``public`` is no public key or ``key`` is not the one in force, HarnessError as
        :meth:`append`.
        """
        if not is_public(public):
            raise ProtocolError(
                f"{public[:80]!r} is not a public key: 64 hexadecimal digits.", "`harness key new` prints it."
            )
        return self._add(key, {"kind": "key", "key": public, "who": who or user(), "note": note})[-1]

    def extend(self, wanted: Sequence[Mapping[str, Any]], *, key: Key | None) -> list[Entry]:
        """Add several lines in one write, from what :func:`chain.following` takes of each.

        Raises ProtocolError and HarnessError as :meth:`append`.
        """
        return self._add(key, *wanted)

    def require(self, key: Key | None) -> None:
        """Raise ProtocolError unless lines made by persons can be added with ``key``."""
        self._refuse_another(self.public_key() or "", key)

    def _add(self, key: Key | None, *wanted: Mapping[str, Any]) -> list[Entry]:
        """Write lines, before them one that names a key never used here; all of them or none."""
        with exclusive(self.path.with_suffix(".lock"), "the ledger", wait_seconds=60):
            length, last = self._end()
            in_force = last.entry.key if last else ""
            if key or any(facts["kind"] in chain.BY_PERSONS for facts in wanted):
                self._refuse_another(in_force, key)
            if key and not in_force:
                wanted = ({"kind": "key", "key": key.public, "who": user(), "note": "the first signature"}, *wanted)
            added: list[Line] = []
            for facts in wanted:
                entry = chain.following(added[-1] if added else last, key, **facts)
                added.append(Line(entry, entry.line()))
            with disk_errors(f"write {self.path}"):
                if added:
                    extend(self.path, length, b"".join(line.content for line in added))
                if added and not length:
                    sync_directory(self.path.parent)
        return [line.entry for line in added]

    def _refuse_another(self, in_force: str, key: Key | None) -> None:
        """Raise ProtocolError unless ``key`` may sign in a ledger whose key is ``in_force``."""
        if in_force and (key is None or key.public != in_force):
            here = f"the key here is {key.public}" if key else "there is no key here"
            raise ProtocolError(
                f"The ledger of {self.runs.path} is signed with the key {in_force}, and {here}: a line without that "
                "signature would count as forged.",
                f"{VARIABLE}=PATH names a key; `harness key trust` lets another one sign from now on.",
            )

    # --- reading ---

    def read(self) -> list[Entry]:
        """All entries in order, a torn last line left out. Raises HarnessError naming the first broken line."""
        return [entry for entry, _ in self.lines()]

    def public_key(self) -> str | None:
        """The key that signs now (hex); None: nothing is signed, so whoever can write the directory can add lines.

        Read from the last line; :meth:`verify` tells whether it is true.
        """
        _, last = self._end()
        return (last.entry.key or None) if last else None

    def recorded(self, run_id: str) -> str | None:
        """SHA-256 of the record that the ledger holds for a run now, None where it holds none; read from the end."""
        for content, _ in self._backwards():
            if run_id.encode(errors="replace") in content:
                entry = self._parsed(content).entry
                if entry.run_id == run_id and latest_records([entry]):
                    return entry.record_sha256
        return None

    def head(self) -> Head:
        """The last line that is not of kind ``publish``: a board published twice carries the same head."""
        for content, _ in self._backwards():
            entry = self._parsed(content).entry
            if entry.kind != "publish":
                return Head(entry.seq, hashlib.sha256(content).hexdigest())
        return Head(0, START)

    def first(self) -> str:
        """SHA-256 of the first line, by which one ledger is told from another; START where there is none."""
        with disk_errors(f"read {self.path}"):
            if not self.path.is_file():
                return START
            with self.path.open("rb") as file:
                line = file.readline()
        return hashlib.sha256(line).hexdigest() if line.endswith(b"\n") else START

    def signed_head(self, key: Key | None) -> SignedHead:
        """The head, signed if there is a key; a key never used here is named in the ledger first.

        Raises ProtocolError where the ledger is signed with another key, HarnessError where it cannot be written.
        """
        if key is None:
            return SignedHead(**vars(self.head()))
        if self.public_key() is None:
            self._add(key)
        self._refuse_another(self.public_key() or "", key)
        head = self.head()
        return SignedHead(head.lines, head.sha256, key.public, key.sign(head.signed_content()))

    def holds(self, head: Head) -> bool:
        """Whether that very line still is where it was: False for a chain written anew or cut behind it."""
        if head.lines < 1:
            return (head.lines, head.sha256) == (0, START)
        with disk_errors(f"read {self.path}"):
            if not self.path.is_file() or head.lines > self.path.stat().st_size:
                return False
            with self.path.open("rb") as file:
                line = next(islice(file, head.lines - 1, None), b"")
        return line.endswith(b"\n") and hashlib.sha256(line).hexdigest() == head.sha256

    # --- verifying ---

    def verify(self) -> list[str]:
        """What was edited or is missing, one sentence each; empty when all is well."""
        return [problem.what for problem in self.problems()]

    def problems(self, awaited: Collection[str] = ()) -> list[Problem]:
        """What was edited or is missing, by run where it is of one run; empty when all is well.

        A run that another harness is writing may have a record before it has its line: it is looked at again, and left
        to its writer. Runs that are ``awaited`` are to have their line later, too.
        """
        first = self._look()
        if not first.chain and not first.runs:
            return []
        busy = {run_id for _, run_id in first.runs if self.runs.being_written(run_id)}
        busy |= {run_id for fault, run_id in first.runs if fault == "unlisted" and run_id in awaited}
        again = self._look(first)
        runs = {
            fault: text for fault, text in again.runs.items() if first.runs.get(fault) == text and fault[1] not in busy
        }
        return [Problem("", text) for text in again.chain if text in first.chain] + _told(runs, again.held)

    def remarks(self) -> list[str]:
        """What is no tampering, but readers should know: that nothing is signed, that a clock was set back."""
        lines = self.lines()
        unsigned = "The ledger is not signed: whoever can write the runs directory can add lines to it."
        signed = any(line.entry.key for line in lines[-1:])
        return ([] if signed or not lines else [unsigned]) + chain.backwards(lines)

    def _look(self, before: _Look | None = None) -> _Look:
        """Ledger and records compared; the second time only where something was wrong before."""
        recorded = self.runs.run_ids()  # first: whatever is recorded from here on has its line later
        try:
            lines = self.lines()
        except HarnessError as error:
            return _Look([error.reason], {}, 0)
        latest = latest_records(line.entry for line in lines)
        asked = {run_id for _, run_id in before.runs} if before else {*recorded, *latest}
        faults = {}
        for run_id in recorded:
            if run_id in asked and run_id not in latest:
                faults["unlisted", run_id] = f"Run {run_id} has a record, but the ledger has no line for it."
        for run_id in latest:
            if run_id in asked:
                try:
                    if digest_of_record(self.runs.run_dir(run_id)) != latest[run_id]:
                        text = f"The record of run {run_id} is not the one in the ledger: it was edited afterwards."
                        faults["edited", run_id] = text
                except HarnessError as error:
                    faults["missing", run_id] = f"The ledger lists run {run_id[:200]}, but: {error.reason}"
        broken = [] if before and not before.chain else chain.problems(lines)
        return _Look(broken, faults, len(latest))

    # --- the file ---

    @few_collections()
    def lines(self) -> list[Line]:
        """All entries in order with their bytes, a torn last line left out. HarnessError names the first broken line."""
        with disk_errors(f"read {self.path}"):
            content = self.path.read_bytes() if self.path.is_file() else b""
        whole = content.split(b"\n")[:-1]
        return [Line(chain.parse(line, f"line {number}"), line + b"\n") for number, line in enumerate(whole, 1)]

    def _end(self) -> tuple[int, Line | None]:
        """Length in bytes of the whole lines, and the last of them."""
        return next(((end, self._parsed(content)) for content, end in self._backwards()), (0, None))

    def _backwards(self) -> Iterator[tuple[bytes, int]]:
        """Whole lines from the last to the first, each with the offset of its end; no more is read than is asked for."""
        with disk_errors(f"read {self.path}"):
            if self.path.is_file():
                with self.path.open("rb") as file:
                    yield from lines_backwards(file)

    def _parsed(self, content: bytes) -> Line:
        try:
            return Line(chain.parse(content, "line"), content)
        except HarnessError:
            self.lines()  # raises with the line's number
            raise


class _Look(NamedTuple):
    """One look at ledger and records."""

    chain: list[str]
    runs: dict[tuple[str, str], str]  # (fault, run id) -> sentence
    held: int  # runs in the ledger


_MANY = {
    "missing": "{n} of the ledger's {held} runs are not in this directory",
    "edited": "The records of {n} of the ledger's {held} runs are not those in the ledger",
    "unlisted": "{n} runs have a record, but the ledger has no line for them",
}


def _told(runs: dict[tuple[str, str], str], held: int) -> list[Problem]:
    """A sentence for each of a few runs with the same fault, one for many."""
    told = []
    for fault, sentence in _MANY.items():
        names = [run_id for kind, run_id in runs if kind == fault]
        if len(names) <= chain.NAMED:
            told += [Problem(run_id, runs[fault, run_id]) for run_id in names]
            continue
        first = f" ({', '.join(name[:200] for name in names[: chain.NAMED])} and {len(names) - chain.NAMED} more)"
        other = fault != "unlisted" and 2 * len(names) > held
        asked = ": is it the ledger of another one?" if other else "."
        told.append(Problem("", sentence.format(n=len(names), held=held) + first + asked))
    return told


def append(runs_dir: Path | str, kind: str, run_id: str = "", **facts: Any) -> Entry:
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
