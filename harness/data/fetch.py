"""Where a data set's files are: the user's directory, then the cache, then a download. Every file is checked.

``HARNESS_DATA_DIR`` names a directory with one folder per data set. The cache is the platform's usual place
(``$XDG_CACHE_HOME/harness`` or ``~/.cache/harness`` on Linux). Downloads come from addresses pinned to a
commit.
"""

from __future__ import annotations

import gzip
import hashlib
import lzma
import os
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.errors import ProtocolError
from harness.paths import expanded


@dataclass(frozen=True)
class DataFile:
    """One pinned file of a data set."""

    folder: str  # under HARNESS_DATA_DIR and under the cache
    name: str
    sha256: str
    url: str = ""  # where it is published; empty: nowhere under a checksum we know, so it must be put in place
    # Where ``name`` is our own .gz of a published file: the SHA-256 of that file, which is what ``url`` serves.
    plain_sha256: str = ""
    # Where users have to pack the file themselves: what `contents.content_digest` says of any good packing.
    content_sha256: str = ""

    @property
    def candidates(self) -> dict[str, str]:
        """Accepted file names with their SHA-256: the packed file, then the published one where that differs."""
        plain = {self.name.removesuffix(".gz"): self.plain_sha256} if self.plain_sha256 else {}
        return {self.name: self.sha256, **plain}


def cache_dir() -> Path:
    """The user's cache of downloaded files and of arrays made from them.

    A user without a home directory, or with one that is not there (`docker run --user`), has one among the temporary
    files. Raises ProtocolError where somebody else has it.
    """
    from platformdirs import user_cache_path

    with suppress(RuntimeError):  # neither HOME nor XDG_CACHE_HOME, and no entry for this user id
        place = user_cache_path("harness", appauthor=False)
        if os.environ.get("XDG_CACHE_HOME") or _can_be_made(place):
            return place
    return _homeless_cache(Path(tempfile.gettempdir()) / f"harness-cache-{os.getuid()}")


def _can_be_made(path: Path) -> bool:
    """Whether it is there, if only to be read, or the nearest directory above it can be written."""
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    return there == path or os.access(there, os.W_OK | os.X_OK)


def _homeless_cache(path: Path) -> Path:
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    info = path.lstat()
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.getuid() or info.st_mode & 0o022:
        raise ProtocolError(
            f"This user has no home directory, and {path}, where downloaded files would be kept, is another's.",
            "Set HOME or XDG_CACHE_HOME to a directory of your own.",
        )
    return path


def find(file: DataFile) -> Path | None:
    """The verified local path of a file, or None if it is not on this machine.

    Raises
    ------
    ProtocolError: a file of that name is there, but not with the pinned content.
    """
    for folder in _folders(file.folder):
        for name, sha256 in file.candidates.items():
            path = folder / name
            if path.is_file():
                _verify(path, sha256, file.content_sha256)
                return path
    return None


def get(file: DataFile, dataset: str) -> Path:
    """The verified path of a file, downloaded if need be.

    Raises
    ------
    ProtocolError: cannot be had, or is not the pinned content. ``dataset`` is named in the
        command that helps.
    """
    path = find(file)
    if path is not None:
        return path
    if not file.url:
        raise missing(file, dataset, "It is not published anywhere under a checksum known here.")
    return _download(file, dataset)


def published(file: DataFile, dataset: str) -> bytes:
    """The bytes of the published file, whether it lies here as it is or as our own .gz. Raises as :func:`get`."""
    path = get(file, dataset)
    raw = path.read_bytes()
    return gzip.decompress(raw) if path.suffix == ".gz" else raw


def missing(file: DataFile, dataset: str, why: str) -> ProtocolError:
    """The one paragraph about a file that is not there."""
    places = " and ".join(str(folder) for folder in _folders(file.folder))
    if not os.environ.get("HARNESS_DATA_DIR"):
        places += " (HARNESS_DATA_DIR is not set)"
    fetch = f"Run `harness fetch {dataset}` on a machine with a network, or set" if file.url else "Set"
    return ProtocolError(
        f"Data set {dataset} needs the file {' or '.join(file.candidates)}, looked for in {places}. {why}",
        f"{fetch} HARNESS_DATA_DIR to a directory that holds {file.folder}/{file.name}; "
        f"docs/datasets/{dataset}.md says where the data come from.",
    )


def cached_array(key: str, make: Callable[[], npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """An array kept in the cache under ``key``, made only once; the key must change whenever the content
    would.

    Read back memory-mapped and read-only. Where the cache cannot be written, the array is made every time.
    """
    path = cache_dir() / "arrays" / f"{hashlib.sha256(key.encode()).hexdigest()}.npy"
    with suppress(OSError, ValueError, EOFError):
        stored: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        return stored
    array = make()
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as stream:
            try:
                np.save(stream, array, allow_pickle=False)
                stream.close()
                Path(stream.name).replace(path)  # whole or not at all, also with two processes at it
            except OSError:
                Path(stream.name).unlink(missing_ok=True)
    return array


def _folders(folder: str) -> list[Path]:
    own = os.environ.get("HARNESS_DATA_DIR")
    return [*([expanded(own) / folder] if own else []), cache_dir() / "data" / folder]


def _verify(path: Path, sha256: str, content_sha256: str) -> None:
    """Hash a file against its pin; once per (path, size, modification time), as large files take their time."""
    stat = path.stat()
    key = f"{path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}|{sha256}"
    marker = cache_dir() / "verified" / hashlib.sha256(key.encode()).hexdigest()
    if marker.exists():
        return
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != sha256 and not (content_sha256 and _contains(path, content_sha256)):
        raise ProtocolError(
            f"{path} is not the pinned file: its SHA-256 is {found}, expected {sha256}. Scores on other data "
            "would not be comparable.",
            "Delete it and fetch it again, or restore the original.",
        )
    with suppress(OSError):
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()


def _contains(path: Path, content_sha256: str) -> bool:
    from harness.data.contents import content_digest

    try:
        return content_digest(path) == content_sha256
    except (OSError, ValueError, EOFError, tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError):
        return False


def _download(file: DataFile, dataset: str) -> Path:
    import pooch

    from harness.data.progress import Progress

    name, sha256 = list(file.candidates.items())[-1]  # what the address serves
    pooch.get_logger().setLevel("ERROR")
    try:
        with Progress(name) as progress:
            path = pooch.retrieve(
                file.url,
                known_hash=f"sha256:{sha256}",
                fname=name,
                path=cache_dir() / "data" / file.folder,
                downloader=pooch.HTTPDownloader(progressbar=progress, timeout=30),
            )
    except ValueError as error:  # pooch: the hash differs; nothing is left behind
        raise missing(file, dataset, f"What {file.url} serves is not the pinned content.") from error
    except OSError as error:  # requests' exceptions are OSErrors; so is a cache that cannot be written
        why = f"The download from {file.url} failed: {_short(error)}."
        raise missing(file, dataset, why) from error
    return Path(path)


def _short(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:160]}"
