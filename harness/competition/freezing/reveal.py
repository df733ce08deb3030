"""Revealing a secret when a competition is over: from then on anybody can draw its splits, and run every entry again."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.competition.freezing import yaml_line
from harness.competition.freezing.freeze import may_sign, own_file
from harness.errors import HarnessError, ProtocolError
from harness.evaluation import frozen
from harness.leaderboard.phase import now
from harness.protocol import lock, rules, source
from harness.protocol.challenge import Challenge
from harness.protocol.compose import load_challenge
from harness.tracking.files import json_bytes, one_writer, read_bytes, write_bytes_atomic
from harness.tracking.ledger import Ledger
from harness.tracking.signature import Key

SUFFIX = ".revealed.json"
_HOW = (
    "commitment is HMAC-SHA256 under secret over settings written as JSON in ASCII with sorted keys and without spaces; "
    "fingerprint is SHA-256 over the same bytes followed by commitment in hexadecimal digits; `harness verify` computes both."
)


@dataclass(frozen=True)
class Revealed:
    """What was published, and whether it was so before."""

    path: Path
    fingerprint: str
    commitment: str
    new: bool


def reveal(
    name: str, config_dir: Path, runs_dir: Path | str, out: Path, *, who: str, why: str, key: Key | None = None
) -> Revealed:
    """Publish the secret of a challenge: a file in ``out``, the lock beside it, the challenge's own file, a ledger line.

    After a kill in between, doing it again does what is left.

    Raises
    ------
    ProtocolError: before the public phase has closed or the final one opens, a secret that is open anyhow, a challenge
        that is not what was frozen, a file of another secret in ``out``.
    HarnessError: the disk refuses, or the ledger is broken.
    """
    if not who.strip() or not why.strip():
        raise ProtocolError("Revealing says who decides and why: neither --who nor --why may be empty.")
    file, ledger = own_file(name, config_dir), Ledger(runs_dir)
    with one_writer(file.parent):
        challenge = load_challenge(name, config_dir=config_dir)
        if challenge.practice:
            raise ProtocolError(f"The secret of {name} is open: there is nothing to reveal.")
        entries = ledger.read()
        _refuse_early(challenge, now(entries))
        facts = _facts(challenge)
        _refuse_drift(challenge, facts)
        may_sign(ledger, key)
        path, content = out / f"{name}{SUFFIX}", json_bytes(facts)
        there = path.read_bytes() if path.is_file() else content
        if there != content:
            raise ProtocolError(f"{path} holds what was revealed of another secret or version.", "--out names a place.")

        write_bytes_atomic(path, content)
        _open_up(challenge, file)
        told = any(entry.kind == "reveal" and facts["commitment"] in entry.note for entry in entries)
        if not told:
            note = (
                f"{name} version {challenge.version} commitment {facts['commitment']} secret {challenge.secret}: {why}"
            )
            ledger.append("reveal", who=who, note=note, key=key)
        _publish_lock(lock.place(config_dir, name), out / f"{name}.lock")
    return Revealed(path, facts["fingerprint"], facts["commitment"], not told)


def check(path: Path) -> list[str]:
    """What in a file of :func:`reveal` does not agree, in itself and with the board beside it: a sentence each.

    Raises HarnessError where it is no such file.
    """
    plain = _read(path)
    try:
        settings, text = dict(plain["settings"]), str(plain["secret"])
        content = json.dumps(settings, sort_keys=True, separators=(",", ":")).encode()
        commitment = hmac.new(text.encode(), content, "sha256").hexdigest()
        expected = {
            "challenge": settings["name"],
            "version": settings["version"],
            "fingerprint": hashlib.sha256(content + commitment.encode()).hexdigest(),
            "commitment": commitment,
            "data_digest": settings["data_digest"],
            "how": _HOW,
        }
        said = {key: plain[key] for key in expected}
    except (KeyError, TypeError, ValueError) as error:
        raise HarnessError(f"{path} is not what `harness challenge reveal` writes: {error!r:.200}.") from error
    found = [
        f"{key} is {said[key]!r:.80}; settings, secret and data give {expected[key]!r:.80}."
        for key in expected
        if said[key] != expected[key]
    ]
    board = path.with_name(f"{path.name.removesuffix(SUFFIX)}.json")
    if board.is_file():
        theirs = _read(board)
        found += [
            f"{key} is {said[key]!r:.80}; the board {board.name} has {theirs[key]!r:.80}."
            for key in ("challenge", "version", "fingerprint", "commitment")
            if key in theirs and theirs[key] != said[key]
        ]
    return found


def _facts(challenge: Challenge) -> dict[str, Any]:
    digest = challenge.load_dataset().digest()
    commitment = challenge.commitment(digest)
    return {
        "challenge": challenge.name,
        "version": challenge.version,
        "fingerprint": challenge.fingerprint_under(digest, commitment),
        "commitment": commitment,
        "data_digest": digest,
        "settings": json.loads(challenge.canonical(digest)),
        "secret": challenge.secret,
        "how": _HOW,
    }


def _refuse_early(challenge: Challenge, time: datetime) -> None:
    phases = challenge.phases
    if phases is None:
        return
    dates = {
        "its public phase closes on": phases.public.closes,
        "its final phase opens on": phases.final.opens if phases.final else None,
    }
    for what, date in dates.items():
        if date and time < date:
            raise ProtocolError(
                f"The secret of {challenge.name} stays a secret for now: {what} {rules.written(date)}.",
                "With it anybody could draw the hidden rows, while entries are still being made.",
            )


def _refuse_drift(challenge: Challenge, facts: Mapping[str, Any]) -> None:
    """What is revealed must be what was frozen; versions of packages and the roster are no part of it."""
    identity = {key: facts[key] for key in ("data_digest", "commitment", "fingerprint")}
    drifted = list(frozen.differences(challenge.lock.facts["identity"], identity)) if challenge.lock else []
    if drifted:
        raise ProtocolError(
            f"{challenge.name} is not what was frozen on {challenge.lock.frozen[:10] if challenge.lock else ''}, so its secret "
            f"would prove nothing: {'; '.join(drifted)}.",
            "Put its settings and data back.",
        )


def _open_up(challenge: Challenge, file: Path) -> None:
    """The secret itself in the challenge's own file, so that whoever has the config directory can run it."""
    own = source.load(file)
    if own.get("secret") == challenge.secret and yaml_line.REVEALED in file.read_text(encoding="utf-8"):
        return
    comment = f"{yaml_line.REVEALED}{rules.written(datetime.now(UTC))}: anybody can draw the splits"
    yaml_line.put(file, "secret", challenge.secret, instead_of=("secret_file",), comment=comment)
    if (
        load_challenge(challenge.name, config_dir=file.parent.parent).secret_file is not None
    ):  # of one that it builds on
        yaml_line.put(file, "secret_file", None)


def _publish_lock(place: Path, published: Path) -> None:
    """What was frozen is published, and holds nobody up any more: others have other versions and no roster."""
    if place.is_file():
        write_bytes_atomic(published, place.read_bytes())
        place.unlink()


def _read(path: Path) -> dict[str, Any]:
    try:
        plain = json.loads(read_bytes(str(path)))
    except (ValueError, RecursionError) as error:
        raise HarnessError(f"{path} is not JSON.", "It was edited; take the published one.") from error
    if not isinstance(plain, dict):
        raise HarnessError(f"{path} is not what `harness challenge reveal` writes.")
    return plain
