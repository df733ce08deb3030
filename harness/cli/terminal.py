"""What is printed fits where it is shown: the width of a terminal, the characters it has, streams that may be closed.

On a terminal, prose is broken at blanks within the width (and 100 columns, which people read best) and a line of a list
is cut; through a pipe or into a file everything is written as it is, so that lines can be searched for.
"""

from __future__ import annotations

import codecs
import io
import os
import sys
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_PROSE = 100  # columns
_UNBOUNDED = 100_000  # columns of what is no terminal
_PLAIN = {
    "\u2013": "-", "\u2014": "-", "\u2212": "-", "\u2026": "...", "\u00b1": "+-", "\u00d7": "x", "\u2264": "<=", "\u2265": ">=",
    "\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2501": "-", "\u2192": "->",
}  # fmt: skip


def prepare() -> None:
    """Make the standard streams safe to use, whatever the locale is and whoever closed them.

    A character that the encoding does not have is written in plain ones where that is clear, else as its escape. A
    descriptor that was closed leads to /dev/null: else the next file opened would be taken for it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r+" if number == 0 else "w", encoding="utf-8"))  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # not somebody's own
            stream.reconfigure(errors="harness.plain")


def _plainly(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    bad = error.object[error.start : error.end]
    return "".join(_PLAIN.get(c) or c.encode("ascii", "backslashreplace").decode("ascii") for c in bad), error.end


codecs.register_error("harness.plain", _plainly)


def console(*, stderr: bool = False) -> Console:
    """A console of rich: as wide as the terminal, and without an end where there is none. No markup, nothing coloured by itself."""
    from rich.console import Console

    shown = is_terminal(sys.stderr if stderr else sys.stdout)
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False, width=None if shown else _UNBOUNDED)


def width() -> int:
    """Columns of stdout."""
    return console().width


def say(text: object, *, label: str = "", stderr: bool = False) -> None:
    """Print a paragraph, behind a label that the lines after the first are indented by; every line of the text for itself."""
    stream = sys.stderr if stderr else sys.stdout
    if not is_terminal(stream):
        print(f"{label}{text}", file=stream, flush=stderr)
        return
    room = max(20, min(console(stderr=stderr).width, _PROSE) - len(label))
    lines = [part for line in _harmless(str(text), stream).split("\n") for part in _broken(line, room)]
    for begins, line in zip([label, *[" " * len(label)] * (len(lines) - 1)], lines, strict=True):
        print(f"{begins}{line}".rstrip(), file=stream)
    stream.flush()


def command(line: str, *, indent: str = "  ") -> None:
    """Print a command that can be copied; one that is too long goes on behind a backslash."""
    words, room = line.split(" "), width() - len(indent) - 2
    lines = [words[0]]
    for word in words[1:]:
        if len(lines[-1]) + 1 + len(word) <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(f"  {word}")
    print(" \\\n".join(f"{indent}{part}" for part in lines))


def quote(text: str, *, indent: str = "    ") -> None:
    """Print what a program printed, indented; a line that is too long goes on in the next."""
    if not is_terminal(sys.stdout):
        print("\n".join(f"{indent}{line}" for line in text.split("\n")))
        return
    from rich.cells import chop_cells

    room = max(20, width() - len(indent))
    for line in _harmless(text, sys.stdout).expandtabs().split("\n"):
        for part in chop_cells(line, room) or [""]:
            print(f"{indent}{part}".rstrip())


def cut(line: str) -> str:
    """A line of a list, no longer than the terminal is wide; what is missing is in the JSON."""
    if not is_terminal(sys.stdout):
        return line
    from rich.cells import cell_len, set_cell_size

    line, room = _harmless(line, sys.stdout), width()
    return line if cell_len(line) <= room else set_cell_size(line, room - 3).rstrip() + "..."


def table(columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[object]], *, head: bool = True) -> None:
    """Print a table without lines.

    Parameters
    ----------
    columns: heading and side (``left`` or ``right``) of each. Numbers are never broken, words are where there is no room.
    rows: what stands in them.
    """
    console().print(grid(columns, rows, head=head))


def pairs(rows: Sequence[tuple[object, object]], *, indent: str = "") -> None:
    """Print names and what they are, side by side. A path is never broken."""
    names = [f"{indent}{name}" for name, _ in rows]
    label = min(max(map(len, names), default=0), 30)
    for name, (_, value) in zip(names, rows, strict=True):
        say(value, label=f"{name:<{label}}  ")


def grid(columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[object]], *, head: bool = True) -> Table:
    """The table that :func:`table` prints."""
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, pad_edge=False, show_header=head, header_style="dim")
    for name, side in columns:
        made.add_column(name, justify="right" if side == "right" else "left", no_wrap=side == "right", overflow="fold")
    for row in rows:
        made.add_row(*(Text(_harmless(str(cell), sys.stdout)) for cell in row))
    return made


def _broken(line: str, room: int) -> list[str]:
    """Broken at blanks alone: a path that is longer than the room stays whole, so that it can be copied."""
    from rich.cells import cell_len

    indent = line[: len(line) - len(line.lstrip())]
    lines: list[str] = []
    for word in line.split():
        if lines and cell_len(lines[-1]) + 1 + cell_len(word) <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(f"{indent}{word}")
    return lines or [""]


def _harmless(text: str, stream: TextIO) -> str:
    """Without control, bidirectional and other invisible characters, which move or hide what is around them.

    What the stream's encoding does not have is written plainly now, while there is still room to be made for it.
    """
    shown = "".join(c for c in text if c in "\n\t" or unicodedata.category(c)[0] != "C")
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return shown.encode(encoding, "harness.plain").decode(encoding)


def is_terminal(stream: TextIO | None = None) -> bool:
    """Whether a stream, stdout by itself, is one."""
    try:
        return (stream or sys.stdout).isatty()
    except ValueError:  # closed
        return False
