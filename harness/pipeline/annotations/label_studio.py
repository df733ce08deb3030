"""Exports of Label Studio as votes: its JSON (a task with its annotations) and its JSON-MIN (an annotation a record).

What counts: single choices. Skipped annotations (``was_cancelled``) and empty ones are counted and left out, predictions
and drafts are no annotations, ``ground_truth`` is gold and no vote, and of several annotations of one task by one person the
last counts.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.data.own import sheet
from harness.errors import ProtocolError

ITEM = "item"  # the field of a task's data that names its row, in the projects that we write
CONTROL = "label"  # what the choices are called in these
_MIN_KEYS = ("annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement")
_OBJECT = dict[str, Any]


@dataclass(frozen=True)
class Project:
    """Votes [V] in columns, gold labels by item, the data of every task by item, and what was left out in sentences."""

    items: list[str] = field(default_factory=list)
    annotators: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    times: list[str] = field(default_factory=list)  # empty where nothing says when
    gold: dict[str, str] = field(default_factory=dict)
    tasks: dict[str, dict[str, str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Annotation:
    """One annotation, whatever shape it came in; ``choices`` by the name of the control."""

    where: str
    choices: Mapping[str, list[str]]
    annotator: str
    time: str
    cancelled: bool = False
    gold: bool = False


def read(path: Path, *, item: Sequence[str] = (ITEM,), control: str | None = None) -> Project:
    """Read an export.

    Parameters
    ----------
    item: fields of a task's data, of which the first that every task has names the items; else the tasks' own ids do.
    control: name of the choices to read, where the project has several.

    Raises
    ------
    ProtocolError: no JSON of Label Studio, several choices in one annotation, several controls, two gold labels of one task
        that differ, a vote that does not say whose it is.
    """
    records = _records(path)
    small = not any("annotations" in record for record in records)
    if small and not any("annotator" in record for record in records):
        raise ProtocolError(
            f"{path.name} is no export of Label Studio: no record has annotations (JSON) or an annotator (JSON-MIN).",
            "Export as JSON or JSON-MIN; the tasks that were put in are no annotations yet.",
        )
    tasks = [_small(record, i, control) if small else _whole(record, i) for i, record in enumerate(records)]
    name = next((key for key in item if all(key in data for _, data, _ in tasks)), None)
    found, left = Project(), Counter[str]()
    for own_id, data, given in tasks:
        row = data[name] if name else own_id
        if not row:
            raise ProtocolError(f"Task {own_id or '?'} of {path.name} has no {name or 'id'}, so nothing names its row.")
        if found.tasks.setdefault(row, data) != data:
            raise ProtocolError(
                f"Two tasks of {path.name} are named {row!r} ({name or 'id'}) and have different data.",
                "Say with --item which field of the data names a row.",
            )
        for annotation in given:
            _take(annotation, row, control, found, left)
    found.notes.extend(f"{count} annotations {why} are left out." for why, count in sorted(left.items()))
    return found


def _take(annotation: _Annotation, row: str, control: str | None, found: Project, left: Counter[str]) -> None:
    where = annotation.where
    if annotation.cancelled:
        left["that were skipped (was_cancelled)"] += 1
        return
    chosen = {name: labels for name, labels in annotation.choices.items() if control in (None, name) and labels}
    if len(chosen) > 1:
        raise ProtocolError(
            f"{where} chooses in several controls: {', '.join(map(repr, chosen))}.", "--control names the one to read."
        )
    labels = next(iter(chosen.values()), [])
    if not labels:
        left["without a choice"] += 1
        return
    if len(labels) > 1:
        raise ProtocolError(
            f"{where} has {len(labels)} choices ({', '.join(map(repr, labels[:4]))}), and a row has one label.",
            'Only single choices are read: set choice="single" in the labelling config.',
        )
    if annotation.gold:
        if found.gold.setdefault(row, labels[0]) != labels[0]:
            raise ProtocolError(
                f"{where} is a ground truth, {labels[0]!r}; another one of that task says {found.gold[row]!r}.",
                "Keep one of the two.",
            )
        return
    if not annotation.annotator:
        raise ProtocolError(f"{where} does not say whose it is (completed_by).", "Every vote needs its annotator.")
    found.items.append(row)
    found.annotators.append(annotation.annotator)
    found.labels.append(labels[0])
    found.times.append(annotation.time)


def _records(path: Path) -> list[_OBJECT]:
    try:
        plain = json.loads(sheet.decode(path))
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"{path.name} is not JSON: {error}.", "Export it from Label Studio again.") from error
    records = [plain] if isinstance(plain, dict) else plain
    if not isinstance(records, list) or not records or not all(isinstance(record, dict) for record in records):
        raise ProtocolError(f"{path.name} is no list of tasks.", "Export from Label Studio as JSON or JSON-MIN.")
    return records


_Task = tuple[str, dict[str, str], list[_Annotation]]


def _whole(record: _OBJECT, i: int) -> _Task:
    """A task of the JSON export: its id, data and annotations."""
    own_id, annotations = _cell(record.get("id", "")), record.get("annotations") or []
    where = f"task {own_id or i + 1}"
    if not isinstance(annotations, list) or not all(isinstance(each, dict) for each in annotations):
        raise ProtocolError(f"The annotations of {where} are no list of objects.", "Export it from Label Studio again.")
    return own_id, _data(record.get("data")), [_annotation(each, where) for each in annotations]


def _annotation(plain: _OBJECT, task: str) -> _Annotation:
    where = f"Annotation {_cell(plain.get('id', '?'))} of {task}"
    choices: dict[str, list[str]] = {}
    result = plain.get("result") or []
    if not isinstance(result, list):
        raise ProtocolError(f"{where} has a result that is no list.", "Export it from Label Studio again.")
    for region in result:
        value = region.get("value") if isinstance(region, dict) else None
        if isinstance(value, dict) and "choices" in value:
            control = choices.setdefault(str(region.get("from_name", "")), [])
            control.extend(label for label in _labels(value["choices"]) if label not in control)
    return _Annotation(
        where, choices, _person(plain.get("completed_by")), _time(plain),
        bool(plain.get("was_cancelled") or plain.get("skipped")), bool(plain.get("ground_truth")),
    )  # fmt: skip


def _small(record: _OBJECT, i: int, control: str | None) -> _Task:
    """A record of the JSON-MIN export: the data, then the task's id, the choices, and who, in that order of keys."""
    keys = list(record)
    last = keys.index("annotator") if "annotator" in keys else len(keys)
    first = keys.index("id") + 1 if "id" in keys[:last] else last
    between = keys[first:last]  # of other fields too, where the data have a field `id` themselves
    controls = [control] if control is not None else [CONTROL] if CONTROL in between else between
    data = {key: value for key, value in record.items() if key not in (*_MIN_KEYS, *controls, "id")}
    own_id = _cell(record.get("id", ""))
    where = f"Annotation {_cell(record.get('annotation_id', '?'))} of task {own_id or i + 1}"
    choices = {key: _labels(record[key]) for key in controls if key in record}
    return own_id, _data(data), [_Annotation(where, choices, _person(record.get("annotator")), _time(record))]


def _labels(value: object) -> list[str]:
    """Choices in any of their spellings: one, a list, or an object with a list."""
    if isinstance(value, dict):
        value = value.get("choices", [])
    several = value if isinstance(value, list) else [value]
    return [label for label in (_cell(each).strip() for each in several) if label]


def _person(value: object) -> str:
    """An id where there is one, else an e-mail address: the same for ``7`` and ``{"id": 7, "email": ...}``."""
    if isinstance(value, dict):
        value = value.get("id", value.get("email", ""))
    return _cell(value).strip()


def _time(plain: _OBJECT) -> str:
    return _cell(plain.get("updated_at") or plain.get("created_at") or "")


def _data(value: object) -> dict[str, str]:
    return dict(_fields(value if isinstance(value, dict) else {}))


def _fields(data: _OBJECT) -> Iterator[tuple[str, str]]:
    """Fields as text. An object, as the tag Table shows it, is its own fields; a list stands as JSON."""
    for key, value in data.items():
        if isinstance(value, dict):
            yield from ((str(inner).strip(), _cell(each)) for inner, each in value.items())
        else:
            yield str(key).strip(), _cell(value)


def _cell(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
