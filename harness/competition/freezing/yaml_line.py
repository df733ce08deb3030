"""One key of a challenge's file changed in place: all else, comments and order too, stays as its author wrote it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

from harness.errors import ProtocolError
from harness.protocol import plain_yaml
from harness.tracking.files import write_text_atomic

REVEALED = "  # revealed on "
"""Begins the comment behind a secret that was published."""
_PLAIN = re.compile(
    r"(~?/)[A-Za-z0-9_/.-]*"
)  # a path; all else is quoted: digits and an e are a number to some readers


def put(path: Path, key: str, value: str | None, *, instead_of: tuple[str, ...] = (), comment: str = "") -> None:
    """Write ``key: value`` into the line of that key or of one in ``instead_of``; at the end where there is none.

    Raises ProtocolError where the file is not made of lines that can be changed one by one, HarnessError where the disk
    refuses.
    """
    with path.open(encoding="utf-8", newline="") as file:  # line ends as they are
        text = file.read()
    before = plain_yaml.read(text.encode(), plain_yaml.Values)
    bare = value is not None and _PLAIN.fullmatch(value)
    shown = str(value) if bare else json.dumps(value)
    after = _changed(text, key, (key, *instead_of), f"{key}: {shown}{comment}")
    wanted = {k: v for k, v in before.items() if k not in instead_of} | {key: value}
    try:
        agrees = plain_yaml.read(after.encode(), plain_yaml.Values) == wanted
    except plain_yaml.NotPlain:
        agrees = False
    if not agrees or "${" in shown:
        raise ProtocolError(
            f"{key} cannot be written into {path}.", f"Write the line by hand, at the left margin: {key}: {shown}"
        )
    write_text_atomic(path, after)


def _changed(text: str, key: str, places: tuple[str, ...], line: str) -> str:
    root = yaml.compose(text, yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)
    found = [(k.start_mark.index, v.end_mark.index) for k, v in root.value if k.value in places]
    if not found:
        return f"{text}{'' if not text or text.endswith(chr(10)) else chr(10)}{line}\n"
    for start, end in reversed(found[1:]):  # a second of them, as secret beside secret_file
        text = text[:start] + re.sub(r"\A[^\n]*\n?", "", text[end:])
    start, end = found[0]
    lines_left = text[start:end].endswith("\n")  # of a block of lines (|)
    rest = re.sub(rf"\A{re.escape(REVEALED)}[^\n]*", "", text[end:])
    return f"{text[:start]}{line}{chr(10) if lines_left else ''}{rest}"
