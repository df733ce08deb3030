"""Suites: challenges that are ranked together, one file of ``conf/suite`` each."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import ProtocolError
from harness.protocol import source
from harness.tracks import track_class

_KEYS = ("title", "description", "challenges")


@dataclass(frozen=True)
class Suite:
    """A suite as its file says it; all its challenges exist and take submissions of one task kind."""

    name: str
    title: str
    description: str
    challenges: tuple[str, ...]
    track: str
    task: str


def read(name: str, config_dir: Path | None = None) -> Suite:
    """The suite of a name.

    Raises ProtocolError: there is none (with the nearest names), its file is broken, it names no challenge, one that does
    not exist or one twice, or its challenges take submissions of different kinds.
    """
    known = source.names(config_dir, "suite")
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
        hint = f"Did you mean {' or '.join(near)}?" if near else "`harness list suites` lists them."
        raise ProtocolError(
            f"There is no suite {name!r:.200}.",
            hint + ("" if config_dir else " One of your own needs --config-dir DIR."),
        )
    path = source.find("suite", name, config_dir)
    source.check_name(name, path, "suite")
    if f"suite_{name}" in source.names(config_dir):
        raise ProtocolError(
            f"There is a challenge suite_{name}: its board and that of {path} would be one file.", "Rename one."
        )
    values = source.load(path)
    problems = list(_problems(values))
    if problems:
        raise ProtocolError(
            f"{path}: {'; '.join(problems)}.", f"A suite has {', '.join(_KEYS)}, as conf/suite/quick.yaml."
        )
    challenges = tuple(values["challenges"])
    kinds: dict[str, list[str]] = {}
    track = ""
    for challenge in challenges:
        try:
            protocol = track_class(*source.read(challenge, config_dir).kind("track", config_dir))
        except ProtocolError as error:
            raise ProtocolError(f"{path} names {challenge}: {error.reason}", error.hint) from error
        kinds.setdefault(protocol.task.kind, []).append(challenge)
        track = protocol.track
    if len(kinds) > 1:
        raise ProtocolError(
            f"{path} mixes challenges that take different submissions: "
            f"{'; '.join(f'{kind} ({_some(found)})' for kind, found in kinds.items())}.",
            "A submission answers one kind of task, so a suite has challenges of one: make one suite for each.",
        )
    return Suite(name, values["title"], values.get("description", ""), challenges, track, next(iter(kinds)))


def _problems(values: Mapping[Any, Any]) -> Iterator[str]:
    unknown = [str(key) for key in values if key not in _KEYS]
    if unknown:
        yield f"does not know {', '.join(unknown):.200}"
    for key in ("title", "description"):
        if not isinstance(values.get(key, "" if key == "description" else None), str) or values.get(key) == "":
            yield f"needs a text as {key}" if key in values else f"has no {key}"
    challenges = values.get("challenges")
    if not isinstance(challenges, list) or not challenges:
        yield "names no challenges" if not challenges else "challenges is no list"
        return
    if strange := [entry for entry in challenges if not isinstance(entry, str)]:
        yield f"{strange[0]!r:.60} is not a challenge's name"
    elif twice := sorted({entry for entry in challenges if challenges.count(entry) > 1}):
        yield f"names {', '.join(twice)} twice"


def _some(found: list[str]) -> str:
    return ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")
