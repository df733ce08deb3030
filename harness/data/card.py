"""A data set's card: Markdown made from its specification and from what was counted in its files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import yaml

from harness.data.base import Dataset
from harness.data.specification import ClassGuide, Column, Specification

REMARK = "<!-- Made from spec/{name}.yaml by `harness dataset card`: change that file, not this one. -->"


@dataclass(frozen=True)
class Counted:
    """What the files themselves tell: rows, the shape of X (empty where nothing was encoded), rows of every class, findings."""

    rows: int
    shape: tuple[int, ...]
    classes: Mapping[str, int]
    notes: Sequence[str] = field(default=())


def counted(dataset: Dataset) -> Counted:
    """The facts of a loaded data set."""
    counts = np.bincount(dataset.y, minlength=dataset.n_classes)
    classes = {name: int(count) for name, count in zip(dataset.class_names, counts, strict=True)}
    return Counted(len(dataset.y), dataset.X.shape, classes, dataset.notes)


def card(spec: Specification, facts: Counted | None = None) -> str:
    """The page. ``facts``: of the data as they are; without them the specification's own summary has to do."""
    return "\n".join([*_lines(spec, facts), "", REMARK.format(name=spec.name)]) + "\n"


def _lines(spec: Specification, facts: Counted | None) -> Iterator[str]:
    yield from (f"# {spec.name}", "")
    for paragraph in (_sentences(spec.title, spec.purpose), spec.summary):
        if paragraph:
            yield from (paragraph, "")
    if facts:
        shape = f"X [{', '.join(map(str, facts.shape))}], " if facts.shape else ""
        yield from (f"{facts.rows:,} rows, {shape}{len(facts.classes)} classes.", "")
    yield from (f"- **{heading}.** {_indented(text)}" for heading, text in _entries(spec) if text)
    yield from _classes(spec.label.classes, facts.classes if facts else {})
    yield from _columns(spec.columns)
    for heading, text in spec.sections.items():
        yield from ("", f"## {heading}", "", text)
    yield from _versions(spec)
    if spec.digests:
        yield from ("", "| parameters | digest |", "|---|---|")
        yield from (f"| {_parameters(digest.parameters)} | `{digest.sha256}` |" for digest in spec.digests)


def _entries(spec: Specification) -> Iterator[tuple[str, str]]:
    yield "Row", spec.unit
    yield "Source", _sentences(spec.source, spec.url and f"<{spec.url}>")
    yield "Creators", ", ".join(spec.creators)
    yield "Collection", _sentences(*spec.collection.model_dump().values())
    yield "Preparation", spec.preparation
    yield "Licence", _sentences(f"`{spec.license}`" if spec.license else "not said", spec.license_text)
    yield "Privacy", spec.privacy
    yield "Labels", _sentences(spec.label.origin, spec.label.guide)
    roles = {role: getattr(spec.split, role) for role in ("group", "time", "part")}
    yield (
        "Splits",
        _sentences(spec.split.rule, *(f"`{column}` is the {role}" for role, column in roles.items() if column)),
    )
    yield "Known faults", _sentences(*spec.faults)
    yield "Cite", spec.citation


def _sentences(*texts: str) -> str:
    """Texts in a row, each ended by a full stop."""
    return " ".join(text if re.search(r"[.!?:)]$", text) else f"{text}." for text in texts if text)


def _indented(text: str) -> str:
    return "\n  ".join(text.splitlines())


def _classes(guides: Mapping[str, ClassGuide], counts: Mapping[str, int]) -> Iterator[str]:
    names = [*guides, *(name for name in counts if name not in guides)]
    if not names or not (counts or any(map(_said, guides.values()))):
        return
    yield from ("", "## Classes", "", "| class | rows | what it is |", "|---|---|---|")
    for name in names:
        guide = guides.get(name, ClassGuide())
        yield f"| {_cell(name)} | {counts.get(name, '')} | {_cell(_said(guide))} |"


def _said(guide: ClassGuide) -> str:
    parts = [guide.means]
    parts += [f"Hard to tell: {'; '.join(guide.edge_cases)}"] if guide.edge_cases else []
    parts += [f"For example: {'; '.join(guide.examples)}"] if guide.examples else []
    return _sentences(*parts)


def _columns(columns: Mapping[str, Column]) -> Iterator[str]:
    if not columns:
        return
    yield from ("", "## Columns", "", "| column | role | type | may hold | what it is |", "|---|---|---|---|---|")
    for name, column in columns.items():
        means = _sentences(column.means, column.unit and f"In {column.unit}")
        yield f"| {_cell(name)} | {column.role} | {column.type} | {_cell(domain(column))} | {_cell(means)} |"


def domain(column: Column) -> str:
    """What may stand in a column, in words; empty where anything may."""
    said = []
    if column.values is not None:
        said.append(", ".join(column.values))
    if column.least is not None or column.most is not None:
        bounds = ["" if bound is None else f"{bound:g}" if isinstance(bound, float) else str(bound)
                  for bound in (column.least, column.most)]  # fmt: skip
        said.append(" to ".join(bounds) if all(bounds) else f"from {bounds[0]}" if bounds[0] else f"up to {bounds[1]}")
    if column.missing is not None:
        said.append(f"missing: {column.missing!r}")
    return "; ".join(said)


def _versions(spec: Specification) -> Iterator[str]:
    if len(spec.versions) > 1 or spec.versions[0].date:
        yield from ("", "## Versions", "")
        for change in reversed(spec.versions):
            yield f"- **{change.version}**{f' ({change.date})' if change.date else ''}: {_indented(change.changes)}"


def _parameters(parameters: Mapping[str, Any]) -> str:
    if not parameters:
        return "none"
    return f"`{yaml.safe_dump(dict(parameters), default_flow_style=True, sort_keys=False).strip().strip('{}')}`"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())
