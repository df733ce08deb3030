"""A data set by the name of its config, outside any challenge."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.data import DatasetSettings, dataset_names, settings_class
from harness.errors import ProtocolError
from harness.paths import CONF_DIR
from harness.protocol import source
from harness.registry import problems


def settings(name: str, config_dir: Path | None = None) -> DatasetSettings:
    """The settings that ``dataset/NAME.yaml`` gives, shipped or of ``config_dir``; reads no data.

    Raises
    ------
    ProtocolError: no such config, an unknown kind, unknown or wrong keys (all of them listed).
    """
    path = source.find("dataset", name, config_dir)
    plain: dict[str, Any] = {}
    for values in source.in_order(path, config_dir, "dataset"):
        plain = _over(plain, values)
    plain.pop("defaults", None)
    own = path.parent.parent if path.parent.parent != CONF_DIR else None
    kind = plain.get("name", name)
    if kind not in dataset_names() and ":" not in str(kind):
        raise ProtocolError(f"{path} says `name: {kind}`, and no data set or kind has that name.")
    root = own or config_dir
    try:
        return settings_class(str(kind), root).model_validate({"name": kind, **plain}, context={"root": root})
    except ValidationError as error:
        raise ProtocolError(f"{path}: {'; '.join(problems(error))}.", "docs/datasets/own.md lists all keys.") from None


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """One config laid over another, as Hydra does: what is inside a key joins, the last value wins."""
    merged = dict(below)
    for key, value in above.items():
        inner = merged.get(key)
        merged[key] = _over(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return merged
