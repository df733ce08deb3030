"""Paths of this machine out of what a cell says: records and boards name files as the participant knows them."""

from __future__ import annotations

import functools
import os
import re
import sysconfig
from pathlib import Path

from harness.sandbox.cell import FOLDER
from harness.sandbox.visible import visible
from harness.sandbox.walls import PACKAGES


def neutral(text: str, cell: Path, packages: Path | None = None) -> str:
    """``text`` with files of the submission relative to its folder, those of cell, packages and Python by short names.

    The same failure then reads the same in every tier and on every machine.
    """
    own = {os.fspath(cell), os.path.realpath(cell)}
    pairs = [(f"{path}/{FOLDER}", "") for path in own] + [(f"/{FOLDER}", "")]
    pairs += [(path, "/cell") for path in own] + list(_python())
    pairs += [(os.fspath(packages), PACKAGES)] if packages is not None else []
    for path, name in sorted(pairs, key=lambda pair: -len(pair[0])):
        where = re.compile(rf"(?<![\w./-]){re.escape(path)}" + (r"(?![\w.-])" if name else "/"))
        text = where.sub(lambda _, name=name: name, text)  # type: ignore[misc]
    return text


@functools.cache
def _python() -> tuple[tuple[str, str], ...]:
    seen = visible()
    home = str(Path(seen.python).parents[1])
    pairs = [(path, "site-packages") for path in seen.site] + [(sysconfig.get_path("stdlib"), "python")]
    return (*pairs, *((home, "python"),)) if home not in ("/", "/usr", "/usr/local") else tuple(pairs)
