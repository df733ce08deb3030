"""The rows that votes are about, as a table to be written and the settings that read it: of tasks, or of a data set there is."""

from __future__ import annotations

import base64
import binascii
import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness import registry
from harness.data import settings_class
from harness.data.own import sheet
from harness.data.own.settings import OwnSettings
from harness.data.own.table import Table
from harness.data.own.text import Text
from harness.errors import ProtocolError
from harness.pipeline.annotations.settling import KEPT, Settled
from harness.protocol import source

SOURCE = "label_source"
_URI = "data:image/"
_SUFFIXES = {"png": ".png", "jpeg": ".jpg", "jpg": ".jpg", "bmp": ".bmp", "gif": ".gif", "webp": ".webp"}


@dataclass(frozen=True)
class Rows:
    """Columns of cells, the settings of the data set but for its files, and pictures beside the table by their names."""

    columns: dict[str, list[str]]
    id: str
    label: str
    settings: dict[str, Any]
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def labelled(self, settled: Mapping[str, Settled]) -> Rows:
        """The same with labels and their sources; rows about which nothing is known keep theirs, or are left out.

        Raises ProtocolError for labels of rows that are not there.
        """
        ids = [name.strip() for name in self.columns[self.id]]
        if unknown := sorted(settled.keys() - set(ids)):
            shown = ", ".join(map(repr, unknown[:4]))
            raise ProtocolError(
                f"{len(unknown)} items have votes and no row: {shown}{' ...' * (len(unknown) > 4)}.",
                f"An item is named by the column {self.id!r} of the data; --item says which field of a task has it.",
            )
        old = self.columns.get(self.label)
        keep = [i for i, name in enumerate(ids) if old is not None or name in settled]
        columns = {name: [cells[i] for i in keep] for name, cells in self.columns.items()}
        before = columns.get(SOURCE, [KEPT] * len(keep))
        columns[self.label] = [
            settled[ids[i]].label if ids[i] in settled else columns[self.label][k] for k, i in enumerate(keep)
        ]
        columns[SOURCE] = [settled[ids[i]].source if ids[i] in settled else before[k] for k, i in enumerate(keep)]
        left = len(ids) - len(keep)
        said = [f"{left} tasks without a label are left out."] if left else []
        files = {columns["file"][k] for k in range(len(keep))} if self.pictures else set()
        pictures = {name: content for name, content in self.pictures.items() if name in files}
        return Rows(columns, self.id, self.label, self.settings, pictures, (*self.notes, *said))

    def csv(self) -> str:
        """The table, as every other own data set reads it."""
        return delimited(self.columns)


def delimited(columns: Mapping[str, Sequence[object]]) -> str:
    """Columns as comma-separated text."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return out.getvalue()


def of_tasks(tasks: Mapping[str, Mapping[str, str]], id: str, label: str, text: str | None) -> Rows:
    """Rows made of the data of Label Studio's tasks: texts, pictures (from ``data:`` addresses), or columns.

    Raises ProtocolError: a field with the name of a column that is to be written, or no data at all.
    """
    if not tasks:
        raise ProtocolError(
            "These votes come without the data of their rows.",
            "--rows NAME names a data set of your config directory whose rows they are about.",
        )
    names = list(dict.fromkeys(name for data in tasks.values() for name in data))
    if clash := sorted({label, SOURCE} & set(names)):
        raise ProtocolError(f"The tasks have a field {clash[0]!r}, and that column is to be written.", "See --label.")
    columns = {id: list(tasks)} | {
        name: [data.get(name, "") for data in tasks.values()] for name in names if name != id
    }  # fmt: skip
    if len(columns) < 2:
        raise ProtocolError("The tasks have no data beside their ids, so there is nothing to learn from.")
    settings: dict[str, Any] = {"id": id, "label": label}
    picture = next((name for name in names if all(cell.startswith(_URI) for cell in columns[name])), None)
    if picture is not None:
        files = _pictures(columns.pop(picture))
        columns["file"] = list(files)
        return Rows(columns, id, label, {"name": "images", **settings, "meta": [SOURCE]}, files)
    if text is None and "text" in columns:
        text = "text"
    if text is None:
        return Rows(columns, id, label, {"name": "table", **settings, "columns": {SOURCE: "meta"}})
    if text not in columns:
        raise ProtocolError(f"No task has a field {text!r}.", f"Fields: {', '.join(names[:30])}.")
    return Rows(columns, id, label, {"name": "text", **settings, "text": text, "meta": [SOURCE]})


def of_dataset(name: str, config_dir: Path) -> tuple[Rows, tuple[str, ...]]:
    """The rows of a data set in ``config_dir`` of the kind table or text, and its classes.

    Raises ProtocolError: no such data set, another kind, not one file, no ``id``, or data that cannot be read.
    """
    path = config_dir / "dataset" / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in (config_dir / "dataset").glob("[!._]*.yaml"))) or "none"
        raise ProtocolError(f"There is no data set {name!r:.80} in {config_dir}.", f"There are: {known}.")
    plain = source.load(path)
    settings = own_settings(plain, config_dir)
    if not isinstance(settings, Table | Text) or settings.path is None or not (config_dir / settings.path).is_file():
        raise ProtocolError(
            f"{path} is no table and no text in one file of {config_dir}.", "Votes are given to the rows of such alone."
        )
    if settings.id is None or settings.label is None:
        raise ProtocolError(
            f"{path} names no id, so nothing says which row a vote is about.", "Name its column: id: ..."
        )
    classes = settings.load().class_names
    table = sheet.read(config_dir / settings.path, settings.encoding, settings.separator, quotes=settings.quotes)
    left = {"path", "sha256", "votes", "encoding", "separator", "quotes"}
    kept = {key: value for key, value in plain.items() if key not in left}
    if isinstance(settings, Table):
        votes = dict.fromkeys(settings.vote_columns, "drop")
        kept["columns"] = {**plain.get("columns", {}), **votes, SOURCE: "meta"}
    else:
        kept["meta"] = list(dict.fromkeys([*plain.get("meta", []), SOURCE]))
    return Rows(dict(table.columns), settings.id, settings.label, kept), classes


def own_settings(plain: Mapping[str, Any], root: Path) -> OwnSettings:
    """The settings of an own data set, from its YAML; ``root``: the config directory. Raises ProtocolError."""
    try:
        settings = settings_class(str(plain.get("name"))).model_validate(plain, context={"root": root.resolve()})
    except ValidationError as error:
        raise ProtocolError(f"The data set is not valid: {'; '.join(registry.problems(error, 'dataset'))}.") from None
    if not isinstance(settings, OwnSettings):
        raise ProtocolError(f"The data set is of the kind {settings.name}, whose rows are not an organiser's own.")
    return settings


def _pictures(cells: Sequence[str]) -> dict[str, bytes]:
    found = {}
    for i, cell in enumerate(cells):
        head, _, content = cell.partition(",")
        kind = head.removeprefix(_URI).removesuffix(";base64")
        try:
            if kind not in _SUFFIXES or not head.endswith(";base64"):
                raise ValueError
            found[f"{i:06}{_SUFFIXES[kind]}"] = base64.b64decode(content, validate=True)
        except (ValueError, binascii.Error):
            raise ProtocolError(
                f"The picture of task {i + 1} is no base64 of {', '.join(_SUFFIXES)}: {head!r:.60}."
            ) from None
    return found
