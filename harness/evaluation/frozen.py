"""What a frozen challenge is held to: everything that decides a score or who may enter, as it is here and now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.errors import ProtocolError
from harness.protocol import roster, secret
from harness.protocol.challenge import Challenge
from harness.tracking import provenance

_MACHINE = ("platform", "processor")  # a result is the same on another, up to the stated tolerance
_SHOWN = 8  # differences


def facts(challenge: Challenge, data_digest: str) -> dict[str, dict[str, Any]]:
    """What a lock holds, by group; no secret, no path, no team. Raises ProtocolError where the roster is broken."""
    commitment = challenge.commitment(data_digest)
    settings = {key: value for key, value in challenge.pinned().items() if key != "secret"}
    for key in challenge.dataset.whereabouts:
        settings["dataset"].pop(key, None)
    versions = {name: said for name, said in provenance.versions().items() if name not in _MACHINE}
    return {
        "settings": settings,
        "identity": {
            "data_digest": data_digest,
            "commitment": commitment,
            "fingerprint": challenge.fingerprint_under(data_digest, commitment),
        },
        "harness": {
            "scorer_version": challenge.track_type.scorer_version,
            "model_version": challenge.model.version,
            "source": provenance.source(),
            "statistics": provenance.statistics(),
        },
        "versions": versions,
        "teams": {"roster": roster.read(challenge.teams).digest if challenge.teams else None},
    }


def refuse_drift(challenge: Challenge, data_digest: str) -> None:
    """Raise ProtocolError, naming every difference, where a frozen challenge is no longer what was frozen.

    So it is where its secret is a weak one.
    """
    if challenge.lock is None or challenge.modified:
        return
    secret.require_strong(challenge.secret, f"of {challenge.name}, which is frozen,")
    drifted = list(differences(challenge.lock.facts, facts(challenge, data_digest)))
    drifted.sort(key=lambda what: what.startswith("identity."))  # causes before what follows from them
    if drifted:
        more = f"; and {len(drifted) - _SHOWN} more" if len(drifted) > _SHOWN else ""
        raise ProtocolError(
            f"{challenge.name} was frozen on {challenge.lock.frozen[:10]} and is not what was frozen: "
            f"{'; '.join(drifted[:_SHOWN])}{more}.",
            "Put it back, or, where the change is meant, raise `version` if it can change a score and say "
            f"`harness challenge freeze {challenge.name}` again.",
        )


def differences(
    frozen: Mapping[str, Any], here: Mapping[str, Any], above: str = "", *, was: str = "frozen was"
) -> Iterator[str]:
    """What is not the same in two nested sets of facts, a phrase each; ``was`` introduces the older one's."""
    for key in sorted({*frozen, *here}, key=str):
        then, now = frozen.get(key), here.get(key)
        name = f"{above}.{key}" if above else str(key)
        if isinstance(then, Mapping) and isinstance(now, Mapping):
            yield from differences(then, now, name, was=was)
        elif then != now:
            yield f"{name} is {now!r:.80}, {was} {then!r:.80}"
