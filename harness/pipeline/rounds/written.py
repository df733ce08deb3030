"""The files of a round: rows, votes, data sets, specifications, challenges. New names only, so that nothing is ever replaced.

Everything is written into a hidden folder, composed there, and moved; the challenge ``NAME_rN_find`` comes last, and a round
is there when it is. What a killed writer left is overwritten by the next.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.data.own.settings import OwnSettings
from harness.data.own.source import digest
from harness.data.own.table import Table
from harness.data.own.text import Text
from harness.data.specification import Change, Specification
from harness.errors import ProtocolError
from harness.pipeline.rounds.state import BOOK, TRAIN, WAITING, Round, folder, numbers
from harness.protocol import specifications
from harness.protocol.compose import load_challenge
from harness.protocol.staging import staged, yaml_text
from harness.registry import problems

_SAYS = "Splits are drawn from the secret: in a competition keep this file to yourself."
_TITLES = {
    "find": "Find the waiting rows that models get wrong",
    "repair": "Find the wrong labels of the training rows",
    "buy": "Choose the waiting rows whose labels to buy",
}
_BASELINES = {"find": "lowest_margin", "repair": "self_confidence", "buy": "margin"}


def write(made: Round, spec: Specification | None, change: str, beside: Mapping[str, str]) -> list[Path]:
    """Write a round whole; returns the files, in the config directory.

    Parameters
    ----------
    spec: of the round before; None for the first, whose specification is made from its columns.
    change: what is different, for the specification's versions.
    beside: further files of the round's folder by name.

    Raises ProtocolError where the rows cannot be read as a data set, or are too few for a challenge.
    """
    with staged(made.root) as stage:
        if made.number in numbers(made.root, made.name):  # another process was faster
            raise ProtocolError(f"{made.stem} is there already; nothing was written.")
        if not made.folder.exists():  # else a writer was killed, and these are its files
            refuse_taken(made)
        _fill(stage, made, spec, change, beside)
        return list(_move(stage, made))


def _fill(stage: Path, made: Round, spec: Specification | None, change: str, beside: Mapping[str, str]) -> None:
    place = folder(stage, made.name) / str(made.number)
    place.mkdir(parents=True)
    made.rows.to_csv(place / "rows.csv", index=False, lineterminator="\n")
    if made.votes is not None:
        made.votes.to_csv(place / "votes.csv", index=False, lineterminator="\n")
    for name, text in beside.items():
        (place / name).write_text(text, encoding="utf-8")
    (folder(stage, made.name) / "settings.yaml").write_text(yaml_text(made.settings.model_dump(mode="json")), "utf-8")
    for group in ("dataset", "spec", "challenge"):
        (stage / group).mkdir()
    base = spec or _first(made, place / "rows.csv")
    number = Change(version=f"{made.number}.0.0", changes=change)
    told = base.model_copy(update={"versions": (*(base.versions if spec else ()), number)})
    for name, keys in _datasets(made, place).items():
        (stage / "dataset" / f"{name}.yaml").write_text(yaml_text(keys), "utf-8")
        plain = told.model_copy(update={"name": name}).model_dump(mode="json", exclude_none=True)
        (stage / "spec" / f"{name}.yaml").write_text(yaml_text(plain), "utf-8")
    for name, challenge in _challenges(made).items():
        (stage / "challenge" / f"{name}.yaml").write_text(yaml_text(challenge, _SAYS), "utf-8")
    for name in made.challenges.values():
        composed = load_challenge(name, config_dir=stage)
        composed.load_track(composed.load_dataset(), device="cpu")


def _move(stage: Path, made: Round) -> Iterator[Path]:
    """Into place, the round's own folder first, the challenge that says it is there last."""
    target = made.folder
    if target.exists():  # left by a writer that was killed: without its last file it is no round
        shutil.rmtree(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    (folder(stage, made.name) / str(made.number)).rename(target)
    yield from sorted(target.iterdir())
    settings = folder(made.root, made.name) / "settings.yaml"
    (folder(stage, made.name) / "settings.yaml").replace(settings)
    last = f"{made.challenges['find']}.yaml"
    files = [path for group in ("dataset", "spec", "challenge") for path in sorted((stage / group).iterdir())]
    for path in sorted(files, key=lambda path: (path.parent.name == "challenge", path.name == last)):
        (made.root / path.parent.name).mkdir(exist_ok=True)
        yield path.replace(made.root / path.parent.name / path.name)


def settings_of(made: Round, path: str, **keys: Any) -> OwnSettings:
    """How rows of a round are read: a table, or texts; ``path`` relative to a config directory."""
    plain = _keys(made, path, keys)
    kind = Text if made.settings.text else Table
    try:
        return kind.model_validate(plain, context={"root": made.root})
    except ValidationError as error:
        raise ProtocolError(
            f"The data set: {'; '.join(problems(error)[:20])}.", "docs/datasets/own.md lists the keys."
        ) from None


def _keys(made: Round, path: str, keys: Mapping[str, Any]) -> dict[str, Any]:
    s = made.settings
    plain: dict[str, Any] = {"name": "text" if s.text else "table", "path": path, "id": s.id, **s.keys, **keys}
    if s.text:
        return plain | {"text": s.text, "features": s.keys.get("features", "hashed")}
    voters = plain.get("votes", ())
    roles = {plain["label"], plain["part"], s.id, *(voters if isinstance(voters, list) else ())}
    kinds = dict(s.keys.get("columns", {}))
    kinds |= dict.fromkeys((*BOOK, s.label), "drop")
    kinds |= {name: "meta" for name in (s.group, s.slice[0] if s.slice else None) if name}
    return plain | {"columns": {name: kind for name, kind in kinds.items() if name not in roles}}


def _datasets(made: Round, place: Path) -> dict[str, dict[str, Any]]:
    """The round's rows as three data sets: as they are, with true labels for who judges repairs, and for buyers of labels."""
    path = (folder(made.root, made.name) / str(made.number)).relative_to(made.root)
    rows = (path / "rows.csv").as_posix()
    voted = {"votes": (path / "votes.csv").as_posix()} if made.votes is not None else {}
    files = [place / "rows.csv", *([place / "votes.csv"] if voted else [])]
    whole, alone = {"sha256": digest(files, place)}, {"sha256": digest(files[:1], place)}
    whole_name, repair, buy = _names(made)
    return {
        whole_name: _keys(made, rows, {"label": "given", "part": "part", **voted, **whole}),
        repair: _keys(made, rows, {"label": made.settings.label, "part": "part", "votes": ["given"], **alone}),
        buy: _keys(made, rows, {"label": made.settings.label, "part": "buying", **alone}),
    }


def _challenges(made: Round) -> dict[str, dict[str, Any]]:
    s, rows = made.settings, made.rows
    n_train, n_waiting = int((rows["part"] == TRAIN).sum()), int((rows["part"] == WAITING).sum())
    models = n_train // 4
    batch = max(1, min(s.buy, n_waiting // 2) // 4)
    tracks: dict[str, tuple[str, str, dict[str, Any]]] = {
        "find": ("test_set", made.stem, {
            "pool": n_waiting, "pool_from": "validation", "models_from": "train", "budget": min(s.find, n_waiting),
            "class_floor": 0, "public_models": ["fixed"], "public_rows": models, "hidden_models": ["fixed"] * 3,
            "hidden_rows": models}),
        "repair": ("debugging", f"{made.stem}_repair", {
            "train": n_train, "validation": 0, "parts": "official", "noise_kind": "given",
            "step": max(1, n_train // 100), "skyline": "gradient"}),
        "buy": ("selection_active", f"{made.stem}_buy", {
            "pool": n_waiting, "parts": "official", "initial": max(batch, rows[s.label].nunique()), "batch": batch,
            "rounds": 4}),
    }  # fmt: skip
    return {
        made.challenges[kind]: {
            "defaults": [{"override /track": track}, {"override /dataset": data}, {"override /model": s.model}],
            "title": f"{_TITLES[kind]} ({made.name}, round {made.number})",
            "version": made.number, "secret": s.secret, "seeds": s.seeds, "baseline": _BASELINES[kind], "track": settings,
        }
        for kind, (track, data, settings) in tracks.items()
    }  # fmt: skip


def _first(made: Round, path: Path) -> Specification:
    """What the columns themselves tell, to be filled in by people."""
    columns = specifications.columns_of(settings_of(made, path.name, label="given", part="part"), path)
    names = sorted(set(made.rows["given"]))
    return Specification.model_validate(
        {"name": made.stem, "columns": columns, "label": {"column": "given", "classes": dict.fromkeys(names, "")},
         "versions": [{"version": "1.0.0"}]}
    )  # fmt: skip


def refuse_taken(made: Round) -> None:
    """Raise ProtocolError where a file of somebody else has a name that the round needs."""
    names = {"dataset": list(_names(made)), "spec": list(_names(made)), "challenge": list(made.challenges.values())}
    for group, wanted in names.items():
        for name in wanted:
            if (made.root / group / f"{name}.yaml").exists():
                raise ProtocolError(
                    f"{made.root / group / name}.yaml exists already; nothing was written.", "Choose another name."
                )


def _names(made: Round) -> tuple[str, str, str]:
    """Of the data set and its two views."""
    return made.stem, f"{made.stem}_repair", f"{made.stem}_buy"
