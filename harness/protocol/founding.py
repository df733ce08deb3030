"""From a file of data to a challenge: data set, challenge, specification and card, written into a config directory.

Everything is written into a hidden folder of that directory first and composed from there, as any command would; only
what proved sound is moved to its place, the challenge's own file last.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from harness.data import Dataset
from harness.data.card import card, counted
from harness.data.own import pictures, sheet
from harness.data.own.source import digest, files_under
from harness.errors import NothingToMeasure, ProtocolError
from harness.protocol import catalogue, source, specifications
from harness.protocol.challenge import Challenge
from harness.protocol.compose import load_challenge
from harness.protocol.sizes import TITLES, settings_for
from harness.protocol.staging import staged, write, yaml_text
from harness.tracks import track_class

_KEPT = re.compile(r"`(columns: \{.*\})`")  # what a table says of its columns where nobody has said it
_SECRET = "Splits and noise are drawn from the secret: in a competition keep this file to yourself."


@dataclass(frozen=True)
class Wish:
    """What an organiser says of the challenge to be made; ``keys``: of the data set, as label, text, group, part."""

    name: str
    track: str
    data: Path
    keys: Mapping[str, Any] = field(default_factory=dict)
    title: str = ""


@dataclass(frozen=True)
class Founded:
    """What was written, and what was found in the data."""

    challenge: Challenge
    dataset: Dataset
    files: tuple[Path, ...]
    findings: tuple[str, ...]


def found(wish: Wish, config_dir: Path) -> Founded:
    """Look at the data and write everything; nothing is left where something is wrong.

    Raises
    ------
    ProtocolError: a name that cannot be one or is taken, data that cannot be read (row and column named), or that are too
        few for the track.
    """
    source.check_name(wish.name, Path("challenge") / f"{wish.name}.yaml")
    if not wish.data.exists():
        raise ProtocolError(f"There is no {wish.data}.", "--data names a file, or a folder of files.")
    with staged(config_dir) as stage:
        taken = [path for path in _places(wish, config_dir).values() if path.exists()]
        if taken:
            raise ProtocolError(f"{taken[0]} exists already; nothing was written.", "Choose another name.")
        return _move(_stage(wish, config_dir, stage), wish, config_dir, stage)


def _stage(wish: Wish, config_dir: Path, stage: Path) -> Founded:
    """Write everything into ``stage`` and compose it there."""
    relative = _relative(wish, config_dir)
    (stage / relative).parent.mkdir(parents=True, exist_ok=True)
    _copy(wish.data, stage / relative, _link if _is_below(wish.data, config_dir) else shutil.copy2)
    plain = {"name": _kind(wish), "path": relative.as_posix(), **wish.keys}
    track = track_class(wish.track) if wish.track in TITLES else None
    if track is None:
        raise ProtocolError(f"No challenge is made for the track {wish.track!r:.80}.", f"Known: {', '.join(TITLES)}.")
    places = _places(wish, stage)
    write(places["dataset"], yaml_text(plain))
    quick = load_challenge(catalogue.quick_challenge(track.task.kind))
    protocol = {"title": wish.title or f"{TITLES[wish.track]} ({wish.name})", "secret": secrets.token_hex(16)}
    protocol |= {"baseline": quick.baseline}
    anyhow = replace(wish, track="debugging")  # whose settings need nothing of the data, to read these
    write(places["challenge"], _challenge(anyhow, protocol))
    dataset = load_challenge(wish.name, config_dir=stage).load_dataset()

    pinned = re.search(r"`sha256: ([0-9a-f]{64})`", " ".join(dataset.notes))
    inferred = _KEPT.search(" ".join(dataset.notes))
    plain |= ({"sha256": pinned[1]} if pinned else {}) | (yaml.safe_load(inferred[1]) if inferred else {})
    write(places["dataset"], yaml_text(plain, "Kinds and keys: docs/datasets/own.md."))
    sizes = settings_for(wish.track, dataset, by_part="part" in wish.keys, by_time="time" in wish.keys)
    write(places["challenge"], _challenge(wish, protocol | {"track": sizes}))
    challenge = load_challenge(wish.name, config_dir=stage)
    fitting = catalogue.baseline_names(track.task.kind, challenge.left_out())
    if challenge.baseline not in fitting:
        protocol["baseline"] = "random"
        write(places["challenge"], _challenge(wish, protocol | {"track": sizes}))
        challenge = load_challenge(wish.name, config_dir=stage)
    dataset = challenge.load_dataset()
    write(places["spec"], specifications.begun(wish.name, dataset, challenge.dataset, wish.data))
    write(places["card"], card(specifications.read(places["spec"]), counted(dataset)))
    return Founded(challenge, dataset, (), (*dataset.notes, *_unmeasured(challenge, dataset)))


def _move(made: Founded, wish: Wish, config_dir: Path, stage: Path) -> Founded:
    relative = _relative(wish, config_dir)
    moves = {stage / relative: config_dir / relative}
    if (config_dir / relative).exists():  # there from the first, or from an earlier challenge on the same data
        if _digest(stage / relative) != _digest(config_dir / relative):
            raise ProtocolError(f"{config_dir / relative} exists already and holds other data.", "Rename one of them.")
        moves = {}
    there, here = _places(wish, config_dir), _places(wish, stage)
    moves |= {here[what]: there[what] for what in ("spec", "card", "dataset", "challenge")}
    for made_here, place in moves.items():
        place.parent.mkdir(parents=True, exist_ok=True)
        made_here.rename(place)
    return Founded(made.challenge, made.dataset, tuple(moves.values()), made.findings)


def _digest(path: Path) -> str:
    base = path if path.is_dir() else path.parent
    return digest(files_under(path, base), base)


def _places(wish: Wish, root: Path) -> dict[str, Path]:
    files = {"spec": "yaml", "dataset": "yaml", "challenge": "yaml"}
    return {"card": root / "cards" / f"{wish.name}.md"} | {
        what: root / what / f"{wish.name}.{suffix}" for what, suffix in files.items()
    }


def _is_below(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


def _relative(wish: Wish, config_dir: Path) -> Path:
    """Where the data are, below the config directory; brought into ``data/`` where they are not in it yet."""
    path = wish.data.resolve()
    return path.relative_to(config_dir.resolve()) if _is_below(path, config_dir) else Path("data") / path.name


def _kind(wish: Wish) -> str:
    path = wish.data
    if path.is_dir():
        suffixes = {file.suffix.lower() for file in path.rglob("*") if file.is_file() and file.name[0] != "."}
        if suffixes & {*pictures.SUFFIXES}:
            return "images"
        if suffixes == {".txt"}:
            return "text"
        if suffixes == {".npy"}:
            return "arrays"
        raise ProtocolError(f"{path} holds neither pictures nor .txt files.", "A folder a class, the files in it.")
    if path.suffix.lower() in sheet.SUFFIXES:
        return "text" if "text" in wish.keys else "table"
    if path.suffix.lower() == ".npz":
        return "arrays"
    if path.suffix.lower() in (".json", ".jsonld"):
        return "croissant"
    raise ProtocolError(
        f"{path} is of no kind that is read.",
        f"Tables and texts end in {', '.join(sheet.SUFFIXES)}, arrays in .npz; arrays, pictures and texts may be folders.",
    )


def _copy(path: Path, target: Path, one: Any) -> None:
    if path.is_dir():
        shutil.copytree(path, target, copy_function=one, symlinks=True)
    else:
        one(path, target)


def _link(path: str | Path, target: str | Path) -> object:
    with contextlib.suppress(OSError):
        os.link(path, target)
        return target
    return shutil.copy2(path, target)


def _unmeasured(challenge: Challenge, dataset: Dataset) -> list[str]:
    """A sentence where on some seeds nothing can be measured. Raises ProtocolError where the data do not suffice."""
    track, said = challenge.load_track(dataset, device="cpu"), []
    for seed in range(challenge.seeds):
        try:
            track.prepare(seed)
        except NothingToMeasure as error:
            said.append(str(error))
    return [f"On {len(said)} of {challenge.seeds} seeds nothing can be measured: {said[0]}"] if said else []


def _challenge(wish: Wish, protocol: Mapping[str, Any]) -> str:
    groups = {"track": wish.track, "dataset": wish.name, "model": "logistic"}
    return yaml_text(
        {"defaults": [{f"override /{group}": choice} for group, choice in groups.items()], **protocol}, _SECRET
    )
