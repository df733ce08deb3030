"""What version 2.0 of the Data Package standard asks of a descriptor, of those of its rules that releases touch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from harness.pipeline.release.datapackage import PROFILE

_TYPES = ("string", "number", "integer", "boolean", "object", "list", "array", "date", "time", "datetime", "year", "yearmonth",
          "duration", "geopoint", "geojson", "any")  # fmt: skip
_NEEDED = ("name", "title", "description", "version", "licenses", "contributors", "sources", "resources")


def problems(package: Mapping[str, Any]) -> Iterator[str]:
    """What is missing or of the wrong form, with the key."""
    if package.get("$schema") != PROFILE:
        yield f"$schema is not {PROFILE}"
    yield from (f"{key} is missing or empty" for key in _NEEDED if not package.get(key))
    for key in ("name", "title", "description", "version"):
        if package.get(key) and not isinstance(package[key], str):
            yield f"{key} is no text"
    for key, needs in (("licenses", ("name", "path")), ("contributors", ("title",)), ("sources", ("title", "path"))):
        for i, one in enumerate(_list(package.get(key))):
            if not isinstance(one, Mapping) or not any(isinstance(one.get(need), str) for need in needs):
                yield f"{key}.{i} has no {' or '.join(needs)}"
    if '"$ref"' in json.dumps(package):
        yield "$ref refers to somewhere else"
    yield from _resources(_list(package.get("resources")))


def _resources(resources: list[Any]) -> Iterator[str]:
    whole = [resource if isinstance(resource, Mapping) else {} for resource in resources]
    names = [str(resource.get("name")) for resource in whole]
    yield from (f"resources: the name {name} is there twice" for name in sorted(set(names)) if names.count(name) > 1)
    for i, resource in enumerate(whole):
        yield from (f"resources.{i}.{what}" for what in _resource(resource))
        yield from (f"resources.{i}.schema.{what}" for what in _foreign_keys(resource.get("schema"), set(names)))


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _resource(resource: Mapping[str, Any]) -> Iterator[str]:
    if not isinstance(resource.get("name"), str) or not resource["name"]:
        yield "name is missing"
    path = resource.get("path")
    if not isinstance(path, str) or not is_plain(path):
        yield "path is no path inside the package"
    for key in ("schema", "dialect"):
        if isinstance(resource.get(key), str):
            yield f"{key} is somewhere else"
    size, digest = resource.get("bytes"), str(resource.get("hash"))
    if not isinstance(size, int):
        yield "bytes is no whole number"
    if not digest.startswith("sha256:") or len(digest) != 71:
        yield "hash is no sha256"
    if resource.get("type") == "table":
        yield from (f"schema.{what}" for what in _schema(resource.get("schema")))


def is_plain(path: str) -> bool:
    """Whether a path stays inside the folder and is no address."""
    parts = PurePosixPath(path).parts
    return bool(path) and not path.startswith(("/", "~")) and ".." not in parts and "://" not in path


def _schema(schema: object) -> Iterator[str]:
    if not isinstance(schema, Mapping) or not _list(schema.get("fields")):
        yield "fields is missing or empty"
        return
    names = []
    for i, field in enumerate(_list(schema["fields"])):
        if not isinstance(field, Mapping) or not isinstance(field.get("name"), str):
            yield f"fields.{i}.name is missing"
            continue
        names.append(field["name"])
        if field.get("type") not in _TYPES:
            yield f"fields.{i}.type is {field.get('type')!r:.40}, which is no type of the standard"
        if not isinstance(field.get("missingValues", []), list):
            yield f"fields.{i}.missingValues is no list"
    for name in {name for name in names if names.count(name) > 1}:
        yield f"fields: {name} is there twice"
    for name in _list(schema.get("primaryKey")):
        if name not in names:
            yield f"primaryKey names {name!r:.60}, which is no field"


def _foreign_keys(schema: object, resources: set[str]) -> Iterator[str]:
    for i, key in enumerate(_list(schema.get("foreignKeys")) if isinstance(schema, Mapping) else []):
        reference = key.get("reference") if isinstance(key, Mapping) else None
        if not isinstance(reference, Mapping) or str(reference.get("resource")) not in resources:
            yield f"foreignKeys.{i} names no resource of the package"
