"""The members of a zip or tar.gz file that a stranger made, one after the other, without a byte written to disk.

Headers are claims. What is read is bounded here: by what a caller asks for of a content, by a budget for the headers of
each member, and by a limit for a whole unpacked stream. What the parsers of the standard library happen to raise on
damaged input goes through; whoever calls turns it into a refusal.
"""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from harness.protocol import folder as folders
from harness.tracking import archive

MAX_MEMBERS = 10 * folders.MAX_FILES  # with those that are left out, as a .git among the files
MAX_STREAM = 4 * folders.MAX_MB * 2**20  # bytes of an unpacked tar file, with what is left out
_MAX_HEADERS = 32 * 2**10  # bytes of all headers of one member: its name and what else is said of it
_MAX_COMMON = 64  # entries in the header that holds for all members
_BLOCK = tarfile.BLOCKSIZE
_LOCAL = 30  # bytes before the name in a zip file's own header of a member
_PLAIN = (tarfile.REGTYPE, tarfile.AREGTYPE)


class Refusal(Exception):
    """Why an archive is not taken: what is said of it, or of one of its members."""

    def __init__(self, why: str, member: str = "", hint: str = "") -> None:
        super().__init__(why)
        self.why, self.member, self.hint = why, member, hint


@dataclass(frozen=True)
class Member:
    """One entry of an archive, as the archive says."""

    name: str  # without the slash at a folder's end; what is not UTF-8 in it as lone surrogates
    folder: bool
    odd: str  # why it is neither a plain file nor a folder; empty where it is
    read: Callable[[int], bytes]  # its content, but at most one byte more than so many


def of_zip(content: bytes) -> Iterator[Member]:
    """Members of a zip file in the order of its list. Refusal: names or places that contradict each other."""
    if archive.crowded(content, MAX_MEMBERS):
        raise Refusal(f"has more than {MAX_MEMBERS} entries")
    try:
        packed = zipfile.ZipFile(io.BytesIO(content), metadata_encoding="utf-8")
    except UnicodeDecodeError as error:
        raise Refusal("has a name that is not UTF-8", error.object.decode(errors="surrogateescape")) from error
    with packed:
        entries = packed.infolist()
        _keep_apart(entries)
        for entry in entries:
            name, folder = entry.orig_filename, entry.is_dir()
            if entry.filename != name and "\0" not in name:
                raise Refusal("has a second name", name)
            odd = archive.odd(entry, stat.S_IFDIR if folder else stat.S_IFREG)
            yield Member(name.removesuffix("/"), folder, odd, partial(_unzipped, packed, entry))


def of_tar_gz(content: bytes) -> Iterator[Member]:
    """Members of a tar.gz file in their order, each to be read before the next. Refusal: too much, or no proper end."""
    with gzip.GzipFile(fileobj=io.BytesIO(content)) as unpacked:
        stream = _Stream(unpacked)
        with tarfile.open(
            fileobj=stream, mode="r|", bufsize=_BLOCK, encoding="utf-8", errors="surrogateescape"
        ) as packed:
            while (member := packed.next()) is not None:
                if len(packed.pax_headers) > _MAX_COMMON:
                    raise Refusal("has headers that are too large")
                stream.allow(packed.offset)
                plain = member.isdir() or (member.type in _PLAIN and not member.issparse())
                odd = "" if plain else "is not a regular file; links, sparse and special files are refused"
                yield Member(_without_dot(member.name), member.isdir(), odd, partial(_untarred, packed, member))
                packed.members.clear()  # type: ignore[attr-defined]  # it keeps all headers it has seen
        stream.finish()


def _keep_apart(entries: list[zipfile.ZipInfo]) -> None:
    """Raise Refusal where two members share bytes, with which a small file unpacks to a large one."""
    ordered = sorted(entries, key=lambda entry: entry.header_offset)
    for entry, after in pairwise(ordered):
        if entry.header_offset + _LOCAL + len(entry.orig_filename.encode()) + entry.compress_size > after.header_offset:
            raise Refusal("overlaps another entry", after.orig_filename)


def _unzipped(packed: zipfile.ZipFile, entry: zipfile.ZipInfo, most: int) -> bytes:
    with packed.open(entry) as file:
        content = file.read(min(most, entry.file_size) + 1)
    if len(content) <= most and len(content) != entry.file_size:
        raise Refusal("has another size than it says", entry.filename)
    return content


def _untarred(packed: tarfile.TarFile, member: tarfile.TarInfo, most: int) -> bytes:
    file = packed.extractfile(member)
    return b"" if file is None else file.read(min(most, member.size) + 1)


def _without_dot(name: str) -> str:
    """``./a`` is what ``tar czf FILE .`` calls a file of this folder, and ``.`` the folder."""
    return "" if name == "." else name.removeprefix("./")


class _Stream(io.BufferedIOBase):
    """What tarfile reads from, block by block: so much and no more."""

    def __init__(self, file: gzip.GzipFile) -> None:
        self._file = file
        self._given = 0
        self._allowed = _MAX_HEADERS
        self._last = b""

    def allow(self, offset: int) -> None:
        """Let reading go on to an offset, and over one member's headers behind it."""
        self._allowed = offset + _MAX_HEADERS

    def read(self, size: int | None = -1, /) -> bytes:
        self._last = self._file.read(size)
        self._given += len(self._last)
        if self._given > MAX_STREAM:
            raise Refusal(f"unpacks to more than {MAX_STREAM // 2**20} MB")
        if self._given > self._allowed:
            raise Refusal("has headers that are too large")
        return self._last

    def finish(self) -> None:
        """Read on to the end, behind the empty block that ends a tar file. Refusal where it is none, or more follows."""
        if not self._last or self._last.strip(b"\0"):  # tarfile takes a damaged header for the end
            raise Refusal("is cut short or damaged")
        self._allowed = MAX_STREAM
        while rest := self.read(2**16):
            if rest.strip(b"\0"):
                raise Refusal("holds something behind its end")
