"""Where an organiser's own files are, and the digest that pins them."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from harness.data.fetch import cache_dir
from harness.errors import ProtocolError

_RUBBISH = ("Thumbs.db", "desktop.ini")  # what file managers leave behind, beside names that begin with a dot


def within(root: Path | None, path: str, key: str = "path") -> Path:
    """The file or folder ``path``, relative to the config directory ``root`` and inside it.

    Raises
    ------
    ProtocolError: no config directory is known, the path is absolute or leads out of it (also by a link), nothing is there.
    """
    if root is None:
        raise ProtocolError(
            f"dataset.{key} is {path!r}, relative to a config directory, and none was given.",
            "Put the data set's YAML into dataset/ of a directory of your own and name that with --config-dir.",
        )
    hint = f"Copy the data into {root} and write the path from there."
    if Path(path).is_absolute() or ".." in Path(path).parts or "\0" in path:
        raise ProtocolError(f"dataset.{key} is {path!r}; it must lie inside the config directory {root}.", hint)
    return inside(root, root / path, key)


def inside(root: Path, path: Path, key: str = "path") -> Path:
    """``path`` as it is, if it exists, is a regular file or a folder, and no link on its way leaves ``root``.

    Raises ProtocolError otherwise.
    """
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError):
        near = ", ".join(sorted(p.name for p in path.parent.iterdir())[:8]) if path.parent.is_dir() else ""
        beside = f" In {path.parent} there are: {near}." if near else ""
        raise ProtocolError(f"dataset.{key} names {path}, and there is no such file.{beside}") from None
    if not real.is_relative_to(root.resolve()):
        raise ProtocolError(
            f"dataset.{key} names {path}, a link that leads out of {root}.", f"Copy the data into {root} instead."
        )
    if not (real.is_file() or real.is_dir()):
        raise ProtocolError(f"{path} is neither a regular file nor a folder.")
    return path


def files_under(path: Path, root: Path) -> list[Path]:
    """The file itself, or all files of a folder and its folders in the order of their relative names.

    Names that begin with a dot, and Thumbs.db and desktop.ini, are no part of the data. Raises ProtocolError for a link
    out of ``root`` and for an empty folder.
    """
    if path.is_file():
        return [path]
    found = []
    for folder, folders, names in os.walk(path):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(folder, name) for name in names if not name.startswith(".") and name not in _RUBBISH]
        for name in folders:
            if Path(folder, name).is_symlink():
                raise ProtocolError(f"{Path(folder, name)} is a link to a folder.", "Copy the folder's files instead.")
    if not found:
        raise ProtocolError(f"{path} is a folder without files.")
    found = [inside(root, file) for file in found]
    return sorted(found, key=lambda file: os.fsencode(file.relative_to(path).as_posix()))


def digest(files: Sequence[Path], base: Path) -> str:
    """SHA-256 of one file; of several, SHA-256 over a line ``<sha256>  <name relative to base>`` each, in order.

    Hashed once for a state of the files (names, sizes, time stamps). Raises ProtocolError for one that cannot be read.
    """
    try:
        state = "\n".join(_state(file) for file in files)
        path = cache_dir() / "digests" / hashlib.sha256(state.encode("utf-8", "surrogateescape")).hexdigest()
        with suppress(OSError, UnicodeDecodeError):
            known = path.read_text("ascii")
            if len(known) == 64:
                return known
        found = _digest(files, base)
    except OSError as error:
        raise ProtocolError(f"{error.filename or base} cannot be read: {error.strerror or error}.") from error
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".part", delete=False) as stream:
            stream.write(found)
        Path(stream.name).replace(path)
    return found


def _state(file: Path) -> str:
    info = file.stat()
    if not stat.S_ISREG(info.st_mode):
        raise ProtocolError(f"{file} is not a regular file.")
    return f"{file.resolve()}|{info.st_ino}|{info.st_size}|{info.st_mtime_ns}|{info.st_ctime_ns}"


def _digest(files: Sequence[Path], base: Path) -> str:
    if len(files) == 1:
        return _of_file(files[0])
    listing = hashlib.sha256()
    for file in files:
        name = os.fsencode(os.path.relpath(file, base).replace(os.sep, "/"))
        listing.update(_of_file(file).encode() + b"  " + name + b"\n")
    return listing.hexdigest()


def _of_file(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
