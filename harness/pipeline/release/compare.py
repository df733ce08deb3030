"""Descriptions held against those that the specification and the data would make."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.pipeline.release.contents import FORMAT, Contents
from harness.pipeline.release.describe import descriptions
from harness.pipeline.release.findings import Collected

_HASHES = ("hash", "bytes", "sha256", "contentSize")  # held against the files themselves elsewhere
_MOST = 20  # differences of one file that are named
_NEEDED = ("name", "description", "license", "creator", "version", "conformsTo", "distribution", "recordSet")


def compare(folder: Path, contents: Contents, found: Collected) -> None:
    """A finding for every key or line that is not what specification and data say."""
    for name, expected in descriptions(contents).items():
        path = folder / name
        if not path.is_file():
            found.add(name, "is missing")
            continue
        actual = path.read_bytes()
        if actual == expected:
            continue
        said = list(_json(actual, expected) if name.endswith(".json") else _text(actual, expected))
        for what in said[:_MOST]:
            found.add(name, what)


def same_format(package: Mapping[str, Any]) -> bool:
    """Whether a release was described as this version of the harness describes one, as far as it says so."""
    made_by = package.get("harness")
    number = made_by.get("release") if isinstance(made_by, Mapping) else None
    return not isinstance(number, int) or number == FORMAT


def keys(description: Mapping[str, Any]) -> Iterator[str]:
    """What a Croissant description needs and has not."""
    for key in _NEEDED:
        if not description.get(key):
            yield f"{key} is missing or empty"


def _json(actual: bytes, expected: bytes) -> Iterator[str]:
    try:
        plain = json.loads(actual)
    except (ValueError, RecursionError):
        return  # said where it is read
    yield from _differences(plain, json.loads(expected), "")


def _differences(actual: object, expected: object, key: str) -> Iterator[str]:
    if isinstance(actual, dict) and isinstance(expected, dict):
        for name in {**expected, **actual}:
            inner = f"{key}.{name}" if key else str(name)
            if name in _HASHES and name in actual and name in expected:
                continue
            if name not in actual:
                yield f"{inner} is missing"
            elif name not in expected:
                yield f"{inner} is there, and neither specification nor data say so"
            else:
                yield from _differences(actual[name], expected[name], inner)
    elif isinstance(actual, list) and isinstance(expected, list) and len(actual) == len(expected):
        for i, (one, other) in enumerate(zip(actual, expected, strict=True)):
            yield from _differences(one, other, f"{key}.{i}")
    elif actual != expected:
        yield f"{key} is {_shown(actual)}; by specification and data it is {_shown(expected)}"


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _text(actual: bytes, expected: bytes) -> Iterator[str]:
    one, other = actual.decode("utf-8", "replace").splitlines(), expected.decode().splitlines()
    for i in range(max(len(one), len(other))):
        if one[i : i + 1] != other[i : i + 1]:
            said = repr(one[i])[:70] if i < len(one) else "nothing"
            meant = repr(other[i])[:70] if i < len(other) else "nothing"
            yield f"line {i + 1} is {said}; by specification and data it is {meant}"
            return
    yield "its line ends are not those of a release"
