"""docs/published.md: a section a table, written from what ran and left as it is otherwise."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.published.table import Row, Table, agrees, decimals

PAGE = Path(__file__).resolve().parents[2] / "docs" / "published.md"
_END = "<!-- tables end -->"


def written(text: str, ran: Mapping[Table, Sequence[Row]]) -> str:
    """The page with the sections of what ran replaced, or put in their alphabetical place."""
    for table, rows in ran.items():
        new = section(table, rows)
        if old := re.search(rf"<!-- table {table.name} -->\n.*?<!-- end -->\n\n", text, re.DOTALL):
            text = text[: old.start()] + new + text[old.end() :]
        else:
            later = [m.start() for m in re.finditer(r"<!-- table (\w+) -->", text) if m.group(1) > table.name]
            at = later[0] if later else text.index(_END)
            text = text[:at] + new + text[at:]
    return text


def head(table: Table) -> str:
    """What stands above the rows: the mark by which a section is found again, its title and the facts about it."""
    about = table.about
    facts = [
        ("Source", about.paper),
        ("Printed in", about.where),
        ("Ours", about.ours),
        ("Data", _data(table)),
        ("Command", f"`scripts/published {table.name}`"),
        ("Agreement asked for", about.tolerance),
    ]
    lines = [f"<!-- table {table.name} -->", f"## {about.title}", ""]
    return "\n".join([*lines, *(f"- {what}: {said}" for what, said in facts if said), "", ""])


def section(table: Table, rows: Sequence[Row]) -> str:
    """One table as Markdown."""
    lines = ["| figure | published | ours | difference | |", "|---|---|---|---|---|"]
    notes: list[str] = []
    lines += [_line(row, decimals(row, table.about), notes) for row in rows]
    lines += ["", *[f"{i}. {note}" for i, note in enumerate(notes, 1)], *[""][: len(notes)], "<!-- end -->", "", ""]
    return head(table) + "\n".join(lines)


def _line(row: Row, digits: int, notes: list[str]) -> str:
    """A row of the table; the reason of a difference becomes a note below it, one for all rows that share it."""
    assert row.ours is not None
    said = "agrees" if agrees(row) else "differs"
    if row.reason and not agrees(row):
        if row.reason not in notes:
            notes.append(row.reason)
        said += f", note {notes.index(row.reason) + 1}"
    difference = f"{row.ours - row.published:+.{digits}f}"
    difference = difference if float(difference) else f"{0:.{digits}f}"
    return f"| {row.figure} | {row.published:.{digits}f} | {row.ours:.{digits}f} | {difference} | {said} |"


def _data(table: Table) -> str:
    """Files with their digests; of more than a dozen the digest of the list that sha256sum prints."""
    files = table.about.files
    if len(files) > 12:
        listed = "".join(f"{file.sha256}  {file.name}\n" for file in files)
        folders = ", ".join(f"`{folder}`" for folder in sorted({file.folder.partition("/")[0] for file in files}))
        return f"{len(files)} files of {folders}, the SHA-256 of their list `{hashlib.sha256(listed.encode()).hexdigest()}`"
    return (
        "; ".join(f"`{file.folder}/{file.name}` (SHA-256 `{file.sha256[:16]}...`)" for file in files)
        or table.about.data
    )
