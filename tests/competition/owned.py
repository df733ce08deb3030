"""An organiser's own challenge file in tests."""

from __future__ import annotations

from pathlib import Path

import yaml


def add(file: Path, *lines: str) -> None:
    """Further lines of a challenge's file."""
    file.write_text(file.read_text() + "".join(f"{line}\n" for line in lines))


def plain(file: Path) -> dict[str, object]:
    values: dict[str, object] = yaml.safe_load(file.read_text())
    return values
