"""``submission.yaml``: plain keys and values, every problem named at once. Nothing in it is ever instantiated."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection
from typing import Any

import yaml

from harness import api
from harness.protocol.folder import invalid

MANIFEST = "submission.yaml"
_KEYS = {"name": str, "track": str, "entry": str, "authors": list, "description": str, "license": str}
_OPTIONAL = {"needs": list, "requires": list}  # the second: see requirements.py
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_ENTRY = re.compile(r"[A-Za-z_]\w*:[A-Za-z_]\w*", re.ASCII)
# Controls, marks that reverse direction, halves of characters, and what takes no room: soft hyphen, zero-width space,
# invisible operators, byte order mark, the fillers of Hangul and Braille. Joiners stay: names in Persian need them.
_UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u115f\u1160\u180e\u200b\u2028-\u202e\u2060-\u206f\u2800\u3164"
    r"\ud800-\udfff\ufeff\uffa0\U000e0000-\U000e0fff]"
)
_ASIDE = re.compile(r"submission\.ya?ml(\.txt)?", re.IGNORECASE)


def parse(content: bytes, where: str, files: Collection[str]) -> dict[str, Any]:
    """The values of a manifest, all of the right form.

    Parameters
    ----------
    content: the bytes of ``submission.yaml``.
    where: what an error calls it.
    files: relative paths of the submission's files; the entry must be among them.

    Raises
    ------
    SubmissionError: invalid_submission, with all that is wrong.
    """
    manifest = _values(content, where)
    problems = [f"unknown key {_named(key)}" for key in manifest if key not in _KEYS | _OPTIONAL]
    manifest = {"needs": [], "requires": []} | manifest
    for key, kind in (_KEYS | _OPTIONAL).items():
        if key not in manifest:
            problems.append(f"key {key!r} is missing")
        elif not isinstance(manifest[key], kind):
            problems.append(f"{key} must be a {'list' if kind is list else 'text'}, got {type(manifest[key]).__name__}")
    problems = problems or _problems(manifest, files)
    if problems:
        raise invalid(f"{where}: {'; '.join(problems)}.", "See a baseline's submission.yaml for the form.")
    return manifest


def missing(where: str, files: Collection[str]) -> Exception:
    """The error of a folder without a manifest; one under a name close to it is pointed out."""
    near = sorted(name for name in files if _ASIDE.fullmatch(name))
    hint = f"Rename {near[0]} to {MANIFEST}." if near else "`harness new TRACK PATH` writes a working skeleton."
    return invalid(f"{where} has no {MANIFEST}.", hint)


def _problems(manifest: dict[str, Any], files: Collection[str]) -> list[str]:
    """What is wrong with values of the right types."""
    problems = []
    if not _NAME.fullmatch(manifest["name"]):
        problems.append(f"name {manifest['name']!r:.80} must be 1 to 64 letters, digits, '_', '-' or '.'")
    if manifest["track"] not in api.TASKS:
        problems.append(f"track {manifest['track']!r:.80} must be one of {', '.join(api.TASKS)}")
    if not _ENTRY.fullmatch(manifest["entry"]):
        problems.append(f"entry {manifest['entry']!r:.80} must look like algorithm:function")
    elif f"{manifest['entry'].split(':')[0]}.py" not in files:
        problems.append(f"entry names {manifest['entry'].split(':')[0]}.py, which is not in the folder")
    if not manifest["authors"] or not all(isinstance(a, str) and len(a) <= 200 for a in manifest["authors"]):
        problems.append("authors must be a list of one or more names")
    elif not all(map(_says_something, manifest["authors"])):
        problems.append("authors has a name without any letter or digit")
    for key, most, meant in (("description", 2000, "a line"), ("license", 200, "an SPDX identifier, as MIT,")):
        if not _says_something(manifest[key]):
            problems.append(f"{key} has no letter or digit; {meant} is meant")
        elif len(manifest[key]) > most:
            problems.append(f"{key} is longer than {most} characters; {meant} is meant")
    fields = {field.name for field in dataclasses.fields(api.TASKS.get(manifest["track"], api.Task))}
    if not all(isinstance(need, str) and need in fields for need in manifest["needs"]):
        problems.append(f"needs must be a list of fields of the task ({', '.join(sorted(fields))})")
    unseen = [key for key in _KEYS if any(map(_UNSEEN.search, _texts(manifest[key])))]
    return problems + [f"{key} has characters that cannot be seen" for key in unseen]


class _PlainLoader(yaml.SafeLoader):
    """Safe YAML without aliases (a few lines of them can stand for more values than memory holds) and repeated keys."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("anchors and aliases (& and *) are not allowed here")
        return super().compose_node(parent, index)

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.YAMLError(
                        f"key {key.value!r:.60} is there twice, again in line {key.start_mark.line + 1}"
                    )
                seen.add(key.value)
        return node


def _values(content: bytes, where: str) -> dict[Any, Any]:
    if len(content) > 64_000:
        raise invalid(f"{where} is larger than 64 kB.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise invalid(f"{where} is not UTF-8 text (line {line}).", "Save it as UTF-8.") from None
    try:
        manifest = yaml.load(text, _PlainLoader)  # noqa: S506 - a SafeLoader
    except Exception as error:  # the constructors of explicit tags (!!float, !!timestamp) raise whatever happens there
        raise invalid(f"{where} is not readable YAML: {' '.join(str(error).split())[:300]}.") from error
    if not isinstance(manifest, dict):
        raise invalid(f"{where} must hold keys and values, got {type(manifest).__name__}.")
    return manifest


def _named(key: object) -> str:
    return f"{key!r:.60}" if isinstance(key, str) else f"of type {type(key).__name__}"


def _texts(value: object) -> list[str]:
    return [text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)]


def _says_something(text: str) -> bool:
    """Whether there is a letter or a digit in it that can be seen."""
    return any(map(str.isalnum, _UNSEEN.sub("", text)))
