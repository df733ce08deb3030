"""The lines of a ledger: what they say, how each follows from the one before it, who signed it.

Nothing here touches the disk; :mod:`harness.tracking.ledger` reads and writes.

=============  ======================  ================================================================================
kind           who acts                what the line says
=============  ======================  ================================================================================
``run``        the harness, anywhere   a run was recorded; ``record_sha256`` is that of its record
``release``    a judge                 a suspicious run may rank; the note says what was found
``reproduce``  whoever ran it again    the run was done again; the note holds the verdict
``publish``    the organiser           a board was published; the note says which
``key``        the organiser           from here on ``key`` signs: the first line of this kind is signed by the key it
                                       names, a later one by the key before it
``import``     the organiser           runs were brought here; the note says from where
``rebuild``    the organiser           the MLflow store was made again from the records; the note says why
``entry``      the organiser           a team handed something in; the note says what and when (JSON)
``replace``    who has the directory   the run takes the place of an earlier one, which the note names
``select``     a team, by an organiser the run is the one of its team that counts
``withdraw``   a team, by an organiser the run counts no longer; the note says why
``disqualify`` the organiser           the run, and its team, rank no longer; the note says why
``reinstate``  the organiser           a withdrawal or disqualification of the run has ended; the note says why
``freeze``     the organiser           a challenge was frozen; the note names it and the digest of its lock
``reveal``     the organiser           a challenge's secret was published
``finalise``   the organiser           a competition is over; the note names the challenge
``merge``      the organiser           runs of another directory were brought here; the note names the head of this
                                       chain and that of the other, whose lines of persons follow as copies
=============  ======================  ================================================================================

All but ``run`` are made by persons and signed where there is a key. Every line carries the key in force, so that the
last line alone tells what the next one needs.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from harness.errors import HarnessError
from harness.tracking.signature import Key, verified

LEDGER = "ledger.jsonl"
START = "0" * 64
OF_A_RUN = ("run", "release", "reproduce", "replace", "select", "withdraw", "disqualify", "reinstate")
OF_A_COMPETITION = ("entry", "freeze", "reveal", "finalise")
BY_PERSONS = (*OF_A_RUN[1:], "publish", "key", "import", "merge", "rebuild", *OF_A_COMPETITION)
KINDS = ("run", *BY_PERSONS)
MAX_LINE = 64_000  # bytes
MAX_NOTE, _MAX_WHO = 2000, 200  # characters
NAMED = 5  # of many lines or runs with the same fault
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00")
_PURPOSE = b"harness ledger line\n"  # a signature of something else is never one of a line


@dataclass(frozen=True)
class Entry:
    """One line of the ledger."""

    seq: int  # from 1
    time: str  # UTC, ISO 8601, never before that of the line before it
    kind: str  # one of KINDS
    run_id: str  # empty where the line speaks of no run
    record_sha256: str | None  # of the record of this run when the line was written
    who: str
    note: str
    prev: str  # SHA-256 of the line before, START for the first
    key: str = ""  # public key that signs from the next line on (hex); empty as long as nothing is signed
    signature: str = ""  # Ed25519, hex, over `signed_content`; empty: not signed
    sha256: str = ""  # of this line with an empty text here: nothing follows the last line yet

    def sealed(self, key: Key | None = None) -> Entry:
        """The same entry, signed if there is a key, with its own digest."""
        signature = key.sign(self.signed_content()) if key else self.signature
        bare = replace(self, signature=signature, sha256="")
        return replace(bare, sha256=hashlib.sha256(bare.line()).hexdigest())

    def signed_content(self) -> bytes:
        """What a signature covers: the line without signature and own digest, and what it is for."""
        return _PURPOSE + replace(self, signature="", sha256="").line()

    def line(self) -> bytes:
        """The entry as written, newline included; key and signature only where there are any."""
        values = vars(self)
        kept = {name: values[name] for name in _FIELDS if values[name] or name not in _OPTIONAL}
        return (_JSON.encode(kept) + "\n").encode()


_FIELDS = tuple(field.name for field in fields(Entry))
_OPTIONAL = {"key", "signature"}
_JSON = json.JSONEncoder(ensure_ascii=True, allow_nan=False)
_ENTRY = TypeAdapter(Entry)


class Line(NamedTuple):
    """An entry and its bytes."""

    entry: Entry
    content: bytes  # newline included


@dataclass(frozen=True)
class Head:
    """A place in the chain: the last line that publishing a board does not move."""

    lines: int  # seq of this line, 0 in an empty ledger
    sha256: str  # of the line, newline included; START in an empty ledger

    def signed_content(self) -> bytes:
        """What a signature of the head covers."""
        return f"harness ledger head\n{self.lines}\n{self.sha256}\n".encode()


@dataclass(frozen=True)
class SignedHead(Head):
    """A head as a board carries it; without key and signature where nobody signed it."""

    public_key: str | None = None
    signature: str | None = None

    def genuine(self) -> bool:
        """Whether the signature is that of ``public_key`` over this head; whose key that is, it cannot tell."""
        return bool(self.public_key and self.signature) and verified(
            self.public_key or "", self.signature or "", self.signed_content()
        )


_HEAD = TypeAdapter(SignedHead)


def parse(content: bytes, name: str) -> Entry:
    """The entry in one line. Raises HarnessError naming the line (``name``) where it is none."""
    try:
        if len(content) > MAX_LINE:
            raise ValueError("longer than any entry")
        return _ENTRY.validate_json(content, strict=True)
    except (ValidationError, ValueError) as error:
        text = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise HarnessError(
            f"{LEDGER} {name} is not an entry ({text[:120]}): it was edited.",
            "Restore the ledger from a copy; it is only ever appended to.",
        ) from error


def following(
    before: Line | None,
    signer: Key | None,
    *,
    kind: str,
    who: str,
    note: str = "",
    run_id: str = "",
    record_sha256: str | None = None,
    key: str = "",
    verbatim: bool = False,
) -> Entry:
    """The entry that comes after ``before`` (None: the first), signed if a person makes it and there is a key.

    Its time is never before that of the line above: where this machine's clock is, the note says what it showed, unless
    it is to stay as it is (``verbatim``).
    """
    time = now = datetime.now(UTC).isoformat(timespec="milliseconds")
    note = _writable(note)[:MAX_NOTE]
    if before and _TIME.fullmatch(before.entry.time) and now < before.entry.time:
        time = before.entry.time
        note = note if verbatim else f"{note} (the clock here said {now})".strip()
    return Entry(
        seq=before.entry.seq + 1 if before else 1,
        time=time,
        kind=kind,
        run_id=run_id,
        record_sha256=record_sha256,
        who=_writable(who)[:_MAX_WHO],
        note=note,
        prev=hashlib.sha256(before.content).hexdigest() if before else START,
        key=key or (before.entry.key if before else ""),
    ).sealed(signer if kind in BY_PERSONS else None)


def _writable(text: str) -> str:
    """The text without lone surrogates (a command line's undecodable bytes), which JSON readers refuse."""
    return text.encode("utf-8", errors="replace").decode()


def parse_head(value: object) -> SignedHead:
    """The head in a published board's JSON. Raises HarnessError where it is none."""
    try:
        return _HEAD.validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part)[:40] for part in first["loc"]) or "it"
        raise HarnessError(f"This is no head of a ledger: {where}: {first['msg'][:120]}.", "") from error


def latest_records(entries: Iterable[Entry]) -> dict[str, str]:
    """SHA-256 of the record of every run that a ledger holds now, by run id."""
    return {entry.run_id: entry.record_sha256 for entry in entries if entry.kind == "run" and entry.record_sha256}


def standing(entries: Iterable[Entry], kind: str) -> dict[str, Entry]:
    """The lines of a kind that still hold, by run id: the last one of each run, if it speaks of the record held now.

    A release or a verdict ends when the record changes; lines of older versions, which name no record, hold nothing.
    """
    entries = list(entries)
    latest = latest_records(entries)
    last = {entry.run_id: entry for entry in entries if entry.kind == kind}
    return {
        run_id: entry
        for run_id, entry in last.items()
        if entry.record_sha256 and entry.record_sha256 == latest.get(run_id)
    }


def problems(lines: list[Line]) -> list[str]:
    """What was edited, removed, added, reordered, or not signed by whom it should be; one sentence each."""
    return [*_broken(lines), *_unsigned(lines)]


def backwards(lines: list[Line]) -> list[str]:
    """Lines whose time is before that of the line above. A wrong clock, not tampering; this version writes none."""
    pairs = pairwise(entry for entry, _ in lines)
    names = [f"{_name(entry)}, {entry.time[:40]}," for before, entry in pairs if entry.time < before.time]
    return list(_each(names, "is earlier than the line before it: a clock was set back."))


def _name(entry: Entry) -> str:
    return f"line {entry.seq} ({' '.join(part[:100] for part in (entry.kind, entry.run_id) if part)})"


def _broken(lines: list[Line]) -> Iterator[str]:
    """Breaks of the chain itself, which anybody can check without a key."""
    previous, sealed = START, False
    for number, (entry, content) in enumerate(lines, 1):
        if entry.seq != number:
            yield f"{LEDGER} line {number} has seq {entry.seq}: entries were removed, added or reordered."
            return
        if entry.prev != previous:
            yield (
                f"{LEDGER} {_name(entry)} does not follow from the line before it: "
                f"line {max(1, number - 1)} or {number} was edited."
            )
        sealed = sealed or bool(entry.sha256 or entry.key)  # the first lines of an old ledger are not
        if sealed and not _is_sealed(entry, content):
            yield f"{LEDGER} {_name(entry)} was edited."
        if entry.kind not in KINDS:
            yield (
                f"{LEDGER} line {number} is of a kind that this version does not know, {entry.kind[:40]!r}: "
                "a newer harness wrote it, or it was added by hand."
            )
        previous = hashlib.sha256(content).hexdigest()


def _is_sealed(entry: Entry, content: bytes) -> bool:
    """Whether a line is written as the harness writes it and carries its own digest."""
    end = b'"sha256": "' + entry.sha256.encode() + b'"}\n'
    bare = content[: -len(end)] + b'"sha256": ""}\n'
    return content == entry.line() and hashlib.sha256(bare).hexdigest() == entry.sha256


def _unsigned(lines: list[Line]) -> Iterator[str]:
    """Lines that do not carry the key in force, or that a person made without that key's signature."""
    key, since = "", 0
    keyless: dict[int, list[str]] = {}  # by the line of the key
    strange: dict[int, list[str]] = {}
    for entry, _ in lines:
        announces = entry.kind == "key"
        if entry.kind == "run" and not entry.signature:
            if entry.key != key:
                keyless.setdefault(since, []).append(_name(entry))
        elif announces or key or entry.key or entry.signature:
            signed = verified(key or entry.key, entry.signature, entry.signed_content())
            if not signed or not (announces or entry.key == key):
                strange.setdefault(since, []).append(_name(entry))
            elif announces:
                key, since = entry.key, entry.seq
    for at, names in strange.items():
        whose = f"the key of line {at}" if at else "any key that this ledger names before"
        yield from _each(names, f"is not signed by {whose}: it was added by somebody else.")
    for at, names in keyless.items():
        what = f"does not carry the key of line {at}" if at else "carries a key that no line before it names"
        yield from _each(names, f"{what}: it was added by an older harness or by hand.")


def _each(names: list[str], what: str) -> Iterator[str]:
    """One sentence for each of a few lines, one for many."""
    if len(names) <= NAMED:
        yield from (f"{LEDGER} {name} {what}" for name in names)
    else:
        yield f"{LEDGER} {', '.join(names[:NAMED])} and {len(names) - NAMED} more: each {what}"
