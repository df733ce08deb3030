"""The challenge of a bundle: the same protocol on other data and under an open secret, written and drawn once."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from harness.competition.bundling import practice, stand_in
from harness.data import Dataset
from harness.data.own.settings import OwnSettings
from harness.data.own.source import digest, within
from harness.errors import NothingToMeasure, ProtocolError
from harness.paths import CONF_DIR
from harness.protocol import source
from harness.protocol.challenge import Challenge
from harness.protocol.compose import homes_of, load_challenge
from harness.randomness import OPEN_SECRET

_LEFT_OUT = ("name", "secret", "quota", "phases", "dataset", "track", "model")
_LOOKED_AT = 10  # seeds


def write(
    challenge: Challenge, official: Dataset, config_dir: Path, conf: Path, chosen: str | None
) -> tuple[Challenge, str]:
    """The challenge of the bundle, written and composed, and what its data are.

    Of several stand-ins the first on which every seed, else the one on which most seeds can be measured. Raises
    ProtocolError where none can.
    """

    def written(attempt: int) -> tuple[Challenge, str]:
        choice, settings, data = practice.write(challenge, official, config_dir, conf, chosen, attempt)
        _write_challenge(challenge, config_dir, conf, choice, settings)
        return _pinned(load_challenge(challenge.name, config_dir=conf), conf, choice), data

    made_up = chosen is None and not challenge.public_data
    measured = []
    for attempt in range(stand_in.ATTEMPTS if made_up else 1):
        here, data = written(attempt)
        seeds = _measured(here)
        if all(seeds):
            return here, data
        measured.append((seeds[0], sum(seeds)))
    best = max(range(len(measured)), key=measured.__getitem__)
    if not measured[best][1]:
        raise ProtocolError(
            "On the data of the bundle no seed can be measured: nothing can be won on them.",
            "--practice DATASET names data of your config directory to practise on.",
        )
    return written(best)


def _measured(challenge: Challenge) -> list[bool]:
    """Of the first seeds, on which there is something to measure."""
    track, found = challenge.load_track(challenge.load_dataset(), device="cpu"), []
    for seed in range(min(challenge.seeds, _LOOKED_AT)):
        try:
            track.prepare(seed)
            found.append(True)
        except NothingToMeasure:
            found.append(False)
    return found


def _write_challenge(
    challenge: Challenge, config_dir: Path, conf: Path, choice: str, settings: Mapping[str, Any]
) -> None:
    """The challenge's file: all that is pinned but for what is the organiser's; its track and model where not shipped."""
    plain: dict[str, Any] = {"defaults": [{"override /dataset": choice}]}
    plain |= {key: value for key, value in challenge.pinned().items() if key not in _LEFT_OUT} | {"secret": OPEN_SECRET}
    if challenge.phases and challenge.phases.final:  # dates and quota are the organiser's; what is scored is the same
        plain["phases"] = {"public": {"share": challenge.phases.public.share}, "final": {"opens": None}}
    if settings:
        plain["dataset"] = dict(settings)
    for group, part in (("track", challenge.track), ("model", challenge.model)):
        config, inline = _part(group, part, challenge, config_dir, conf)
        plain["defaults"].append({f"override /{group}": config})
        plain[group] = inline
    file = conf / "challenge" / f"{challenge.name}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    remark = "# To practise on: the official draws come from a secret that the organiser keeps.\n"
    file.write_text(remark + yaml.safe_dump(plain, sort_keys=False, allow_unicode=True), encoding="utf-8")


def _part(group: str, part: Any, challenge: Challenge, config_dir: Path, conf: Path) -> tuple[str, dict[str, Any]]:
    """The config that a track or model builds on, and all its settings; its code, where the directory holds it."""
    plain: dict[str, Any] = part.model_dump(mode="json")
    choice = source.read(challenge.name, config_dir).groups[group]
    if (CONF_DIR / group / f"{choice}.yaml").is_file():
        return choice, plain
    (conf / group).mkdir(parents=True, exist_ok=True)
    (conf / group / f"{choice}.yaml").write_text(yaml.safe_dump(plain, sort_keys=False), encoding="utf-8")
    home = homes_of(challenge.name, config_dir)[group]
    module = plain["name"].partition(":")[0].partition(".")[0]
    if home and ":" in plain["name"]:
        for code in [home / f"{module}.py", *(home / module).rglob("*.py")]:
            if code.is_file():
                (conf / code.relative_to(home)).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(code, conf / code.relative_to(home))
    return choice, plain


def _pinned(challenge: Challenge, conf: Path, choice: str) -> Challenge:
    """The same, with the digest of its data in their config, so that nothing is said of unpinned data."""
    settings = challenge.dataset
    if settings.pinned or not isinstance(settings, OwnSettings) or settings.path is None:
        return challenge
    path, file = within(conf, settings.path), conf / "dataset" / f"{choice}.yaml"
    found = digest(settings.sources(path), path if path.is_dir() else path.parent)
    file.write_text(f"{file.read_text(encoding='utf-8')}sha256: {found}\n", encoding="utf-8")
    return load_challenge(challenge.name, config_dir=conf)
