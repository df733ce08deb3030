"""What is inside an archive, as one digest: the same however, when and by whom it was packed.

For files that no one publishes as such and that users therefore pack themselves.
"""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

import numpy as np


def content_digest(path: Path) -> str:
    """SHA-256 over names and contents, in the order of names, of a ``.npz`` (arrays) or a ``.tar.*`` (regular files).

    Raises
    ------
    OSError, ValueError, tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError: not such a file.
    """
    entries = _arrays(path) if path.suffix == ".npz" else _members(path)
    return hashlib.sha256("\n".join(sorted(entries)).encode()).hexdigest()


def _arrays(path: Path) -> list[str]:
    with np.load(path, allow_pickle=False) as archive:
        return [_line(f"{name} {a.dtype.str} {a.shape}", a.tobytes()) for name, a in archive.items()]


def _members(path: Path) -> list[str]:
    entries = []
    with tarfile.open(path, "r|*") as tar:
        for member in tar:
            stream = tar.extractfile(member) if member.isfile() else None
            if stream is not None:
                entries.append(_line(member.name.removeprefix("./"), stream.read()))
    return entries


def _line(name: str, content: bytes) -> str:
    return f"{hashlib.sha256(content).hexdigest()}  {name}"
