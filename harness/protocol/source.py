"""Challenge files as they lie on disk: where they are, what they build on, what is wrong with them.

``harness list`` and every command that composes a challenge read it here first, so that all say the same of a file.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from harness import plugins
from harness.errors import ProtocolError
from harness.paths import CONF_DIR
from harness.protocol import plain_yaml

GROUPS = ("track", "dataset", "model")
_NAME = re.compile(r"[a-z0-9][a-z0-9_]{0,63}")
_GROUP = re.compile(r"(?:override )?/?([\w/]+)(?:@\S+)?")
_DEPTH = 20  # files that build on each other


@dataclass(frozen=True)
class Source:
    """One challenge as its files say it, before anything is composed."""

    name: str
    title: str
    root: Path  # the config directory its file lies in
    groups: Mapping[str, str]  # track, dataset and model -> the config it names

    def kind(self, group: str, config_dir: Path | None) -> tuple[str, Path | None]:
        """The ``name`` that a group's config gives, and the directory that its plug-in would come from."""
        choice = self.groups[group]
        path = find(group, choice, config_dir)
        said = [values["name"] for values in _in_order(path, load(path), config_dir, group) if "name" in values]
        return str(said[-1] if said else choice), home(group, choice, self, config_dir)


def roots(config_dir: Path | None) -> list[Path]:
    """Where configs are looked for, in this order: the shipped ones, those of installed plug-ins, an organiser's own.

    Raises ProtocolError where the last is no directory.
    """
    if config_dir is not None and not config_dir.is_dir():
        raise ProtocolError(f"--config-dir {config_dir} is not a directory.")
    return [CONF_DIR, *plugins.folders("conf"), *([config_dir.resolve()] if config_dir else [])]


def names(config_dir: Path | None, group: str = "challenge") -> list[str]:
    """Names of all files of challenges (or suites), broken ones too, sorted; shared parts (``_*.yaml``) are none."""
    files = (path for root in roots(config_dir) for path in (root / group).glob("*") if path.name[0] not in "._")
    return sorted({path.stem for path in files if path.suffix.lower() in (".yaml", ".yml")})


def read(name: str, config_dir: Path | None = None) -> Source:
    """The challenge of a name.

    Raises ProtocolError: there is none (with the nearest names), or its file, or one that it builds on, is broken.
    """
    known = names(config_dir)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
        hint = f"Did you mean {' or '.join(near)}?" if near else "`harness list challenges` lists them."
        if name.startswith("_"):
            hint = "A file whose name begins with _ is a shared part of others."
        elif "," in name:
            hint = "`harness run -m` sweeps over several."
        elif config_dir is None:
            hint += " One of your own needs --config-dir DIR."
        raise ProtocolError(f"There is no challenge {name!r:.200}.", hint)
    path = find("challenge", name, config_dir)
    check_name(name, path)
    own = load(path)
    if own.get("name", name) != name:
        raise ProtocolError(
            f"{path} says `name: {own['name']}`, but a challenge has the name of its file.",
            f"Leave the line out, or rename the file to {own['name']}.yaml.",
        )
    groups: dict[str, str] = {}
    title = ""
    for values in _family(path, own, config_dir):
        for group, choice in _chosen(values):
            groups.setdefault(group, choice)
    for values in _in_order(path, own, config_dir):
        title = values.get("title", title)
    for group, choice in _chosen(load(CONF_DIR / "config.yaml")):
        groups.setdefault(group, choice)
    if not isinstance(title, str) or not title:
        raise ProtocolError(f"{path} has no title.", "Add a line, as `title: Find the wrong labels among 300 digits`.")
    for group in GROUPS:
        find(group, groups[group], config_dir)
    return Source(name, title, path.parent.parent, groups)


def home(group: str, choice: str, source: Source, config_dir: Path | None) -> Path | None:
    """The directory that relative paths and modules in a group's config start from: the one that names them.

    That of the config itself; for a shipped one that of the challenge, and for a shipped one of these ``config_dir``.
    """
    found = find(group, choice, config_dir).parent.parent
    own = next((root for root in (found, source.root) if root != CONF_DIR), None)
    return own or (config_dir.resolve() if config_dir else None)


def find(group: str, name: str, config_dir: Path | None) -> Path:
    """The file of a config. Raises ProtocolError where there is none, or two that differ."""
    everywhere = roots(config_dir)
    found = [path for root in everywhere if (path := root / group / f"{name}.yaml").is_file()]
    if not found:
        for root in everywhere:
            for path in (root / group).glob(f"{name}.*"):
                raise ProtocolError(f"{path} is not read: configs end in .yaml.", f"Rename it to {name}.yaml.")
        known = sorted({path.stem for root in everywhere for path in (root / group).glob("[!_]*.yaml")})
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
        hint = f"Did you mean {' or '.join(near)}?" if near else f"Known: {', '.join(known)}."
        raise ProtocolError(f"There is no {group} {name!r:.200}.", hint)
    for other in found[1:]:
        if other.read_bytes() != found[0].read_bytes():
            raise ProtocolError(
                f"{other} has the name of {'a shipped' if found[0].is_relative_to(CONF_DIR) else 'another'} {group}, "
                f"which would be taken in its place.",
                "Rename it.",
            )
    return found[0]


def in_order(path: Path, config_dir: Path | None, group: str) -> Iterator[dict[str, Any]]:
    """The values of a config and of those that it builds on, in the order in which Hydra lays them over each other.

    Raises ProtocolError for a file that cannot be read.
    """
    return _in_order(path, load(path), config_dir, group)


def family(group: str, name: str, config_dir: Path | None, depth: int = 0) -> Iterator[tuple[int, Path]]:
    """The file of a config and those of its group that it builds on, each with how deep it lies below the first.

    Raises ProtocolError where one is missing or cannot be read.
    """
    if depth > _DEPTH:
        raise ProtocolError(f"{group} {name} builds on itself in the end.", "Take one of its defaults out.")
    path = find(group, name, config_dir)
    yield depth, path
    for entry in load(path).get("defaults", []):
        if isinstance(entry, str) and entry != "_self_" and not entry.startswith("override "):
            yield from family(group, entry.removeprefix(f"/{group}/"), config_dir, depth + 1)


def check_name(name: str, path: Path, group: str = "challenge") -> None:
    """Raises ProtocolError where a name cannot be that of a challenge (or suite) and its file."""
    if not _NAME.fullmatch(name):
        raise ProtocolError(
            f"{path} cannot be a {group}'s file: its name must be 1 to 64 lower-case letters, digits and '_'.",
            "Rename it.",
        )
    if not isinstance(read_as := yaml.safe_load(name), str):
        kind = "a truth value" if isinstance(read_as, bool) else "nothing" if read_as is None else "a number"
        raise ProtocolError(
            f"{path} cannot be a {group}'s file: YAML reads {name} as {kind}.", f"Rename it, as c_{name}.yaml."
        )


def _family(
    path: Path, own: dict[str, Any], config_dir: Path | None, above: Sequence[Path] = ()
) -> Iterator[dict[str, Any]]:
    """A file's values and then those it builds on, as Hydra has it: of two that choose a group, the first wins."""
    yield own
    for parent in reversed(list(_parents(path, own, config_dir, above))):
        yield from _family(parent, load(parent), config_dir, [*above, path])


def _in_order(
    path: Path, own: dict[str, Any], config_dir: Path | None, group: str = "challenge", depth: int = 0
) -> Iterator[dict[str, Any]]:
    """The same in the order in which Hydra lays their values over each other: of two that set one, the last wins."""
    if depth > _DEPTH:
        raise ProtocolError(f"{path} builds on itself in the end.", "Take one of its defaults out.")
    names_ = [
        entry for entry in own.get("defaults", []) if isinstance(entry, str) and not entry.startswith("override ")
    ]
    for entry in names_ if "_self_" in names_ else [*names_, "_self_"]:
        if entry == "_self_":
            yield own
        else:
            parent = find(group, entry.removeprefix(f"/{group}/"), config_dir)
            yield from _in_order(parent, load(parent), config_dir, group, depth + 1)


def _parents(path: Path, own: dict[str, Any], config_dir: Path | None, above: Sequence[Path]) -> Iterator[Path]:
    for entry in own.get("defaults", []):
        if isinstance(entry, str) and entry != "_self_" and not entry.startswith("override "):
            parent = find("challenge", entry.removeprefix("/challenge/"), config_dir)
            if parent in (path, *above) or len(above) > _DEPTH:
                raise ProtocolError(f"{path} builds on {entry}, which builds on it in turn.", "Take one of them out.")
            yield parent


def _chosen(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The configs a defaults list chooses for track, data set and model."""
    for entry in reversed(values.get("defaults", [])):
        pairs = entry.items() if isinstance(entry, dict) else []
        for key, choice in pairs:
            match = _GROUP.fullmatch(str(key).strip())
            if match and match[1] in GROUPS:
                yield match[1], str(choice)


@functools.cache
def _load_bytes(path: Path, content: bytes) -> dict[str, Any]:
    if content.startswith(b"\xef\xbb\xbf"):
        raise ProtocolError(f"{path} begins with a byte order mark.", "Save it as UTF-8 without one (BOM).")
    try:
        values = plain_yaml.read(content, plain_yaml.Values)
    except plain_yaml.NotPlain as error:
        raise ProtocolError(f"{path} {error}.", error.hint or "See a shipped one.") from error
    if not isinstance(values.get("defaults", []), list):
        raise ProtocolError(f"{path}: defaults must be a list, a line each with a dash.", "See a shipped one.")
    return values


def load(path: Path) -> dict[str, Any]:
    """Keys and values of a config's file."""
    try:
        return _load_bytes(path, path.read_bytes())
    except OSError as error:
        raise ProtocolError(f"{path} cannot be read: {error.strerror or error}.") from error
