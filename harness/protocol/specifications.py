"""Specifications of data sets as they lie on disk, shipped or an organiser's own: ``spec/NAME.yaml``."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from harness.data.specification import Specification
from harness.errors import ProtocolError
from harness.protocol import plain_yaml, source
from harness.registry import problems


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
