"""``croissant.json``: a description as Croissant 1.1 has it, with the vocabulary for responsible use (RAI 1.0)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from harness.data.specification import Column, Specification
from harness.pipeline.release import licences
from harness.pipeline.release.contents import FILES_FIELDS, FILES_PATH, VOTE_FIELDS, Contents, Stored
from harness.pipeline.release.material import ANNOTATIONS, FILES, IMAGES, ROWS, label_of, of_role, primary_key, shape_of
from harness.pipeline.release.tabular import CROISSANT_MEDIA, Format

CONFORMS_TO = ("http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0")
_TERMS = (
    "arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "extract", "field", "fileProperty", "fileObject",
    "fileSet", "format", "includes", "isArray", "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet",
    "references", "regex", "repeated", "replace", "samplingRate", "separator", "source", "subField", "transform",
)  # fmt: skip
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
    **{term: f"cr:{term}" for term in _TERMS},
}
"""Written out, so that nobody has to fetch it to read a description."""

_FILE_SET = "image-files"
_TYPES = {"number": "sc:Float", "array": "sc:Float", "integer": "sc:Integer"}
_SPLITS = {
    "train": "cr:TrainingSplit", "training": "cr:TrainingSplit", "0": "cr:TrainingSplit", "test": "cr:TestSplit",
    "2": "cr:TestSplit", **dict.fromkeys(("validation", "val", "valid", "dev", "1"), "cr:ValidationSplit"),
}  # fmt: skip


def description(contents: Contents) -> dict[str, Any]:
    """The description of a release."""
    spec = contents.spec
    published = spec.versions[-1].date
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "name": spec.name,
        "alternateName": spec.title,
        "description": spec.purpose,
        "conformsTo": list(CONFORMS_TO),
        "license": [licence.path if "://" in licence.path else licence.name for licence in licences.of(spec)],
        **({"url": spec.url} if spec.url else {}),
        # A specification does not say who is a person and who an institution; most are people.
        "creator": [{"@type": "sc:Person", "name": creator} for creator in spec.creators],
        **({"datePublished": published.isoformat()} if published else {}),
        "version": spec.version,
        "isBasedOn": spec.source,
        **({"citeAs": spec.citation} if spec.citation else {}),
        **_responsible(contents),
        "distribution": _distribution(contents),
        "recordSet": [*_splits(contents), *_images(contents), _rows(contents), *_votes(contents), *_files(contents)],
    }


def _responsible(contents: Contents) -> dict[str, Any]:
    """What the specification says of people, faults and labels. Whether a fault is a bias or a limit, it does not say."""
    spec = contents.spec
    collection = {key: value for key, value in spec.collection.model_dump().items() if value}
    said: dict[str, Any] = {
        "rai:dataCollection": "; ".join(f"{key}: {value}" for key, value in collection.items()),
        "rai:dataPreprocessingProtocol": spec.preparation,
        "rai:dataAnnotationProtocol": guide(spec),
        "rai:dataBiases": list(spec.faults),
        "rai:dataLimitations": list(spec.faults),
        "rai:personalSensitiveInformation": spec.privacy,
        "rai:dataUseCases": spec.purpose,
    }
    if contents.votes:
        counts = Counter(vote[0] for vote in contents.votes)
        people = len({vote[1] for vote in contents.votes})
        rows = contents.counted().rows
        least = min(counts.values()) if len(counts) == rows else 0
        said["rai:annotationsPerItem"] = (
            f"{len(contents.votes) / rows:.2f} on average, {least} to {max(counts.values())}, by {people} annotators"
        )
    return {key: value for key, value in said.items() if value}


def guide(spec: Specification) -> list[str]:
    """The labelling guide as sentences, a paragraph a class."""
    said = [spec.label.origin, spec.label.guide]
    for name, of_class in spec.label.classes.items():
        parts = [of_class.means]
        parts += [f"Hard to tell: {'; '.join(of_class.edge_cases)}"] if of_class.edge_cases else []
        parts += [f"For example: {'; '.join(of_class.examples)}"] if of_class.examples else []
        if text := ". ".join(part.rstrip(".") for part in parts if part):
            said.append(f"{name}: {text}")
    return [text for text in said if text]


def _distribution(contents: Contents) -> list[dict[str, Any]]:
    found = [_file(ROWS, contents.rows_path, contents.form, contents.stored[contents.rows_path])]
    if contents.votes is not None:
        path = f"{ANNOTATIONS}.{contents.form}"
        found.append(_file(ANNOTATIONS, path, contents.form, contents.stored[path]))
    if contents.pictures is not None:
        found.append(_file(FILES, FILES_PATH, "csv", contents.stored[FILES_PATH]))
        images = {"@type": "cr:FileSet", "@id": _FILE_SET, "name": _FILE_SET, "encodingFormat": "image/png"}
        found.append({**images, "includes": f"{IMAGES}/*.png"})
    return found


def _file(name: str, path: str, form: Format, stored: Stored) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject", "@id": path, "name": name, "contentUrl": path, "contentSize": f"{stored.size} B",
        "encodingFormat": CROISSANT_MEDIA[form], "sha256": stored.sha256,
    }  # fmt: skip


def _record_set(name: str, fields: list[dict[str, Any]], key: list[str], **more: object) -> dict[str, Any]:
    keyed = {"key": [{"@id": f"{name}/{column}"} for column in key]} if key else {}
    return {"@type": "cr:RecordSet", "@id": name, "name": name, **keyed, **more, "field": fields}


def field_names(columns: Iterable[str]) -> dict[str, str]:
    """What stands for each column in ids, which take neither spaces nor slashes: ``ward name`` becomes ``ward_name``."""
    names: dict[str, str] = {}
    for column in columns:
        name = re.sub(r"[^\w.-]", "_", column)
        while name in names.values():
            name += "_"
        names[column] = name
    return names


def _field(records: str, name: str, file: str, column: Column, types: list[str], id_: str = "") -> dict[str, Any]:
    means = ". ".join(text.rstrip(".") for text in (column.means, column.unit and f"In {column.unit}") if text)
    return {
        "@type": "cr:Field",
        "@id": f"{records}/{id_ or name}",
        "name": name,
        **({"description": means} if means else {}),
        "dataType": types[0] if len(types) == 1 else types,
        "source": {"fileObject": {"@id": file}, "extract": {"column": name}},
    }


def data_type(contents: Contents, name: str, column: Column) -> str:
    """How Croissant calls the type of a column of the rows."""
    if column.type == "date":
        return "sc:Date" if contents.days(name) else "sc:DateTime"
    return _TYPES.get(column.type, "sc:Text")


def _rows(contents: Contents) -> dict[str, Any]:
    spec, path = contents.spec, contents.rows_path
    fields, ids = [], field_names(contents.described)
    for name, column in contents.described.items():
        types = [data_type(contents, name, column)]
        types += ["cr:Label"] if name == label_of(spec) else ["cr:Split"] if column.role == "part" else []
        field = _field(ROWS, name, path, column, types, ids[name])
        if name in contents.arrays:
            shape = shape_of(name, contents.arrays[name])
            field |= {"isArray": True, "arrayShape": ",".join(map(str, shape))}
        if column.role == "part":
            field["references"] = {"field": {"@id": "splits/name"}}
        if column.role == "image":
            field["references"] = {"field": {"@id": f"{IMAGES}/path"}}
        fields.append(field)
    key = primary_key(spec)
    unit = {"description": spec.unit} if spec.unit else {}
    if contents.pictures is not None:
        name = picture_field(contents)
        picture = {"@type": "cr:Field", "@id": f"{ROWS}/{name}", "name": name, "dataType": "sc:ImageObject"}
        fields.append({**picture, "source": {"field": {"@id": f"{IMAGES}/content"}}})
    return _record_set(ROWS, fields, [ids[key]] if key else [], **unit)


def picture_field(contents: Contents) -> str:
    """The name of the field that holds the pictures themselves."""
    name = "image"
    while name in field_names(contents.described).values():
        name += "_"
    return name


def _images(contents: Contents) -> list[dict[str, Any]]:
    """The pictures as records of their own, which the rows join by path."""
    if contents.pictures is None:
        return []
    kinds = (("path", "sc:Text", "fullpath"), ("content", "sc:ImageObject", "content"))
    fields = [
        {
            "@type": "cr:Field", "@id": f"{IMAGES}/{name}", "name": name, "dataType": type_,
            "source": {"fileSet": {"@id": _FILE_SET}, "extract": {"fileProperty": origin}},
        }
        for name, type_, origin in kinds
    ]  # fmt: skip
    return [_record_set(IMAGES, fields, ["path"])]


def _votes(contents: Contents) -> list[dict[str, Any]]:
    if contents.votes is None:
        return []
    path = f"{ANNOTATIONS}.{contents.form}"
    key = str(primary_key(contents.spec))
    fields = [_field(ANNOTATIONS, name, path, column, ["sc:Text"]) for name, column in VOTE_FIELDS.items()]
    fields[0]["dataType"] = data_type(contents, key, contents.fields[key])
    return [_record_set(ANNOTATIONS, fields, ["item", "annotator"])]


def _files(contents: Contents) -> list[dict[str, Any]]:
    if contents.pictures is None:
        return []
    types = {"bytes": ["sc:Integer"]}
    fields = [
        _field(FILES, name, FILES_PATH, column, types.get(name, ["sc:Text"])) for name, column in FILES_FIELDS.items()
    ]
    return [_record_set(FILES, fields, ["path"])]


def _splits(contents: Contents) -> list[dict[str, Any]]:
    parts = contents.parts()
    if not parts:
        return []
    column = str(of_role(contents.spec, "part"))
    type_ = data_type(contents, column, contents.fields[column])  # what is joined must be of one type
    whole = type_ == "sc:Integer"
    fields = [
        {"@type": "cr:Field", "@id": "splits/name", "name": "name", "dataType": type_},
        {"@type": "cr:Field", "@id": "splits/url", "name": "url", "dataType": "sc:URL"},
    ]
    data = [
        {"splits/name": int(part) if whole else part, "splits/url": _SPLITS.get(part.lower(), "cr:Split")}
        for part in parts
    ]
    return [_record_set("splits", fields, ["name"], dataType="cr:Split", data=data)]
