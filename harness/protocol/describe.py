"""A challenge in plain facts: what is pinned, what a participant is given, what must come back."""

from __future__ import annotations

from typing import Any

from harness.data import Dataset, DatasetSettings
from harness.data.specification import Specification
from harness.errors import NothingToMeasure
from harness.protocol import catalogue
from harness.protocol.challenge import Challenge
from harness.protocol.rules import written
from harness.tracks.base import Track


def describe(challenge: Challenge) -> dict[str, Any]:
    """The facts that ``harness show`` prints; draws the view of the first seed that can be measured, for true shapes.

    Raises ProtocolError where the data of the challenge cannot be had.
    """
    dataset = challenge.load_dataset()
    protocol = challenge.load_track(dataset, device="cpu")
    given = _given(protocol, challenge.seeds) | {
        "rng": "numpy Generator: the only randomness that reproduces",
        "model": f"fixed model {challenge.model.name}",
    }
    task = protocol.task
    fitting = catalogue.baseline_names(task.kind, challenge.left_out())
    return {
        "name": challenge.name,
        "title": challenge.title,
        "version": challenge.version,
        "track": protocol.track,
        "fingerprint": challenge.fingerprint(dataset),
        "protocol": {
            "track": f"{protocol.track} (protocol {protocol.name})",
            "metric": f"{protocol.metric} ({'higher' if protocol.direction == 'max' else 'lower'} is better)",
            "seeds": challenge.seeds,
            "draws": f"{challenge.draws} a seed of an algorithm's randomness"
            + (", averaged; one where a second changes nothing" if challenge.draws > 1 else ""),
            "task": (task.__doc__ or "").strip().split("\n")[0],
            "your function": f"{task.function}(task) returns {', '.join(task.outputs)}",
            "minimum isolation": challenge.minimum_isolation,
            "packages": _packages(challenge),
            "secret": "open, for practice" if challenge.practice else "kept",
        }
        | _rules(challenge),
        "task": given,
        "settings": {key: value for key, value in challenge.track.model_dump().items() if key != "name"},
        "dataset": _specified(challenge.specification)
        | _said(challenge.dataset)
        | {"rows": len(dataset.y), "classes": dataset.n_classes}
        | ({} if challenge.practice or not challenge.public_data else {"public data": "labels can be looked up"})
        | _notes(dataset),
        "fixed_model": challenge.model.model_dump(),
        **({"transfer": challenge.transfer.model_dump() | {"means": _TRANSFER}} if challenge.transfer else {}),
        "limits": challenge.limits.model_dump(),
        "submissions": {"default": challenge.baseline, "baselines": ", ".join(fitting)},
    }


_TRANSFER = "every output is scored with this model as well: a metric beside the score, never ranked by"


def _rules(challenge: Challenge) -> dict[str, str]:
    """The rules of a competition, where any are set, and whether it is frozen."""
    found: dict[str, str] = {}
    if challenge.counts != "last" or challenge.teams:
        found["counts"] = {
            "last": "a team's last entry stands", "best": "a team's best entry stands",
            "selected": "the entry that a team has selected stands",
        }[challenge.counts]  # fmt: skip
    if quota := challenge.quota:
        limits = {"a day": quota.per_day, "in all": quota.total}
        found["quota"] = ", ".join(f"{most} {when}" for when, most in limits.items() if most is not None) or "none"
    if phases := challenge.phases:
        public, final = phases.public, phases.final
        found["public phase"] = f"opens {written(public.opens)}" if public.opens else "open from the first"
        if public.ladder:
            found["public phase"] += f", scores move by more than {public.ladder:g} alone"
        if public.closes:
            found["deadline"] = written(public.closes)
        if final:
            found["public phase"] += f", on {public.share:.0%} of the hidden items"
            found["final phase"] = "on the other hidden items, published " + (
                written(final.opens) if final.opens else "when it is finalised"
            )
    if challenge.logs != "kept":
        found["logs"] = "what a submission prints is part of its report"
    if challenge.lock:
        found["frozen"] = challenge.lock.frozen
    return found


def _said(settings: DatasetSettings) -> dict[str, Any]:
    """The settings of a data set that somebody has set."""
    return {key: value for key, value in settings.model_dump().items() if value is not None}


def _specified(spec: Specification | None) -> dict[str, str]:
    """What the specification says in a line each, and where the rest is; nothing where there is none."""
    return {**spec.facts(), "card": f"harness dataset card {spec.name}"} if spec else {}


def _notes(dataset: Dataset) -> dict[str, str]:
    """What was found in an organiser's own data, numbered."""
    return {f"note {number}": note for number, note in enumerate(dataset.notes, 1)}


def _packages(challenge: Challenge) -> str:
    """What a submission may require."""
    if isinstance(challenge.packages, tuple):
        return f"a submission may require {', '.join(challenge.packages)}"
    return {"none": "none beside the harness's own", "any": "a submission may require any that have wheels"}[
        challenge.packages
    ]


def _given(protocol: Track[Any, Any], seeds: int) -> dict[str, str]:
    """The task's fields with types and shapes; where no seed can be measured, why the first of them cannot."""
    why = ""
    for seed in range(seeds):
        try:
            view, _ = protocol.prepare(seed)
        except NothingToMeasure as error:
            why = why or str(error)
            continue
        given = {
            name: f"{array.dtype} [{', '.join(map(str, array.shape))}]" if array is not None else "not given"
            for name, array in view.arrays.items()
        }
        given |= {name: f"texts [{len(texts)}]" for name, texts in view.texts.items()}
        return given | {name: str(value) for name, value in view.scalars.items()}
    return {"nothing can be measured on any seed": why}
