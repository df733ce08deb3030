"""Croissant descriptions by YAML: tables, texts and images read through mlcroissant, and nothing from elsewhere."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from harness.errors import ProtocolError
from tests.data.own import load, write_csv

mlcroissant = pytest.importorskip("mlcroissant", reason="the extra `croissant` is not installed")
pytestmark = pytest.mark.usefixtures("own_cache")

CONTEXT = {
    "@language": "en", "@vocab": "https://schema.org/", "citeAs": "cr:citeAs", "column": "cr:column",
    "conformsTo": "dct:conformsTo", "cr": "http://mlcommons.org/croissant/", "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"}, "dct": "http://purl.org/dc/terms/", "extract": "cr:extract",
    "field": "cr:field", "fileProperty": "cr:fileProperty", "fileObject": "cr:fileObject", "fileSet": "cr:fileSet",
    "format": "cr:format", "includes": "cr:includes", "isLiveDataset": "cr:isLiveDataset", "jsonPath": "cr:jsonPath",
    "key": "cr:key", "md5": "cr:md5", "parentField": "cr:parentField", "path": "cr:path", "recordSet": "cr:recordSet",
    "references": "cr:references", "regex": "cr:regex", "repeated": "cr:repeated", "replace": "cr:replace",
    "sc": "https://schema.org/", "separator": "cr:separator", "source": "cr:source", "subField": "cr:subField",
    "transform": "cr:transform",
}  # fmt: skip


def field(name: str, kind: str, **origin: Any) -> dict[str, Any]:
    return {"@type": "cr:Field", "@id": f"rows/{name}", "name": name, "dataType": kind, "source": origin}


def column(name: str, kind: str = "sc:Text") -> dict[str, Any]:
    return field(name, kind, fileObject={"@id": "table"}, extract={"column": name})


def described(
    root: Path, fields: list[dict[str, Any]], *more: dict[str, Any], version: str = "1.0", **file: Any
) -> Path:
    """A description of ``t.csv`` beside it."""
    table = {
        "@type": "cr:FileObject",
        "@id": "table",
        "name": "table",
        "contentUrl": "t.csv",
        "encodingFormat": "text/csv",
    }
    if (root / "t.csv").is_file():
        table["sha256"] = hashlib.sha256((root / "t.csv").read_bytes()).hexdigest()
    plain = {
        "@context": CONTEXT, "@type": "sc:Dataset", "name": "patients", "description": "made", "license": "CC0-1.0",
        "url": "https://example.org", "version": "1.0.0", "datePublished": "2024-01-01",
        "conformsTo": f"http://mlcommons.org/croissant/{version}",
        "distribution": [table | file, *more],
        "recordSet": [{"@type": "cr:RecordSet", "@id": "rows", "name": "rows", "field": fields}],
    }  # fmt: skip
    (root / "croissant.json").write_text(json.dumps(plain))
    return root / "croissant.json"


KEYS = {"path": "croissant.json", "label": "y", "record_set": "rows"}
ROWS = [
    ("age", "colour", "y", "who", "text"),
    *[(i / 2, ["red", "blue"][i % 2], "ab"[i // 2 % 2], i // 3, f"text {i}") for i in range(24)],
]
TABLE = [column("age", "sc:Float"), column("colour"), column("y"), column("who", "sc:Integer")]


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_records_are_encoded_like_the_table_they_come_from(version: str, tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", ROWS)
    described(tmp_path, TABLE, version=version)
    data = load(tmp_path, "croissant", **KEYS, group="who", settings={"rare": 1})
    table = load(tmp_path, "table", path="t.csv", label="y", group="who", rare=1, columns={"text": "drop"})
    np.testing.assert_array_equal(data.X, table.X)
    np.testing.assert_array_equal(data.y, table.y)
    assert data.extras["group"].tolist() == table.extras["group"].tolist()
    assert data.name == "patients"
    assert load(tmp_path, "croissant", **KEYS, group="who", settings={"rare": 1}).digest() == data.digest()


def test_texts(tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", ROWS)
    described(tmp_path, [column("text"), column("y")])
    data = load(tmp_path, "croissant", **KEYS, rows="text", settings={"dimension": 64})
    assert data.texts is not None
    assert list(data.texts) == [f"text {i}" for i in range(24)]
    assert data.X.shape == (24, 64)


def test_images_of_a_set_of_files(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    shown = {}
    for i in range(8):
        shown[f"{'ab'[i % 2]}{i}.png"] = pixels = rng.integers(0, 256, (6, 5, 3)).astype(np.uint8)
        (tmp_path / "im").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "im" / f"{'ab'[i % 2]}{i}.png")
    pictures = {"@type": "cr:FileSet", "@id": "im", "name": "im", "encodingFormat": "image/png", "includes": "im/*.png"}
    name = {"fileProperty": "filename"}
    fields = [
        field("image", "sc:ImageObject", fileSet={"@id": "im"}, extract={"fileProperty": "content"}),
        field("file", "sc:Text", fileSet={"@id": "im"}, extract=name),
        field("y", "sc:Text", fileSet={"@id": "im"}, extract=name, transform={"regex": "^(.).*$"}),
    ]
    path = described(tmp_path, fields)
    plain = json.loads(path.read_text())
    path.write_text(json.dumps(plain | {"distribution": [pictures]}))
    data = load(tmp_path, "croissant", **KEYS, rows="images", id="file")
    assert data.class_names == ("a", "b")
    for row, file in zip(data.X, data.extras["id"].tolist(), strict=True):
        np.testing.assert_array_equal(row, shown[file].astype(np.float32) / np.float32(255))


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ({"contentUrl": "../t.csv", "sha256": None}, "must lie inside"),
        ({"contentUrl": "/etc/passwd", "sha256": None}, "must lie inside"),
        ({"contentUrl": "gone.csv", "sha256": None}, "no such file"),
        ({"contentUrl": "https://example.invalid/t.csv", "sha256": None}, "is at an address and has no sha256"),
        ({"containedIn": {"@id": "zip"}}, "archives are not unpacked"),
        ({"sha256": "0" * 64}, "has the SHA-256 .* says 0000"),
    ],
)
def test_files_from_elsewhere_and_other_files_are_refused(file: dict[str, Any], said: str, tmp_path: Path) -> None:
    write_csv(tmp_path / "in" / "t.csv", ROWS)
    write_csv(tmp_path / "t.csv", ROWS)
    described(tmp_path / "in", TABLE, **file)
    with pytest.raises(ProtocolError, match=said):
        load(tmp_path / "in", "croissant", **KEYS)


@pytest.mark.parametrize(
    "context", ["https://schema.org/", [CONTEXT, "https://x.invalid"], CONTEXT | {"@import": "https://x.invalid"}]
)
def test_a_context_from_elsewhere_is_not_fetched(context: object, tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", ROWS)
    path = described(tmp_path, TABLE)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"@context": context}))
    with pytest.raises(ProtocolError, match="takes its @context from elsewhere"):
        load(tmp_path, "croissant", **KEYS)


def test_what_is_no_description_is_said_in_a_paragraph(tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", ROWS)
    path = described(tmp_path, TABLE)
    with pytest.raises(ProtocolError, match="did not find any record set with the name `other`"):
        load(tmp_path, "croissant", **KEYS | {"record_set": "other"})
    with pytest.raises(ProtocolError, match=r"'Y', and croissant\.json has none of that name"):
        load(tmp_path, "croissant", **KEYS | {"label": "Y"})
    for content, said in (("{", "is not JSON"), ("[]", "holds a list"), ("{}", "cannot be read as Croissant")):
        path.write_text(content)
        with pytest.raises(ProtocolError, match=said):
            load(tmp_path, "croissant", **KEYS)
