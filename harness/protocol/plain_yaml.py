"""YAML that is only keys and values: UTF-8, no key twice, nothing instantiated."""

from __future__ import annotations

import re
from typing import Any

import yaml

# Controls, marks that reverse direction, halves of characters, and what takes no room: soft hyphen, zero-width space,
# invisible operators, byte order mark, the fillers of Hangul and Braille. Joiners stay: names in Persian need them.
UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u115f\u1160\u180e\u200b\u2028-\u202e\u2060-\u206f\u2800\u3164"
    r"\ud800-\udfff\ufeff\uffa0\U000e0000-\U000e0fff]"
)


class NotPlain(ValueError):
    """What is wrong with a text, in words that follow its name; ``hint`` says what to do about it."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.hint = hint


class _NoKeyTwice:
    """Every key is a scalar and stands once, as Hydra has it, so that no line is overruled by another unnoticed."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.YAMLError(f"the key in line {line} is not a text")
            if key.tag == "tag:yaml.org,2002:merge":
                raise yaml.YAMLError(f"merges (<<) are not allowed, as in line {line}")
            if (key.tag, key.value) in seen:
                raise yaml.YAMLError(f"key {key.value!r:.60} is there twice, again in line {line}")
            seen.add((key.tag, key.value))
        found: dict[Any, Any] = super().construct_mapping(node, deep)  # type: ignore[misc]
        return found


class Values(_NoKeyTwice, yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader):  # type: ignore[misc]
    """An organiser's file: numbers, truth values and dates are what YAML makes of them."""


class Texts(_NoKeyTwice, yaml.BaseLoader):
    """A participant's file: every scalar is the text that stands there, no types, no tags.

    No aliases either: a few lines of them can stand for more values than memory holds. In Python alone, where deep
    nesting ends in an exception.
    """

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or event.tag:
            raise yaml.YAMLError("anchors, aliases and tags (&, * and !) are not allowed here")
        return super().compose_node(parent, index)


def read(content: bytes, loader: type[Values | Texts]) -> dict[Any, Any]:
    """Keys and values of a text. Raises NotPlain."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise NotPlain(f"is not UTF-8 text (line {line})", "Save it as UTF-8.") from None
    try:
        values = yaml.load(text, loader)  # noqa: S506 - neither makes objects
    except Exception as error:  # PyYAML lets whatever goes wrong in it through, as for the escape "\UFFFFFFFF"
        raise NotPlain(f"is not readable YAML: {' '.join(str(error).split())[:300]}") from error
    if not isinstance(values, dict):
        raise NotPlain(f"must hold keys and values, got {type(values).__name__}")
    return values
