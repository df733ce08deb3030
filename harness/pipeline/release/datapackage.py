"""``datapackage.json``: a Data Package as version 2.0 of that standard has it (https://datapackage.org)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.data.specification import Column
from harness.pipeline.release import licences
from harness.pipeline.release.contents import FILES_FIELDS, FILES_PATH, FORMAT, VOTE_FIELDS, Contents, Stored
from harness.pipeline.release.material import ANNOTATIONS, FILES, ROWS, label_of, of_role, primary_key
from harness.pipeline.release.tabular import MEDIA, Format

PROFILE = "https://datapackage.org/profiles/2.0/datapackage.json"
_TYPES = {"number": "number", "array": "array", "integer": "integer"}


def package(contents: Contents, spec_file: Stored) -> dict[str, Any]:
    """The descriptor; ``spec_file`` is the specification as it lies in the release."""
    spec = contents.spec
    resources = [_rows(contents)]
    if contents.votes is not None:
        resources.append(_annotations(contents))
    if contents.pictures is not None:
        resources.append(_table(FILES, FILES_PATH, "csv", contents.stored[FILES_PATH], _schema(FILES_FIELDS, ["path"])))
    resources.append(
        {"name": "specification", "path": "spec.yaml", "mediatype": "application/yaml", **_stored(spec_file)}
    )
    return {
        "$schema": PROFILE,
        "name": spec.name,
        "title": spec.title,
        "description": spec.purpose,
        "version": spec.version,
        **({"homepage": spec.url} if spec.url else {}),
        "licenses": [one.as_dict() for one in licences.of(spec)],
        "contributors": [{"title": creator, "roles": ["creator"]} for creator in spec.creators],
        "sources": [{"title": spec.source} | ({"path": spec.url} if spec.url else {})],
        "harness": {"release": FORMAT},
        "resources": resources,
    }


def _stored(file: Stored) -> dict[str, Any]:
    return {"bytes": file.size, "hash": f"sha256:{file.sha256}"}


def _table(name: str, path: str, form: Format, file: Stored, schema: Mapping[str, Any]) -> dict[str, Any]:
    encoding = {"encoding": "utf-8"} if form == "csv" else {}
    media = {"format": form, "mediatype": MEDIA[form], **encoding}
    return {"name": name, "type": "table", "path": path, **media, **_stored(file), "schema": dict(schema)}


def _rows(contents: Contents) -> dict[str, Any]:
    spec = contents.spec
    key = primary_key(spec)
    schema = _schema(contents.described, [key] if key else [], contents)
    image = of_role(spec, "image")
    if image:
        schema["foreignKeys"] = [{"fields": [image], "reference": {"resource": FILES, "fields": ["path"]}}]
    table = _table(ROWS, contents.rows_path, contents.form, contents.stored[contents.rows_path], schema)
    return {**table, **({"description": spec.unit} if spec.unit else {})}


def _annotations(contents: Contents) -> dict[str, Any]:
    path = f"{ANNOTATIONS}.{contents.form}"
    schema = _schema(VOTE_FIELDS, ["item", "annotator"])
    key = primary_key(contents.spec)
    if contents.fields[str(key)].type == "integer":  # a foreign key is of the type of what it names
        schema["fields"][0]["type"] = "integer"
    schema["foreignKeys"] = [{"fields": ["item"], "reference": {"resource": ROWS, "fields": [key]}}]
    return _table(ANNOTATIONS, path, contents.form, contents.stored[path], schema)


def _schema(fields: Mapping[str, Column], key: list[str], contents: Contents | None = None) -> dict[str, Any]:
    described = [_field(name, column, contents, unique=key == [name]) for name, column in fields.items()]
    return {"fields": described} | ({"primaryKey": key} if key else {})


def _field(name: str, column: Column, contents: Contents | None, *, unique: bool) -> dict[str, Any]:
    type_ = _TYPES.get(column.type, "string")
    shape: dict[str, Any] = {}
    if column.type == "date" and contents is not None:
        type_, shape = ("date", {}) if contents.days(name) else ("datetime", {"format": "any"})
    means = ". ".join(text.rstrip(".") for text in (column.means, column.unit and f"In {column.unit}") if text)
    constraints = _constraints(name, column, contents, type_) | ({"unique": True} if unique else {})
    return {
        "name": name,
        "type": type_,
        **shape,
        **({"description": means} if means else {}),
        "missingValues": [""] if column.missing is not None or type_ != "string" else [],
        **({"constraints": constraints} if constraints else {}),
    }


def _constraints(name: str, column: Column, contents: Contents | None, type_: str) -> dict[str, Any]:
    values = list(column.values) if column.values is not None else None
    found: dict[str, Any] = {}
    if column.missing is None and (type_ != "string" or column.role in ("id", "label", "image")):
        found["required"] = True
    if values is None and contents is not None and name == label_of(contents.spec) and type_ == "string":
        values = list(contents.spec.label.classes) or None
    if values is not None:
        found["enum"] = [int(value) if type_ == "integer" else value for value in values]
    for key, bound in (("minimum", column.least), ("maximum", column.most)):
        if bound is not None and type_ in ("number", "integer", "date"):
            exact = int(bound) if isinstance(bound, float) and bound.is_integer() else bound
            found[key] = exact if isinstance(exact, int | float) else exact.isoformat()
    return found
