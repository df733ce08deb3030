"""Parameters of a submission: keyword arguments that ``submission.yaml`` gives its function, for others to change.

They are numbers, texts, truth values and lists of these, told apart as JSON does: ``1e-3`` is a number, ``"1e-3"``, ``on``
and dates are texts. Whoever runs a submission with other values runs other files, with ``params`` written anew in the
manifest: so they are in its digest, in its kept copy and in whatever is made of that.
"""

from __future__ import annotations

import json
import keyword
import math
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import yaml

from harness.errors import ProtocolError
from harness.protocol import plain_yaml

OVERRIDE = "submission.params."
"""How an override of one begins on a command line."""
Params = Mapping[str, Any]
"""By name: bool, int, float, str, or a list of these."""
NONE: Params = MappingProxyType({})
_MOST, _LONGEST, _LIST = 50, 200, 1000  # parameters; characters of a text; entries of a list
_NAME = re.compile(r"[A-Za-z_]\w{0,63}", re.ASCII)
_INT, _FLOAT = re.compile(r"[-+]?\d+"), re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_ODD = re.compile(r"[-+]?\.?(inf|nan)", re.IGNORECASE)


def typed(content: bytes) -> Any:
    """The value of the key ``params`` of a manifest that is known to be plain; None where it is no mapping."""
    root: Any = yaml.compose(content.decode("utf-8-sig"), plain_yaml.Texts)
    node = next(value for key, value in root.value if key.value == "params")
    if not isinstance(node, yaml.MappingNode):
        return None
    return {key.value: _value(value) for key, value in node.value}


def valid(given: Any) -> dict[str, Any]:
    """The parameters; ValueError naming the first that has no good name or value."""
    if not isinstance(given, Mapping):
        raise ValueError("must be a mapping of names to values, as `params: {k: 5}`")
    if len(given) > _MOST:
        raise ValueError(f"are more than {_MOST}")
    for name, value in given.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name) or keyword.iskeyword(name):
            raise ValueError(f"{name!r:.80} is no name of a keyword argument")
        if name == "task":
            raise ValueError("task is the function's own argument; give the parameter another name")
        if isinstance(value, list | tuple) and len(value) > _LIST:
            raise ValueError(f"{name} has more than {_LIST} entries")
        for part in value if isinstance(value, list | tuple) else [value]:
            _check(name, part)
    return {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}


def of_overrides(overrides: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Parameters of a command line (``submission.params.k=5``), and the other overrides.

    Raises ProtocolError where one is no value of a parameter.
    """
    ours = [word for word in overrides if word.lstrip("+").startswith(OVERRIDE)]
    return checked(dict(_parsed(word) for word in ours)), [word for word in overrides if word not in ours]


def checked(given: Params) -> dict[str, Any]:
    """Parameters that whoever calls has given; ProtocolError naming the first that has no good name or value."""
    try:
        return valid(given)
    except ValueError as error:
        raise ProtocolError(f"submission.params: {error}.", "For example submission.params.k=5.") from None


def written(content: bytes, params: Params) -> bytes:
    """A manifest with these parameters in the place of its own; all else in it says the same."""
    texts = plain_yaml.read(content, plain_yaml.Texts)
    texts.pop("params", None)
    text = yaml.safe_dump(texts, sort_keys=False, allow_unicode=True)
    return f"{text}params: {json.dumps(dict(params), ensure_ascii=False)}\n".encode()


def shown(params: Params) -> str:
    """For people, as ``k=5, kind="cosine"``."""
    return ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in params.items())


def called(submission: str, params: Params) -> str:
    """The submission, and the parameters it runs with where it has any, for people."""
    return f"{submission} ({shown(params)})" if params else submission


def _parsed(override: str) -> tuple[str, Any]:
    from hydra.core.override_parser.overrides_parser import OverridesParser

    try:
        parsed = OverridesParser.create().parse_override(override)
        if parsed.is_sweep_override():
            raise ProtocolError(f"{override!r:.200} gives several values.", "`harness run -m` sweeps over them.")
        return str(parsed.key_or_group).removeprefix(OVERRIDE), parsed.value()
    except ProtocolError:
        raise
    except Exception as error:  # besides its own errors, Hydra lets through whatever its parser runs into
        said = " ".join(str(error).split())[:300]
        raise ProtocolError(f"{override!r:.200} is not a Hydra override: {said}.") from error


def _value(node: yaml.Node) -> Any:
    if isinstance(node, yaml.SequenceNode):
        return [_value(part) if isinstance(part, yaml.ScalarNode) else None for part in node.value]
    if not isinstance(node, yaml.ScalarNode):
        return None
    text = str(node.value)
    if node.style is not None:  # quoted, or a block: a text, whatever it looks like
        return text
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if text.lower() in ("", "~", "null"):
        return None
    if _INT.fullmatch(text):
        return int(text) if len(text.lstrip("+-")) < 20 else math.inf
    return float(text) if _FLOAT.fullmatch(text) else math.inf if _ODD.fullmatch(text) else text


def _check(name: str, value: object) -> None:
    if not isinstance(value, bool | int | float | str):
        raise ValueError(f"{name} must be a number, a text, true, false or a list of these")
    if isinstance(value, str) and (len(value) > _LONGEST or plain_yaml.UNSEEN.search(value)):
        raise ValueError(f"{name} must be a text of at most {_LONGEST} characters, all of which can be seen")
    if isinstance(value, int | float) and not (
        math.isfinite(value) and (isinstance(value, float) or abs(value) < 2**63)
    ):
        raise ValueError(f"{name} must be a finite number that fits into 64 bits")
