"""The files of a release that people read: card, licence, changes; and the specification."""

from __future__ import annotations

from typing import Any

import yaml

from harness.data.card import card
from harness.data.specification import Specification
from harness.pipeline.release import licences
from harness.pipeline.release.contents import Contents
from harness.pipeline.release.material import ANNOTATIONS, ROWS, kind_of

_SIZES = (
    (1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"), (10_000_000, "1M<n<10M"),
)  # fmt: skip


def readme(contents: Contents) -> str:
    """The card, with the front matter that Hugging Face reads."""
    front = yaml.safe_dump(_front(contents), sort_keys=False, allow_unicode=True, width=120)
    return f"---\n{front}---\n{card(contents.spec, contents.counted())}"


def _front(contents: Contents) -> dict[str, Any]:
    spec = contents.spec
    n = contents.counted().rows
    configs: list[dict[str, Any]] = [{"config_name": ROWS, "data_files": contents.rows_path, "default": True}]
    if contents.votes is not None:
        configs.append({"config_name": ANNOTATIONS, "data_files": f"{ANNOTATIONS}.{contents.form}"})
    return {
        **licences.hub(spec),
        "pretty_name": spec.title,
        "task_categories": [f"{kind_of(spec)}-classification"],
        "size_categories": [next((name for most, name in _SIZES if n < most), "n>10M")],
        "configs": configs,
    }


def changelog(spec: Specification) -> str:
    """Versions, the newest first."""
    lines = [f"# Changes of {spec.title or spec.name}"]
    for change in reversed(spec.versions):
        lines += ["", f"## {change.version}{f' ({change.date})' if change.date else ''}", "", change.changes]
    return "\n".join(lines) + "\n"


def specification(spec: Specification) -> str:
    """The specification as YAML, what nobody has filled in left out."""
    plain = spec.model_dump(mode="json", exclude_defaults=True)
    plain["columns"] = {
        name: {"role": column.role, **column.model_dump(mode="json", exclude_defaults=True)}
        for name, column in spec.columns.items()
    }
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=120)
