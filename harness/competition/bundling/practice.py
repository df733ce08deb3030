"""The data of a bundle: public ones by name, a data set to practise on, or stand-ins; never a row of the organiser's own."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import yaml

from harness.competition.bundling import stand_in
from harness.data import Dataset, DatasetSettings
from harness.data.own.settings import OwnSettings
from harness.data.own.sheet import SUFFIXES
from harness.data.own.source import within
from harness.errors import ProtocolError
from harness.paths import CONF_DIR
from harness.protocol import source
from harness.protocol.challenge import Challenge
from harness.protocol.compose import load_challenge


def write(
    challenge: Challenge, official: Dataset, config_dir: Path, conf: Path, practice: str | None, attempt: int = 0
) -> tuple[str, dict[str, Any], str]:
    """Put the data into ``conf``: name of their config, settings that the challenge adds to it, what they are.

    ``attempt``: which of several stand-ins. Raises ProtocolError where ``practice`` names no data set, or one with rows of the official data.
    """
    if practice is not None:
        return _practice(challenge, official, config_dir, conf, practice)
    if challenge.public_data:
        said = "the official data, which are public; `harness fetch` gets what does not come with the harness"
        return _public(challenge.dataset, source.read(challenge.name, config_dir).groups["dataset"], conf, said)
    name = f"{challenge.name}_stand_in"
    settings = stand_in.write(
        official,
        challenge.dataset.model_dump(mode="json"),
        conf / name,
        f"{challenge.name} {challenge.version}",
        attempt,
    )
    _config(conf, name, settings)
    return name, {}, "made up: shapes, columns and classes are those of the official data, no value is"


def _public(settings: DatasetSettings, choice: str, conf: Path, said: str) -> tuple[str, dict[str, Any], str]:
    plain = settings.model_dump(mode="json", exclude_none=True)
    if (CONF_DIR / "dataset" / f"{choice}.yaml").is_file() and not isinstance(settings, OwnSettings):
        return choice, plain, said
    _config(conf, choice, plain)
    return choice, {}, said


def _practice(
    challenge: Challenge, official: Dataset, config_dir: Path, conf: Path, name: str
) -> tuple[str, dict[str, Any], str]:
    source.find("dataset", name, config_dir)
    settings = load_challenge(challenge.name, [f"dataset={name}"], config_dir).dataset
    rows = settings.load()
    files = _files(settings, config_dir)
    _refuse_official(name, official, rows, _files(challenge.dataset, config_dir), files)
    said = f"the data set {name}, to practise on; the official one is another"
    if not files:
        return _public(settings, name, conf, said)
    for file in files:
        place = conf / file.relative_to(config_dir.resolve())
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place)
    _config(conf, name, settings.model_dump(mode="json", exclude_none=True))
    return name, {}, said


def _files(settings: DatasetSettings, config_dir: Path) -> list[Path]:
    """The files of an own data set in the config directory."""
    if not isinstance(settings, OwnSettings) or settings.path is None:
        return []
    root = config_dir.resolve()
    return [root / file.relative_to(root) for file in settings.sources(within(root, settings.path))]


def _refuse_official(
    name: str, official: Dataset, rows: Dataset, official_files: list[Path], files: list[Path]
) -> None:
    """Raise ProtocolError where the practice data hold a row, document or file of the official data."""
    known = {row.tobytes() for row in official.X}
    shared = sum(row.tobytes() in known for row in rows.X)
    if official.texts is not None and rows.texts is not None:
        shared = max(shared, len(set(official.texts) & set(rows.texts)))
    shared = max(shared, len(_pieces(official_files) & _pieces(files)))
    if shared:
        raise ProtocolError(
            f"The data set {name} holds {shared} rows of the official data, and those are never given away.",
            "Name other data, or leave --practice out: stand-ins are made up then.",
        )


def _pieces(files: list[Path]) -> set[bytes]:
    """Lines of tables, without their heads, and digests of all other files."""
    found: set[bytes] = set()
    for file in files:
        content = file.read_bytes()
        if file.suffix.lower() in SUFFIXES:
            lines = content.splitlines()
            found |= {line.strip() for line in (lines if file.suffix.lower() == ".jsonl" else lines[1:])} - {b""}
        else:
            found.add(hashlib.sha256(content).digest())
    return found


def _config(conf: Path, name: str, plain: dict[str, Any]) -> None:
    place = conf / "dataset" / f"{name}.yaml"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True), encoding="utf-8")
