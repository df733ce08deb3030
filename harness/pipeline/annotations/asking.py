"""A Label Studio project of the rows to be labelled next: tasks with the fixed model's predictions, configuration, guide."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
import numpy.typing as npt

from harness.api import FloatArray, IntArray
from harness.data import Dataset
from harness.data.own import sheet
from harness.data.own.images import Images
from harness.data.own.settings import OwnSettings
from harness.data.own.table import Table
from harness.data.specification import ClassGuide, Label
from harness.errors import ProtocolError
from harness.paths import permit
from harness.pipeline.annotations.label_studio import CONTROL, ITEM
from harness.pipeline.annotations.ranking import By, rank
from harness.pipeline.annotations.rows import SOURCE
from harness.protocol.challenge import Challenge
from harness.protocol.compose import load_challenge
from harness.protocol.staging import staged
from harness.tracking.files import json_bytes

_FLAT: dict[str, tuple[int, ...]] = {"digits": (8, 8)}  # data sets whose columns are pixels
_TAGS = {"text": "Text", "image": "Image", "row": "Table"}
_MIME = {".jpg": "jpeg", ".jpeg": "jpeg"}


@dataclass(frozen=True)
class Project:
    """What was written, for how many rows, and how they were chosen."""

    files: tuple[Path, ...]
    tasks: int
    labelled: int
    rule: str


def ask(name: str, out: Path, *, n: int = 100, by: By = "margin", config_dir: Path | None = None) -> Project:
    """Write ``tasks.json``, ``label_config.xml`` and ``guide.md`` into the new folder ``out``.

    The tasks come in the order in which they should be answered. No label of a row that is asked about is written.

    Raises
    ------
    ProtocolError: an unknown challenge, data that cannot be had, something at ``out``, n < 1.
    """
    challenge = load_challenge(name, config_dir=config_dir)
    if os.path.lexists(out):
        raise ProtocolError(f"{out} exists already; nothing was written.", "--out names a new folder.")
    dataset = challenge.load_dataset()
    asked = rank(challenge, dataset, n, by)
    field, shown = _shown(challenge, dataset, asked.rows)
    ids = _names(challenge, dataset)[asked.rows]
    model = f"{challenge.name}/{challenge.model.name}"
    tasks = [
        {
            "data": {ITEM: str(item), field: content},
            "predictions": [_prediction(i, p, dataset.class_names, field, model)],
        }
        for i, (item, content, p) in enumerate(zip(ids.tolist(), shown, asked.proba, strict=True))
    ]
    contents = {
        "tasks.json": json_bytes(tasks),
        "label_config.xml": label_config(dataset.class_names, field).encode(),
        "guide.md": _guide(challenge, dataset, len(tasks), by).encode(),
    }
    with staged(out.absolute().parent) as stage:
        building = stage / "project"
        building.mkdir()
        for file, content in contents.items():
            (building / file).write_bytes(content)
        permit(building, 0o777)
        building.rename(out)
    return Project(tuple(out / file for file in contents), len(tasks), asked.labelled, asked.rule)


def label_config(classes: Sequence[str], field: str) -> str:
    """The labelling interface: what is shown of a row, and one choice among the classes."""
    choices = "\n".join(f"    <Choice value={quoteattr(name)}/>" for name in classes)
    return (
        f'<View>\n  <{_TAGS[field]} name="{field}" value="${field}"/>\n'
        f'  <Choices name="{CONTROL}" toName="{field}" choice="single" required="true" showInline="true">\n{choices}\n'
        "  </Choices>\n</View>\n"
    )


def _prediction(i: int, proba: FloatArray, classes: Sequence[str], field: str, model: str) -> dict[str, Any]:
    best = int(np.argmax(proba))
    value = {"choices": [classes[best]]}
    region = {"id": f"p{i:07}", "from_name": CONTROL, "to_name": field, "type": "choices", "value": value}
    return {"model_version": model, "score": round(float(proba[best]), 6), "result": [region]}


def _shown(challenge: Challenge, dataset: Dataset, rows: IntArray) -> tuple[str, list[Any]]:
    """What people see of every row, and which field of a task it is: text, image or row (columns by name)."""
    settings = challenge.dataset
    if dataset.texts is not None:
        return "text", [dataset.texts[int(i)] for i in rows]
    if isinstance(settings, Images):
        path = settings.place()
        names = dataset.extras["id"].tolist()
        files = [path / str(name) for name in names] if path.is_dir() else settings._named(path, settings._table(path))
        return "image", [_address(files[i].read_bytes(), files[i].suffix.lower()) for i in rows]
    shape = _FLAT.get(settings.name, dataset.X.shape[1:])
    if len(shape) > 1:
        return "image", [_address(_png(dataset.X[i].reshape(shape)), ".png") for i in rows]
    if isinstance(settings, Table):
        table = sheet.read(settings.place(), settings.encoding, settings.separator, quotes=settings.quotes)
        hidden = {settings.label, settings.part, settings.id, SOURCE, *settings.vote_columns}
        columns = {name: cells for name, cells in table.columns.items() if name not in hidden}
        return "row", [{name: cells[i] for name, cells in columns.items()} for i in rows]
    return "row", [{f"feature {j + 1}": float(x) for j, x in enumerate(dataset.X[i])} for i in rows]


def _names(challenge: Challenge, dataset: Dataset) -> npt.NDArray[np.generic]:
    """What the rows are called: their ids; positions where nobody has given any, as names of files may tell the class."""
    named = isinstance(challenge.dataset, OwnSettings) and challenge.dataset.id is not None
    return dataset.extras["id"] if named else np.arange(len(dataset.y))


def _png(pixels: FloatArray) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8).squeeze()).save(out, "PNG")
    return out.getvalue()


def _address(content: bytes, suffix: str) -> str:
    kind = _MIME.get(suffix, suffix.removeprefix("."))
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _guide(challenge: Challenge, dataset: Dataset, tasks: int, by: By) -> str:
    """What annotators read: the guide of the specification, where there is one, and every class with what it means."""
    label = challenge.specification.label if challenge.specification else Label()
    lines = [f"# {challenge.title}", "", f"{tasks} rows, in the order in which their labels help most ({by}).", ""]
    lines += [label.guide, ""] if label.guide else []
    lines += ["Choose one label for every row:", ""]
    for name in dataset.class_names:
        said = label.classes.get(name, ClassGuide())
        lines += [f"- **{name}**: {said.means}" if said.means else f"- **{name}**"]
        lines += [f"  - edge case: {each}" for each in said.edge_cases]
        lines += [f"  - example: {each}" for each in said.examples]
    lines += [
        "", "The label that is shown first is a model's guess, and of these rows the model is least sure: it is no advice.",
        "Where no label fits or you cannot tell, skip the row.", "",
    ]  # fmt: skip
    return "\n".join(lines)
