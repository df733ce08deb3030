"""What a participant handed in, as files in memory: a folder, a .zip, a .tar.gz or .tgz.

A stranger made it. Nothing is unpacked to disk, nothing is followed, and whatever is odd in an archive is refused rather
than repaired. What is no part of a submission's folder is no part of an archive either, and one folder around everything,
as most people pack, is taken off.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from harness.competition.intake.archives import MAX_MEMBERS, Member, Refusal, of_tar_gz, of_zip
from harness.protocol import folder as folders

MAX_PACKED = (folders.MAX_MB + 16) * 2**20  # bytes of an archive
_KINDS = {".zip": of_zip, ".tar.gz": of_tar_gz, ".tgz": of_tar_gz}
_HINT = "Hand in a folder, a .zip or a .tar.gz of plain files."
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_DRIVE = re.compile(r"[A-Za-z]:")
_MAX_NAME = 255  # bytes of a name, as file systems have it


def contents(entry: Path) -> dict[str, bytes]:
    """Contents by relative path, sorted, of what a participant handed in.

    Raises SubmissionError (invalid_submission) naming the first member that is refused; of this machine, the reason has
    no more than the entry's own name.
    """
    called = folders.shown(Path(os.path.abspath(entry)).name)[:200]  # noqa: PTH100  # follows no link
    try:
        content = _archive(entry)
        files = folders.read(entry, called=called).contents if content is None else _unpacked(called, content)
        return _unwrapped(files)
    except Refusal as refusal:
        where = f"{called}: '{folders.shown(refusal.member)[:200]}'" if refusal.member else called
        raise folders.invalid(f"{where} {refusal.why}.", refusal.hint) from refusal


def _archive(entry: Path) -> bytes | None:
    """The content of a regular file, None for a folder. Refusal for all else."""
    try:
        descriptor = os.open(entry, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)  # a FIFO would hang
        try:
            mode = os.fstat(descriptor).st_mode
            if stat.S_ISDIR(mode):
                return None
            if not stat.S_ISREG(mode):
                raise Refusal("is neither a file nor a folder", hint=_HINT)
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                content = file.read(MAX_PACKED + 1)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno in folders.OURS:
            raise
        why = "is a link" if error.errno == errno.ELOOP else f"cannot be read: {error.strerror or error}"
        raise Refusal(why, hint=_HINT) from error
    if len(content) > MAX_PACKED:
        raise Refusal(f"is larger than {MAX_PACKED // 2**20} MB")
    if not content:
        raise Refusal("is empty", hint=_HINT)
    return content


def _unpacked(name: str, content: bytes) -> dict[str, bytes]:
    kind = next((kind for kind in _KINDS if name.lower().endswith(kind)), None)
    if kind is None:
        raise Refusal("is of a kind that is not taken", hint=_HINT)
    taken = _Taken()
    try:
        for member in _KINDS[kind](content):
            taken.take(member)
    except (Refusal, MemoryError):
        raise
    except Exception as error:  # zipfile, tarfile, gzip and zlib raise what their parsers happen to raise
        raise Refusal(f"is cut short, damaged, or no {kind} file ({type(error).__name__})", taken.last) from error
    return taken.files


class _Taken:
    """The members taken so far, within the limits of a submission's folder."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.last = ""  # the member being read
        self._folders: set[str] = set()
        self._seen = 0
        self._left = folders.MAX_MB * 2**20

    def take(self, member: Member) -> None:
        """Read a member, unless it is left out. Refusal where it is not what belongs into a submission."""
        self._seen += 1
        if self._seen > MAX_MEMBERS:
            raise Refusal(f"has more than {MAX_MEMBERS} entries")
        if not member.name and member.folder:  # the folder that was packed
            return
        self.last = member.name
        if why := _misnamed(member.name):
            raise Refusal(why, member.name)
        if _left_out(member.name):
            return
        if why := member.odd or _too_long(member.name):
            raise Refusal(why, member.name)
        self._place(member)
        if not member.folder:
            content = member.read(self._left)
            self._left -= len(content)
            if self._left < 0:
                raise Refusal(f"holds more than {folders.MAX_MB} MB")
            self.files[member.name] = content

    def _place(self, member: Member) -> None:
        above = [str(path) for path in PurePosixPath(member.name).parents][:-1]
        if member.name in self.files or (not member.folder and member.name in self._folders):
            raise Refusal("comes twice", member.name)
        if both := [name for name in above if name in self.files]:
            raise Refusal("is a file and a folder", both[0])
        self._folders.update([*above, member.name] if member.folder else above)
        if len(self._folders) + len(self.files) + (not member.folder) > folders.MAX_FILES:
            raise Refusal(f"holds more than {folders.MAX_FILES} files and folders")


def _misnamed(name: str) -> str:
    """What is wrong with a member's name; empty where it is the one way to write a path inside a folder."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return "has a name that is not UTF-8"
    if _CONTROL.search(name):
        return "has a control character in its name"
    if "\\" in name or _DRIVE.match(name):
        return "has a backslash or a drive letter in its name"
    if name.startswith("/"):
        return "has an absolute path"
    if any(part in ("", ".", "..") for part in name.split("/")):
        return "has '..', '.' or nothing for a part of its path"
    return ""


def _too_long(name: str) -> str:
    parts = name.encode().split(b"/")
    if len(parts) > folders.MAX_DEPTH or sum(map(len, parts)) + len(parts) - 1 > folders.MAX_PATH:
        return f"lies more than {folders.MAX_DEPTH} folders deep or has a path of over {folders.MAX_PATH} bytes"
    return f"has a name of over {_MAX_NAME} bytes" if max(map(len, parts)) > _MAX_NAME else ""


def _left_out(name: str) -> bool:
    return name.partition("/")[0] == "__MACOSX" or folders.left_out(PurePosixPath(name))


def _unwrapped(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Files sorted, without what is left out and without one folder around all others. Refusal where none is left."""
    kept = _kept(files.items())
    tops = {name.partition("/")[0] for name in kept}
    if len(tops) == 1 and not tops & kept.keys():
        kept = _kept((name.partition("/")[2], content) for name, content in kept.items())
    if not kept:
        raise Refusal("holds no files", hint=_HINT)
    return kept


def _kept(files: Iterable[tuple[str, bytes]]) -> dict[str, bytes]:
    return {name: content for name, content in sorted(files) if not _left_out(name)}
