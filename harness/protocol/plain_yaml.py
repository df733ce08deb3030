"""YAML that is only keys and values: UTF-8, no key twice, nothing instantiated."""

from __future__ import annotations

from typing import Any

import yaml


class NotPlain(ValueError):
    """What is wrong with a text, in words that follow its name; ``hint`` says what to do about it."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.hint = hint


class _NoKeyTwice:
    """What YAML leaves open, so that nobody overlooks the line that counts; Hydra has it the same way."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.tag == "tag:yaml.org,2002:merge":
                raise yaml.YAMLError(f"merges (<<) are not allowed, as in line {key.start_mark.line + 1}")
            if (key.tag, key.value) in seen:
                raise yaml.YAMLError(f"key {key.value!r:.60} is there twice, again in line {key.start_mark.line + 1}")
            seen.add((key.tag, key.value))
        found: dict[Any, Any] = super().construct_mapping(node, deep)  # type: ignore[misc]
        return found


class Ours(_NoKeyTwice, yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader):  # type: ignore[misc]
    """For files of an organiser: the faster parser, and anchors as usual."""


class Strangers(_NoKeyTwice, yaml.SafeLoader):
    """For files of a participant: no aliases, a few lines of which can stand for more values than memory holds.

    In Python alone, where deep nesting ends in an exception instead of the end of the stack.
    """

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("anchors and aliases (& and *) are not allowed here")
        return super().compose_node(parent, index)


def read(content: bytes, loader: type[Ours | Strangers]) -> dict[Any, Any]:
    """Keys and values of a text. Raises NotPlain."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise NotPlain(f"is not UTF-8 text (line {line})", "Save it as UTF-8.") from None
    try:
        values = yaml.load(text, loader)  # noqa: S506 - both are SafeLoaders
    except Exception as error:  # the constructors of explicit tags (!!float, !!timestamp) raise whatever happens there
        raise NotPlain(f"is not readable YAML: {' '.join(str(error).split())[:300]}") from error
    if not isinstance(values, dict):
        raise NotPlain(f"must hold keys and values, got {type(values).__name__}")
    return values
