"""Specifications of data sets as they lie on disk, shipped or an organiser's own: ``spec/NAME.yaml``."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.version import Version
from pydantic import ValidationError

from harness.data import Dataset, DatasetSettings
from harness.data.specification import Change, Column, Specification
from harness.errors import ProtocolError
from harness.protocol import plain_yaml, source
from harness.protocol.staging import yaml_text
from harness.registry import problems

if TYPE_CHECKING:
    from harness.data.own.settings import OwnSettings

_REMARK = (
    "What the data are, for people: fill in what is empty (keys: docs/datasets/own.md). license is an SPDX identifier, or\n"
    "# LicenseRef-NAME with its text in license_text. `harness dataset card` makes the card from this file."
)


def find(name: str, config_dir: Path | None = None) -> Path | None:
    """The specification of a data set, by the name of its config; an organiser's own before a shipped one of that name."""
    for root in reversed(source.roots(config_dir)):
        if (path := root / "spec" / f"{name}.yaml").is_file():
            return path
    return None


def parse(path: Path) -> Specification:
    """A specification from a file of any name. Raises ProtocolError as :func:`read`."""
    try:
        values = plain_yaml.read(path.read_bytes(), plain_yaml.Values)
        return Specification.model_validate(values)
    except OSError as error:
        raise ProtocolError(f"{path} cannot be read: {error.strerror or error}.") from error
    except plain_yaml.NotPlain as error:
        raise ProtocolError(f"{path} {error}.", error.hint) from error
    except ValidationError as error:
        wrong = "; ".join(problems(error)[:20])
        raise ProtocolError(f"{path}: {wrong}.", "docs/datasets/own.md lists the keys of a specification.") from None


def read(path: Path) -> Specification:
    """A specification from its file, which has the name of its data set.

    Raises
    ------
    ProtocolError: not plain YAML, unknown keys, a licence that is none, versions that go backwards, a domain that does not fit:
        all of them in one paragraph.
    """
    spec = parse(path)
    if spec.name != path.stem:
        raise ProtocolError(
            f"{path} says `name: {spec.name}`; a specification has the name of its data set, {path.stem}.",
            "Rename the one or the other.",
        )
    return spec


@functools.cache
def shipped(name: str) -> Specification | None:
    """That of a data set of the project or of an installed plug-in; None for any other."""
    path = find(name)
    return read(path) if path else None


def load(name: str, config_dir: Path | None = None) -> Specification:
    """The specification of a data set. Raises ProtocolError, also where there is none."""
    path = find(name, config_dir)
    if path is None:
        source.find("dataset", name, config_dir)  # says so where there is no such data set either
        root = config_dir or Path("conf")
        raise ProtocolError(
            f"The data set {name} has no specification: there is no {root / 'spec' / name}.yaml.",
            "`harness challenge new` writes one to fill in; docs/datasets/own.md lists its keys.",
        )
    return read(path)


def begun(name: str, dataset: Dataset, settings: DatasetSettings, path: Path) -> str:
    """A new specification as YAML: columns, types, domains and classes as ``path`` has them; the rest to be filled in."""
    from harness.data.own.settings import OwnSettings

    columns, roles = {}, {}
    if isinstance(settings, OwnSettings):
        columns = {
            column: said.model_dump(mode="json", exclude_none=True, exclude={"unit"})
            for column, said in columns_of(settings, path).items()
        }
        roles = {key: said for key in ("group", "time", "part") if (said := getattr(settings, key))}
    return yaml_text(
        {
            "name": name,
            "title": "",
            "purpose": "",
            "unit": "",
            "columns": columns,
            "label": {
                "column": getattr(settings, "label", None) or "",
                "origin": "",
                "guide": "",
                "classes": {name: {"means": "", "edge_cases": [], "examples": []} for name in dataset.class_names},
            },
            "split": {"rule": "", **roles},
            "collection": {"method": "", "period": "", "people": "", "consent": ""},
            "source": "",
            "url": "",
            "creators": [],
            "license": "",
            "license_text": "",
            "privacy": "",
            "citation": "",
            "faults": [],
            "versions": [{"version": "1.0.0", "changes": "First version."}],
        },
        _REMARK,
    )


def continued(spec: Specification, name: str, settings: OwnSettings, path: Path, change: str) -> str:
    """The specification of a data set made from another, as YAML: what is new among the columns of ``path``, and a major version."""
    columns = {key: said for key, said in columns_of(settings, path).items() if key not in spec.columns}
    number = Change(version=f"{Version(spec.version).major + 1}.0.0", changes=change)
    new = {"name": name, "columns": {**spec.columns, **columns}, "versions": (*spec.versions, number)}
    return yaml_text(spec.model_copy(update=new).model_dump(mode="json", exclude_none=True))


def columns_of(settings: OwnSettings, path: Path) -> dict[str, Column]:
    """The columns of a table, a text or a list of pictures as they are seen in its file; none of other kinds."""
    from harness.data.own import sheet
    from harness.data.own.columns import seen
    from harness.data.own.images import Images
    from harness.data.own.table import Table
    from harness.data.own.text import Text

    if not isinstance(settings, Table | Text | Images) or not path.is_file():
        return {}
    return seen(sheet.read(path, settings.encoding, settings.separator, quotes=settings.quotes), settings)
