"""A folder that is replaced as a whole: written beside its place, exchanged with what is there in one step."""

from __future__ import annotations

import ctypes
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import ProtocolError
from harness.paths import expanded, permit
from harness.protocol.staging import staged

MARKER = ".harness-site"
"""The file by which a folder is known as a site, to be replaced without asking."""

OURS = frozenset({MARKER, "index.html", "style.css", "page.js", "tracks", "challenges", "rows", "datasets", "boards"})
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


@contextmanager
def into(out: Path | str) -> Iterator[Path]:
    """An empty folder, which takes the place of ``out`` when the block ends well; another one who does so waits.

    A kill at any moment leaves the old folder or the new one.

    Raises ProtocolError where ``out`` holds what is no site, or the disk refuses.
    """
    place = expanded(out).absolute()
    refuse_others(place)
    with staged(place.parent) as stage:
        _put_back(place)
        refuse_others(place)  # again: whoever was waited for has written it
        new = stage / "site"
        new.mkdir()
        permit(new, 0o777)
        yield new
        (new / MARKER).write_text("Made by `harness site`, which replaces this folder as a whole.\n", encoding="utf-8")
        if place.exists():
            _exchange(new, place)  # the old one goes with the stage
        else:
            new.rename(place)


def refuse_others(place: Path) -> None:
    """Raise ProtocolError unless a folder is absent, empty, or a site of ours with nothing else in it."""
    hint = "--out names a new folder, an empty one, or that of an earlier site."
    if place.is_symlink():
        raise ProtocolError(f"{place} is a link, and would be replaced by a folder.", hint)
    if not place.exists():
        return
    if not place.is_dir():
        raise ProtocolError(f"{place} is a file.", hint)
    found = sorted(path.name for path in place.iterdir())
    if found and MARKER not in found:
        raise ProtocolError(f"{place} holds other things ({_some(found)}) and is no site: it is not replaced.", hint)
    if others := [name for name in found if name not in OURS]:
        raise ProtocolError(
            f"{place} holds a site and other things ({_some(others)}), which would be lost: it is not replaced.",
            "Move them away, or write the site elsewhere and copy it here.",
        )


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _exchange(new: Path, old: Path) -> None:
    """Both folders change names in one step of the kernel; where it cannot, in two, with the old one set aside."""
    libc = ctypes.CDLL(None, use_errno=True)
    paths = (os.fsencode(new), os.fsencode(old))
    if libc.renameat2(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_EXCHANGE) == 0:
        return
    aside = _aside(old)
    old.rename(aside)
    new.rename(old)
    shutil.rmtree(aside)


def _aside(place: Path) -> Path:
    return place.with_name(f".{place.name}.old")


def _put_back(place: Path) -> None:
    """After a kill between the two steps the old folder comes back; after one behind them it goes."""
    aside = _aside(place)
    if aside.is_dir() and (aside / MARKER).is_file():
        if place.exists():
            shutil.rmtree(aside)
        else:
            aside.rename(place)
