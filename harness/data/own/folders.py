"""A folder for each class, a file for each row: ``cat/1.png``, or ``train/cat/1.png`` where the parts are folders too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.data.own import source
from harness.data.own.sheet import Sheet
from harness.data.specification import Role
from harness.errors import ProtocolError

FILE, LABEL, PART = "file", "folder", "part"  # columns of a listing
ROLES: Mapping[str, Role] = {LABEL: "label", PART: "part"}
PART_KEY = "folder"  # ``part: folder`` in the YAML


def listing(folder: Path, root: Path, suffixes: Sequence[str], *, parts: bool) -> Sheet:
    """Columns ``file`` (relative), ``folder`` (the class) and, with ``parts``, ``part``; in the order of the names.

    Raises ProtocolError for a file of another suffix or at another depth.
    """
    columns: dict[str, list[str]] = {name: [] for name in (FILE, LABEL, *([PART] if parts else []))}
    layout = "PART/CLASS/FILE" if parts else "CLASS/FILE"
    for path in source.files_under(folder, root):
        steps = path.relative_to(folder).parts
        if len(steps) != (3 if parts else 2):
            raise ProtocolError(
                f"{'/'.join(steps)} in {folder.name} is not at the place {layout}.",
                "A folder for each class holds its files; with `part: folder`, a folder for each part holds those.",
            )
        if path.suffix.lower() not in suffixes:
            raise ProtocolError(
                f"{'/'.join(steps)} in {folder.name} is none of {', '.join(suffixes)}.", "Move it out of the folder."
            )
        columns[FILE].append("/".join(steps))
        columns[LABEL].append(steps[-2])
        if parts:
            columns[PART].append(steps[0])
    return Sheet(folder.name, columns, columns[FILE].__getitem__)
