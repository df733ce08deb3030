"""Freezing a challenge: its secret put where nobody else sees it, all that decides a score written down and announced.

Written in this order: secret, challenge's file, lock, ledger. After a kill in between, freezing again does what is left.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.competition.freezing import secret_place, yaml_line
from harness.errors import ProtocolError
from harness.evaluation import frozen
from harness.evaluation.versions import refuse_changed
from harness.protocol import lock, rules, source
from harness.protocol.challenge import Challenge
from harness.protocol.compose import load_challenge
from harness.tracking.files import one_writer, write_bytes_atomic
from harness.tracking.ledger import Ledger, user
from harness.tracking.runs import RunsDir
from harness.tracking.signature import Key


@dataclass(frozen=True)
class Frozen:
    """What was frozen, or was frozen already."""

    challenge: str
    version: int
    fingerprint: str
    secret_place: Path | None  # None: it comes from the environment
    secret: str  # how it came there; not the secret
    lock: Path
    lock_sha256: str
    changes: tuple[str, ...]  # against the lock before, a phrase each
    new: bool  # False: nothing has changed since it was frozen


def freeze(
    name: str,
    config_dir: Path,
    runs_dir: Path | str,
    *,
    who: str | None = None,
    key: Key | None = None,
    secret_file: Path | str | None = None,
    new_secret: bool = False,
) -> Frozen:
    """Freeze a challenge of ``config_dir``; freezing again what has not changed changes nothing.

    Raises
    ------
    ProtocolError: a shipped challenge, data that are not pinned, a broken roster, a weak secret or one in a place where
        others get to see it, a protocol that changed under a version that has runs, a ledger signed with another key.
    HarnessError: the disk refuses.
    """
    file = own_file(name, config_dir)
    runs, ledger = RunsDir(runs_dir), Ledger(runs_dir)
    with one_writer(file.parent):
        challenge = load_challenge(name, config_dir=config_dir)
        digest = _pinned_digest(challenge)
        _warn(challenge)
        refused = {"the config directory": config_dir, "the runs directory": runs.path}
        planned = secret_place.plan(challenge, file, secret_file=secret_file, new=new_secret, refused=refused)
        challenge = challenge.model_copy(update={"secret": planned.secret, "modified": False})
        facts = frozen.facts(challenge, digest)
        refuse_changed(challenge, digest, runs)
        may_sign(ledger, key)

        if planned.write and planned.place:
            secret_place.keep(planned, file)
            yaml_line.put(file, "secret_file", secret_place.written(planned.place), instead_of=("secret",))
        return _locked(challenge, planned, config_dir, facts, ledger, who or user(), key)


def own_file(name: str, config_dir: Path) -> Path:
    """The challenge's file in the config directory. Raises ProtocolError where there is none, as for shipped ones."""
    found = source.read(name, config_dir)
    if found.root != config_dir.resolve():
        raise ProtocolError(
            f"{name} is a shipped challenge: its file does not lie in {config_dir}, and its secret is open.",
            f"Write a challenge of your own, as {config_dir}/challenge/my_{name}.yaml with `defaults: [{name}]`.",
        )
    return config_dir / "challenge" / f"{name}.yaml"


def may_sign(ledger: Ledger, key: Key | None) -> None:
    """Raise ProtocolError where a line of ours would count as forged, before anything else is written."""
    in_force = ledger.public_key()
    if in_force and (key is None or key.public != in_force):
        raise ProtocolError(
            f"The ledger of {ledger.runs.path} is signed with the key {in_force}, which is not here; nothing was written.",
            "HARNESS_KEY=PATH names a key; `harness key trust` lets another one sign from now on.",
        )


def _pinned_digest(challenge: Challenge) -> str:
    dataset = challenge.load_dataset()
    if not challenge.dataset.pinned:
        note = next((note for note in dataset.notes if "sha256" in note), "its YAML has no digest")
        raise ProtocolError(f"The data of {challenge.name} are not pinned: {note.rstrip('.')}.")
    return dataset.digest()


def _warn(challenge: Challenge) -> None:
    """Rules that nobody can be held to without a roster."""
    ruled = [rule for rule in ("phases", "quota") if getattr(challenge, rule) is not None]
    if ruled and challenge.teams is None:
        warnings.warn(
            f"{challenge.name} has {' and '.join(ruled)} and no `teams`: entries belong to nobody, so quota and deadlines "
            "hold for nobody",
            stacklevel=3,
        )


def _locked(
    challenge: Challenge,
    planned: secret_place.Plan,
    config_dir: Path,
    facts: Mapping[str, Mapping[str, Any]],
    ledger: Ledger,
    who: str,
    key: Key | None,
) -> Frozen:
    """Write the lock, unless it says the same already, and the ledger's line, unless that is there."""
    path, before = lock.place(config_dir, challenge.name), challenge.lock
    changes = list(frozen.differences(before.facts, facts, was="was")) if before else []
    now = before if before and not changes else lock.Lock(facts, rules.written(datetime.now(UTC)), who)
    if now is not before:
        write_bytes_atomic(path, now.content())
    told = any(entry.kind == "freeze" and now.sha256 in entry.note for entry in ledger.read())
    fingerprint = facts["identity"]["fingerprint"]
    if not told:
        note = f"{challenge.name} version {challenge.version} fingerprint {fingerprint} lock {now.sha256}"
        changed = f"; changed: {'; '.join(changes)}" if changes else ""
        ledger.append("freeze", who=who, note=note + changed, key=key)
    return Frozen(
        challenge=challenge.name,
        version=challenge.version,
        fingerprint=fingerprint,
        secret_place=planned.place,
        secret=planned.said,
        lock=path,
        lock_sha256=now.sha256,
        changes=tuple(changes),
        new=now is not before or not told,
    )
