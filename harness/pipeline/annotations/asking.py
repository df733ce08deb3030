"""A Label Studio project of the rows to be labelled next: tasks with the fixed model's predictions, configuration, guide."""

from __future__ import annotations

import base64
import io
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
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
from harness.errors import ProtocolError
from harness.paths import permit
from harness.pipeline.annotations.label_studio import CONTROL, ITEM
from harness.pipeline.annotations.ranking import By, rank
from harness.pipeline.annotations.rows import SOURCE
from harness.protocol import source
from harness.protocol.challenge import Challenge
from harness.protocol.compose import load_challenge
from harness.tracking.files import TEMPORARY, disk_errors, json_bytes

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
    spec = _specification(challenge, config_dir)
    contents = {
        "tasks.json": json_bytes(tasks),
        "label_config.xml": label_config(dataset.class_names, field).encode(),
        "guide.md": _guide(challenge, dataset, spec, len(tasks), by).encode(),
    }
    with disk_errors(f"write {out}"):
        out.absolute().parent.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=f"{TEMPORARY}{out.name}-", dir=out.absolute().parent))
        try:
            for file, content in contents.items():
                (building / file).write_bytes(content)
            permit(building, 0o777)
            building.rename(out)
        finally:
            shutil.rmtree(building, ignore_errors=True)
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


def _specification(challenge: Challenge, config_dir: Path | None) -> Mapping[str, Any]:
    """The part ``label`` of ``spec/NAME.yaml`` of the data set, or of the challenge; empty where there is none."""
    if config_dir is None:
        return {}
    choice = source.read(challenge.name, config_dir).groups["dataset"]
    for name in (choice, challenge.name):
        if (path := config_dir / "spec" / f"{name}.yaml").is_file():
            label = source.load(path).get("label")
            return label if isinstance(label, dict) else {}
    return {}


def _guide(challenge: Challenge, dataset: Dataset, spec: Mapping[str, Any], tasks: int, by: By) -> str:
    lines = [f"# {challenge.title}", "", f"{tasks} rows, in the order in which their labels help most ({by}).", ""]
    lines += [str(spec["guide"]).strip(), ""] if spec.get("guide") else []
    lines += ["Choose one label for every row:", ""]
    said = spec.get("classes") if isinstance(spec.get("classes"), dict) else {}
    for name in dataset.class_names:
        lines += _about(name, said.get(name) if said else None)
    lines += [
        "", "The label that is shown first is a model's guess, and of these rows the model is least sure: it is no advice.",
        "Where no label fits or you cannot tell, skip the row.", "",
    ]  # fmt: skip
    return "\n".join(lines)


def _about(name: str, said: object) -> list[str]:
    """A class in the guide: a sentence, or what it means, its edge cases and examples."""
    if isinstance(said, dict):
        means = f": {said['means']}" if said.get("means") else ""
        further = {"edge_cases": "edge case", "examples": "example"}
        return [f"- **{name}**{means}"] + [
            f"  - {word}: {each}" for key, word in further.items() for each in said.get(key) or ()
        ]
    return [f"- **{name}**: {said}" if isinstance(said, str) and said else f"- **{name}**"]
