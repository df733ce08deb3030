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
_FRAME = re.compile(r'File "([^"\n]{1,200})", line (\d{1,6})')
_FRAMES = 5
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
    there = found is not None and 1 <= int(found[2]) <= _lines(folder).get(found[1], 0)
    return f" ({found[1]}, line {int(found[2])})" if found and there else ""


def frames(log: str, folder: Path) -> list[str]:
    """Where the last traceback in a log says that the submission was, the innermost last: its own files and lines alone.

    A log is written by a stranger who has seen the view, so nothing else of it is passed on, and only a few lines are.
    """
    lines = _lines(folder)
    said = [
        (name, int(number)) for name, number in _FRAME.findall(log.rpartition("Traceback (most recent call last)")[2])
    ]
    known = [(name, number) for name, number in said if 1 <= number <= lines.get(name, 0)]
    return [f"{name}, line {number}" for name, number in known[-_FRAMES:]]


def _lines(folder: Path) -> dict[str, int]:
    """How many lines each of a submission's Python files has, by relative path."""
    files = [path for path in folder.rglob("*.py") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes().count(b"\n") + 1 for path in files}
