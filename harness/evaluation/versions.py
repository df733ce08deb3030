"""A version of a challenge is one challenge: what can change a score does not change under it once there are runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.errors import HarnessError, ProtocolError
from harness.evaluation.frozen import differences
from harness.protocol.challenge import USUAL, Challenge, counting
from harness.tracking import provenance
from harness.tracking.record import Record, read_record
from harness.tracking.runs import RunsDir

_SHOWN = 5  # differences


def refuse_changed(challenge: Challenge, data_digest: str, runs: RunsDir) -> None:
    """Raise ProtocolError where runs of this version were made of another challenge, with what has changed.

    Runs with overrides are none of the version's, and where the harness itself has changed nobody has to raise a version.
    Every session makes reference rows, so those are read first; all others only where these disagree, to be counted.
    """
    if challenge.modified:
        return
    fingerprint = challenge.fingerprint_under(data_digest, challenge.commitment(data_digest))
    references = list(_records(challenge, runs, f"{challenge.name}-reference-*"))
    looked_at = references or _records(challenge, runs, f"{challenge.name}-*")
    other = next(
        (r for r in looked_at if r.fingerprint != fingerprint and _is_another(challenge, data_digest, r)), None
    )
    if other is None:
        return
    theirs = [r for r in _records(challenge, runs, f"{challenge.name}-*") if r.fingerprint != fingerprint]
    theirs = [r for r in theirs if not r.reference] or theirs
    changed = _changes(challenge, data_digest, other) or ["the secret, or the code of a plug-in"]
    raise ProtocolError(
        f"{len(theirs)} run{'s' * (len(theirs) != 1)} in {runs.path} belong{'s' * (len(theirs) == 1)} to version "
        f"{challenge.version} of {challenge.name}, which has changed since: {'; '.join(changed[:_SHOWN])}"
        f"{' ...' * (len(changed) > _SHOWN)}.",
        f"Raise version: `version: {challenge.version + 1}` in its file; or put back what was changed.",
    )


def _records(challenge: Challenge, runs: RunsDir, pattern: str) -> Iterator[Record]:
    """Readable records of this version, without overrides."""
    for path in sorted(runs.path.glob(f"{pattern}/record.json")):
        try:
            record = read_record(path)
        except HarnessError:  # verification says what is wrong with it
            continue
        if (record.challenge, record.challenge_version) == (challenge.name, challenge.version) and not record.modified:
            yield record


def _is_another(challenge: Challenge, data_digest: str, record: Record) -> bool:
    """Whether a record of another fingerprint is of another challenge, not of another harness."""
    return record.source == provenance.source() or bool(_changes(challenge, data_digest, record))


def _changes(challenge: Challenge, data_digest: str, record: Record) -> list[str]:
    """Settings that count and that both have, and data, where they differ: a phrase each."""
    try:
        then, now = (
            {"phases": None} | counting({**USUAL, **settings}, challenge.dataset.whereabouts)
            for settings in (record.settings, challenge.pinned())
        )
    except (KeyError, TypeError, AttributeError):  # no settings of a challenge: verification says so
        return []
    changed = list(differences(*_both(then, now), was="was"))
    return changed + (["the data"] if data_digest not in record.data_digests.values() else [])


def _both(then: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two nested sets of settings, reduced to the keys of both: a harness may have learned new ones."""
    left: dict[str, Any] = {}
    right: dict[str, Any] = {}
    for key in then.keys() & now.keys():
        was, is_ = then[key], now[key]
        left[key], right[key] = _both(was, is_) if isinstance(was, Mapping) and isinstance(is_, Mapping) else (was, is_)
    return left, right
