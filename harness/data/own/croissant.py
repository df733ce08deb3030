"""``name: croissant``: any data set that carries a Croissant 1.0 or 1.1 description, read through mlcroissant (an extra).

Nothing is fetched but files whose SHA-256 the description states; everything else lies, unpacked, in the folder of the
description.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import model_validator

from harness.data.base import Dataset
from harness.data.fetch import DataFile, get
from harness.data.own import source
from harness.data.own.images import Images
from harness.data.own.original import Original
from harness.data.own.settings import Name, OwnSettings
from harness.data.own.sheet import Sheet
from harness.data.own.table import Table
from harness.data.own.text import Text
from harness.data.specification import Role
from harness.errors import ProtocolError

_KINDS: dict[str, type[Table] | type[Text] | type[Images]] = {"table": Table, "text": Text, "images": Images}


class Croissant(OwnSettings):
    """The records of ``record_set``, encoded as the kind ``rows`` encodes them; ``settings`` are that kind's own keys.

    ``label``, ``id`` and the others name fields by what stands after the last slash of their id; ``image`` names the field
    of pictures, for ``rows: images``.
    """

    name: Literal["croissant"] = "croissant"
    label: Name
    record_set: Name
    rows: Literal["table", "text", "images"] = "table"
    image: Name = "image"
    settings: Mapping[str, Any] = {}

    @model_validator(mode="after")
    def _known_settings(self) -> Self:
        self._encoder()
        return self

    @property
    def has_texts(self) -> bool:
        return self.rows == "text"

    def versions(self) -> Sequence[str]:
        _mlcroissant()
        return (f"mlcroissant {version('mlcroissant')}", *self._encoder().versions())

    def sources(self, path: Path) -> list[Path]:
        nodes = described(path)
        local = [_local(path, node) for node in nodes if _is_file(node) and not _address(node)]
        if not all(map(_is_file, nodes)):  # a set of files in the folder
            local += source.files_under(path.parent, self._root or path.parent)
        return [*super().sources(path), *sorted(set(local) - {path})]

    def read(self, path: Path) -> Dataset:
        table = _records(path, self.record_set, pictures=self.image if self.rows == "images" else None)
        encoder = self._encoder()
        if isinstance(encoder, Table):
            data = encoder.encoded(table)
        elif isinstance(encoder, Text):
            data = encoder.encoded(table, table.raw(encoder.text, "text"), self.label, None)
        else:
            names = [f"{self.image} of record {i}" for i in range(len(table))]
            pictures = table.raw(self.image, "image")
            data = encoder.encoded(table, names, lambda i: pictures[i].encode("latin-1"), self.label, None)
        return replace(data, name=str(_json(path).get("name") or self.title))

    def original(self, path: Path) -> Original:
        if self.rows != "images":
            table = _records(path, self.record_set, pictures=None)
            text: dict[str, Role] = {str(self.settings.get("text", "text")): "text"} if self.rows == "text" else {}
            return Original(table, {**text, **self.roles_of_columns()})
        table = _records(path, self.record_set, pictures=self.image)
        pictures = table.columns[self.image]
        names = [f"{i:06d}.png" for i in range(len(table))]
        roles: dict[str, Role] = {self.image: "image", **self.roles_of_columns()}
        named = replace(table, columns={**table.columns, self.image: names})
        return Original(named, roles, picture=lambda row: pictures[row].encode("latin-1"))

    def _encoder(self) -> Table | Text | Images:
        shared = {key: getattr(self, key) for key in ("label", "id", "group", "time", "part", "votes")}
        plain = {"name": self.rows, "path": self.path or "croissant.json", **shared, **self.settings}
        return _KINDS[self.rows].model_validate(plain, context={"root": self._root})


def _mlcroissant() -> Any:
    try:
        import mlcroissant
    except ImportError:
        raise ProtocolError(
            "A data set of the kind croissant is read by the package mlcroissant, which is not installed.",
            'Install the extra: pip install "harness[croissant]".',
        ) from None
    return mlcroissant


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise ProtocolError(f"{path} is not JSON: {error}.", "`path` names the Croissant description.") from error
    if not isinstance(found, dict):
        raise ProtocolError(f"{path} is no Croissant description: it holds a {type(found).__name__}.")
    return found


def described(path: Path) -> list[dict[str, Any]]:
    """The file objects and file sets of a description, held against what may be read.

    Raises ProtocolError for a context from elsewhere (it would be fetched), an address without checksum, a file out of the
    folder or with another content.
    """
    plain = _json(path)
    for context in _contexts(plain):
        if not isinstance(context, dict) or "@import" in context:
            raise ProtocolError(
                f"{path} takes its @context from elsewhere.", "Write the context out, as Croissant does."
            )
    nodes = plain.get("distribution", [])
    nodes = [node for node in (nodes if isinstance(nodes, list) else [nodes]) if isinstance(node, dict)]
    for node in nodes:
        if any(".." in str(pattern) for key in ("includes", "excludes") for pattern in _listed(node.get(key))):
            raise ProtocolError(f"{path}: the file set {_id(node)!r} leads out of the folder.")
        if "containedIn" in node:  # mlcroissant unpacks without looking, once for an address, whatever is there later
            raise ProtocolError(
                f"{path}: {_id(node)!r} is inside an archive, and archives are not unpacked.",
                "Unpack it beside the description and name files and patterns from there.",
            )
        if not _is_file(node):
            continue
        if _address(node) and not node.get("sha256"):
            raise ProtocolError(
                f"{path}: the file {_id(node)!r} is at an address and has no sha256.",
                "Put the file beside the description and name it in contentUrl, or state its sha256.",
            )
        if not _address(node) and node.get("sha256"):
            file = _local(path, node)
            found = source.digest([file], path.parent)
            if found != node["sha256"]:
                raise ProtocolError(f"{file} has the SHA-256 {found}, and {path.name} says {node['sha256']}.")
    return nodes


def _contexts(plain: object) -> Iterator[object]:
    if isinstance(plain, dict):
        if "@context" in plain:
            yield plain["@context"]
        for value in plain.values():
            yield from _contexts(value)
    elif isinstance(plain, list):
        for value in plain:
            yield from _contexts(value)


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _id(node: Mapping[str, Any]) -> str:
    return str(node.get("@id") or node.get("name") or "?")


def _is_file(node: Mapping[str, Any]) -> bool:
    return "FileSet" not in str(node.get("@type"))


def _address(node: Mapping[str, Any]) -> bool:
    return "://" in str(node.get("contentUrl"))


def _local(path: Path, node: Mapping[str, Any]) -> Path:
    return source.within(path.parent, str(node.get("contentUrl") or _id(node)), f"path, in its file {_id(node)!r},")


def _records(path: Path, record_set: str, pictures: str | None) -> Sheet:
    """The records as a sheet: a column a field, under its short name. Pictures become the characters of their bytes."""
    mlcroissant = _mlcroissant()
    mapping = {}
    for node in described(path):
        if _is_file(node) and _address(node):
            url = str(node["contentUrl"])
            name = url.split("?")[0].rsplit("/", 1)[-1] or "data"
            mapping[_id(node)] = str(get(DataFile("own", name, str(node["sha256"]), url), path.stem))
    columns: dict[str, list[str]] = {}
    n = 0
    try:
        for record in mlcroissant.Dataset(str(path), mapping=mapping or None).records(record_set):
            for short, value in _fields(record):
                cells = columns.setdefault(short, [])
                if len(cells) != n:
                    raise ProtocolError(f"Field {short!r} of {record_set} is not in every record, or twice in one.")
                cells.append(_bytes(value) if short == pictures else _cell(value, short, n))
            n += 1
    except ProtocolError:
        raise
    except (
        Exception
    ) as error:  # whatever mlcroissant, pandas and rdflib raise on a description or file they cannot read
        why = " ".join(str(error).split())[:300]
        raise ProtocolError(f"{path} cannot be read as Croissant: {why}", "See `mlcroissant validate`.") from error
    if not n:
        raise ProtocolError(f"The record set {record_set!r} of {path} has no records.")
    return Sheet(path.name, columns, "record {}".format)


def _fields(record: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Short names and values; a list of numbers is as many fields, ``X_0``, ``X_1`` and so on."""
    for name, value in record.items():
        short = name.rsplit("/", 1)[-1]
        if isinstance(value, list):
            yield from ((f"{short}_{j}", one) for j, one in enumerate(value))
        else:
            yield short, value


def _cell(value: Any, field: str, row: int) -> str:
    value = value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value
    if value is None or (isinstance(value, float) and math.isnan(value)) or str(value) == "NaT":
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    if isinstance(value, str | int | float):
        return str(value)
    raise ProtocolError(f"Field {field!r} of record {row} holds a {type(value).__name__}; text or a number is needed.")


def _bytes(value: Any) -> str:
    if not isinstance(value, bytes):
        stream = io.BytesIO()
        value.save(stream, "PNG")
        value = stream.getvalue()
    return str(value.decode("latin-1"))
