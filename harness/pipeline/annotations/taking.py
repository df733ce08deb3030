"""From a file of votes to a data set: labels and their sources, the votes beside them, all of it or nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from harness.data import Dataset
from harness.data.own.source import digest, files_under
from harness.errors import ProtocolError
from harness.pipeline.annotations import label_studio, reading, rows
from harness.pipeline.annotations.ballots import Ballots, classes_of
from harness.pipeline.annotations.settling import Way, settle
from harness.protocol import catalogue, source, specifications
from harness.protocol.staging import staged, write, yaml_text

_REMARK = "Labels by several people: {source} says where a label is from. Kinds and keys: docs/datasets/own.md."


@dataclass(frozen=True)
class Wish:
    """What is to be taken in: ``rows`` an existing data set of the config directory, None for the tasks' own data."""

    name: str
    file: Path
    rows: str | None = None
    way: Way = "majority"
    text: str | None = None
    label: str = "label"
    how: Mapping[str, Any] = field(default_factory=dict)  # as `reading.read` takes it
    keys: Mapping[str, Any] = field(default_factory=dict)  # further keys of the data set


@dataclass(frozen=True)
class Taken:
    """What was written: the data set as every other command reads it, rows by the source of their label, and findings."""

    dataset: Dataset
    files: tuple[Path, ...]
    votes: int
    annotators: int | None
    sources: Mapping[str, int]
    notes: tuple[str, ...]


def take(wish: Wish, config_dir: Path) -> Taken:
    """Read, settle, write, load what was written, and only then move it to its place.

    Raises
    ------
    ProtocolError: a name that is taken, votes for rows or labels that are not there, a class with fewer than two rows, or
        whatever reading the votes or the data set finds wrong. Nothing is left then.
    """
    source.check_name(wish.name, Path("dataset") / f"{wish.name}.yaml", "data set")
    if wish.rows is not None and not config_dir.is_dir():
        raise ProtocolError(f"--config-dir {config_dir} is not a directory.")
    _check_free(wish.name, config_dir)
    known = rows.of_dataset(wish.rows, config_dir) if wish.rows is not None else None
    names = {"item": [label_studio.ITEM, *([known[0].id] if known else [])]} | dict(wish.how)
    read = reading.read(wish.file, salt=wish.name, **names)
    votes = read.ballots
    if known:
        table, classes = known
        if odd := [name for name in votes.classes if name not in classes]:
            raise ProtocolError(
                f"Votes say {', '.join(map(repr, odd[:4]))}, and {wish.rows} has no such class.",
                f"Its classes: {', '.join(classes)}. --drop LABEL leaves votes for a label out.",
            )
    else:
        table = rows.of_tasks(read.tasks, names["item"][0], wish.label, wish.text)
    made = table.labelled(settle(votes, wish.way, wish.name))
    _check_classes(votes, made.columns[made.label])
    with staged(config_dir) as stage:
        if wish.name in catalogue.data_sets(config_dir):
            raise ProtocolError(
                f"There is a data set {wish.name} already; nothing was written.", "Choose another name."
            )
        return _move(_stage(wish, votes, made, stage, config_dir), wish, config_dir, stage)


def _check_free(name: str, config_dir: Path) -> None:
    if name in catalogue.data_sets(config_dir if config_dir.is_dir() else None):
        raise ProtocolError(f"There is a data set {name} already; nothing was written.", "Choose another name.")


def _check_classes(votes: Ballots, labels: Sequence[str]) -> None:
    code, names = classes_of([cell.strip() for cell in labels])
    count = dict(zip(names, np.bincount(code).tolist(), strict=True))
    for c, name in enumerate(votes.classes):
        if count.get(name, 0) < 2 and votes.counts[:, c].any():
            raise ProtocolError(
                f"The label {name!r} has {votes.counts[:, c].sum()} votes and is the label of {count.get(name, 0)} rows; a class "
                "needs two, to be learned and tested.",
                f"--drop {name!r} leaves these votes out; or collect more of it.",
            )


def _stage(wish: Wish, votes: Ballots, made: rows.Rows, stage: Path, config_dir: Path) -> Taken:
    folder = Path("data") / wish.name
    write(stage / folder / "rows.csv", made.csv())
    write(stage / folder / "votes.csv", rows.delimited(_votes(votes, set(made.columns[made.id]))))
    for name, content in made.pictures.items():
        (stage / folder / name).write_bytes(content)
    files = {"path": (folder / "rows.csv").as_posix(), "votes": (folder / "votes.csv").as_posix()}
    plain: dict[str, Any] = {"name": made.settings["name"], **files, **made.settings, **wish.keys}
    place = stage / "dataset" / f"{wish.name}.yaml"
    settings = rows.own_settings(plain, stage)
    sha256 = digest(settings.sources(stage / files["path"]), stage / folder)
    plain = {"name": plain.pop("name"), "path": plain.pop("path"), "sha256": sha256, **plain}
    write(place, yaml_text(plain, _REMARK.format(source=rows.SOURCE)))
    dataset = rows.own_settings(source.load(place), stage).load()
    specified = specifications.find(wish.rows, config_dir) if wish.rows else None
    table = stage / files["path"]
    change = f"Labels by {wish.way.replace('_', '-')} of {int(votes.counts.sum())} votes."
    write(
        stage / "spec" / place.name,
        specifications.continued(specifications.read(specified), wish.name, settings, table, change)
        if specified
        else specifications.begun(wish.name, dataset, settings, table),
    )
    people = None if votes.cast is None else len(np.unique(votes.cast.annotator))
    return Taken(
        dataset, (), int(votes.counts.sum()), people, Counter(made.columns[rows.SOURCE]),
        (*votes.notes, *made.notes, *dataset.notes),
    )  # fmt: skip


def _votes(votes: Ballots, ids: set[str]) -> dict[str, list[Any]]:
    """Columns of the file of votes: one vote a line, or counts where nobody knows whose votes they are."""
    if votes.cast is None:
        there = [i for i, item in enumerate(votes.items) if item in ids]
        counts = {name: votes.counts[there, c].tolist() for c, name in enumerate(votes.classes)}
        return {"item": [votes.items[i] for i in there], **counts}
    cast = votes.cast
    return {
        "item": [votes.items[i] for i in cast.item],
        "annotator": [cast.annotators[a] for a in cast.annotator],
        "label": [votes.classes[c] for c in cast.label],
    }


def _move(made: Taken, wish: Wish, config_dir: Path, stage: Path) -> Taken:
    """The folder of the data first, the one file that makes a data set of it last."""
    folder, place = config_dir / "data" / wish.name, config_dir / "dataset" / f"{wish.name}.yaml"
    here = stage / "data" / wish.name
    if folder.exists():  # of one that was killed between the two steps, or somebody's own
        if not folder.is_dir() or _all(folder) != _all(here):
            raise ProtocolError(
                f"{folder} exists already and holds something else; nothing was written.",
                "Choose another name; or remove it, if an import was killed there.",
            )
    else:
        folder.parent.mkdir(exist_ok=True)
        here.rename(folder)
    spec = config_dir / "spec" / place.name
    for target in (place,) if spec.exists() else (spec, place):  # somebody's own, or one left by a kill: the same
        target.parent.mkdir(exist_ok=True)
        (stage / target.parent.name / place.name).rename(target)
    files = (folder / "rows.csv", folder / "votes.csv", spec, place)
    return Taken(made.dataset, files, made.votes, made.annotators, made.sources, made.notes)


def _all(folder: Path) -> str:
    return digest(files_under(folder, folder), folder)
