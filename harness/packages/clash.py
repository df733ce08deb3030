"""Modules of an overlay that have the name of one of the harness's: they could not be imported, or would take its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

_SHIPPED = ("harness", "sitecustomize")  # in every cell's code folder


def clash(tree: Path, places: Sequence[Path]) -> str:
    """The dotted name of the first module that ``tree`` and the folders ``places`` both have; empty where none is.

    The overlay comes behind ``places`` on the path, so an ordinary module there wins. Folders without ``__init__``
    (PEP 420) are one package in all places, so their contents are compared; but an ordinary package would win against
    such a folder wherever it stands. Names of the standard library do no harm: it comes first, and old packages bring copies.
    """
    return next(_shared(tree, places, ""), "")


def _shared(tree: Path, places: Sequence[Path], above: str) -> Iterator[str]:
    for name, ordinary in sorted(_modules(tree).items()):
        theirs = [place / name for place in places if (place / name).is_dir()]
        if (
            (not above and name in _SHIPPED)
            or any(_is_ordinary(place, name) for place in places)
            or (ordinary and theirs)
        ):
            yield above + name
        elif theirs:
            yield from _shared(tree / name, theirs, f"{above}{name}.")


def _modules(folder: Path) -> dict[str, bool]:
    """Names that can be imported from a folder, and whether they are more than a folder."""
    names = {entry.name if entry.is_dir() else _stem(entry) for entry in folder.iterdir()}
    return {name: _is_ordinary(folder, name) for name in names if name.isidentifier() and name != "__pycache__"}


def _stem(file: Path) -> str:
    return file.name.partition(".")[0] if file.suffix in (".py", ".so", ".pyc") else ""


def _is_ordinary(folder: Path, name: str) -> bool:
    return any(
        (folder / f"{module}{end}").is_file() for module in (name, f"{name}/__init__") for end in (".py", ".pyc")
    ) or any(any(folder.glob(pattern)) for pattern in (f"{name}.*so", f"{name}/__init__.*so"))
