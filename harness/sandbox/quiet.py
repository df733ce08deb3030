"""What is published of a failed cell where its own words could carry the view out.

An exception's text, even the name of its class, is chosen by a program that has just seen the view, and a reason stands
in records, in MLflow and on boards. Where a challenge keeps its secret, the reason is a sentence of the harness's own:
a status, the name of a built-in exception, a line that really is in the submission.
"""

from __future__ import annotations

import builtins
import re
from pathlib import Path

from harness.errors import Status

_WHAT = {
    Status.INVALID_SUBMISSION: "The submission could not be loaded",
    Status.CONTRACT_VIOLATION: "The submission returned or wrote what it may not",
    Status.NO_OUTPUT: "The submission ended without an output",
    Status.OUT_OF_MEMORY: "The submission ran out of memory",
}
_EXCEPTIONS = frozenset(
    name for name, kind in vars(builtins).items() if isinstance(kind, type) and issubclass(kind, BaseException)
)
_RAISED = re.compile(r"\b(?:raised|import:|memory:|by|may:) ([A-Z]\w*)")
_PLACE = re.compile(r"\(([^()]{1,200}), line (\d{1,6})\)\W*$")
_KEPT = "What it said is kept back, since it could carry the view out; the organiser finds it in the cell's log.txt."


def quiet_reason(status: Status, said: str, folder: Path) -> str:
    """The published reason of a cell that ended with ``status`` and, in its own words, ``said``.

    Parameters
    ----------
    said: a worker's report; forged, for all that is known here.
    folder: the submission; only files and lines that are in it are named.
    """
    raised = _RAISED.search(said)
    kind = f": {raised[1]}" if raised and raised[1] in _EXCEPTIONS else ""
    return f"{_WHAT.get(status, 'The submission raised an exception')}{kind}{_place(said, folder)}. {_KEPT}"


def _place(said: str, folder: Path) -> str:
    found = _PLACE.search(said)
    if found is None:
        return ""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.py") if path.is_file()}
    path = files.get(found[1])
    if path is None or not 1 <= int(found[2]) <= path.read_bytes().count(b"\n") + 1:
        return ""
    return f" ({found[1]}, line {int(found[2])})"
