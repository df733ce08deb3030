"""A submission's folder: read once into memory, digested, written out again to the last byte.

What runs is what was digested: copies are written from the very bytes that were hashed, and hold nothing else. Left out
are names that begin with a dot (``.git``, editor caches), ``__pycache__`` and ``*.pyc``, and at the top what the harness
and MLflow write beside a submission (``runs``, ``leaderboards``, ``mlruns``): such things are neither digested nor
copied, so they do not exist in the sandbox. Times, modes and empty folders are not part of a submission either.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath

from harness.errors import ProtocolError, Status, SubmissionError
from harness.paths import permit

MAX_FILES, MAX_MB = 1000, 64  # files and folders together; of all files together
MAX_DEPTH, MAX_PATH = 32, 400  # folders below each other; bytes of a path inside the folder
_WRITTEN_HERE = {"runs", "leaderboards", "mlruns"}
_NOT_REGULAR = "is not a regular file; links and special files are refused"
OURS = {errno.EMFILE, errno.ENFILE, errno.ENOMEM}  # this machine's faults, whatever is read


@dataclass(frozen=True)
class Files:
    """Contents by relative path, sorted, and the SHA-256 over both."""

    contents: Mapping[str, bytes]
    digest: str


def read(folder: Path, *, everything: bool = False, called: str = "") -> Files:
    """Read each file once; ``everything``: leave nothing out, and refuse empty folders, too, as in a copy of ours.

    ``called`` is what errors call the folder, where its path is nobody's business; default its path.
    Raises SubmissionError (invalid_submission) naming the first entry that is a link or a special file, cannot be read,
    has no UTF-8 name, lies too deep, or is one too many.
    """
    reader = _Reader(called or shown(folder), everything)
    with reader.opened(".", folder, os.O_DIRECTORY) as top:
        reader.walk(top, "", 0)
    contents = dict(sorted(reader.contents.items()))
    return Files(contents, digest_of(contents))


def digest_of(contents: Mapping[str, bytes]) -> str:
    """SHA-256 over relative paths and contents, in the order of the paths."""
    sha = hashlib.sha256()
    for relative, content in sorted(contents.items()):
        sha.update(f"{relative}\0{len(content)}\0".encode())
        sha.update(content)
    return sha.hexdigest()


def write(contents: Mapping[str, bytes], into: Path) -> None:
    """Write files into an empty directory; nobody writes them again. OSError as it comes."""
    for relative, content in contents.items():
        path = into / os.fsdecode(relative.encode())
        for parent in reversed(path.relative_to(into).parents[:-1]):
            (into / parent).mkdir(exist_ok=True)
        with path.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        permit(path, 0o444)


def keep_apart(folder: Path, runs: Path) -> None:
    """Raises ProtocolError where runs would be written into the submission and become part of it."""
    folder, runs = folder.resolve(), runs.resolve()
    if runs.is_relative_to(folder) and (runs == folder or not left_out(runs.relative_to(folder))):
        raise ProtocolError(
            f"The runs directory {shown(runs)} lies inside the submission {shown(folder)} and would become part of it.",
            "Leave runs_dir at its default, runs, which is never part of a submission, or name a directory "
            "elsewhere, as runs_dir=../runs.",
        )


def left_out(relative: PurePath) -> bool:
    """Whether a path inside a submission's folder is no part of the submission."""
    return relative.parts[0] in _WRITTEN_HERE or any(_ignored(name) for name in relative.parts)


def shown(path: PurePath | str) -> str:
    """A path as text that can be printed: what is no character of UTF-8, or cannot be seen, as an escape."""
    text = os.fsencode(path).decode(errors="backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def invalid(reason: str, hint: str = "") -> SubmissionError:
    """The error of a folder or manifest that is no submission."""
    return SubmissionError(reason, hint, Status.INVALID_SUBMISSION)


def _ignored(name: str) -> bool:
    return name.startswith(".") or name == "__pycache__" or name.endswith(".pyc")


class _Reader:
    """Walks a folder. Every entry is opened in its own directory and never through a link: no change leads outside."""

    def __init__(self, called: str, everything: bool) -> None:
        self.contents: dict[str, bytes] = {}
        self._called = called
        self._everything = everything
        self._entries = 0
        self._left = MAX_MB * 2**20

    def walk(self, directory: int, above: str, depth: int) -> None:
        """Read all below an open directory; ``above`` is its path, empty or with a slash at its end."""
        empty = True
        with self._said(above), os.scandir(directory) as entries:
            for entry in entries:
                if self._everything or not left_out(PurePath(above, entry.name)):
                    empty = False
                    self._take(entry, directory, above, depth)
        if self._everything and empty:
            raise self._refused(above, "is an empty folder")

    def _take(self, entry: os.DirEntry[str], directory: int, above: str, depth: int) -> None:
        path = above + entry.name
        name = os.fsencode(path)
        self._entries += 1
        if self._entries > MAX_FILES:
            raise invalid(f"{self._called} holds more than {MAX_FILES} files and folders.")
        try:
            relative = name.decode()
        except UnicodeDecodeError:
            raise self._refused(path, "has a name that is not UTF-8", "Rename it.") from None
        if len(name) > MAX_PATH or depth == MAX_DEPTH:
            raise self._refused(path, f"lies more than {MAX_DEPTH} folders deep or has a path of over {MAX_PATH} bytes")
        if entry.is_dir(follow_symlinks=False):
            with self.opened(path, entry.name, os.O_DIRECTORY, directory) as below:
                self.walk(below, f"{path}/", depth + 1)
        elif entry.is_file(follow_symlinks=False):
            with self.opened(path, entry.name, os.O_NONBLOCK, directory) as file:
                self.contents[relative] = self._content(path, file)
        else:
            raise self._refused(path, _NOT_REGULAR)

    def _content(self, path: str, file: int) -> bytes:
        if not stat.S_ISREG(os.fstat(file).st_mode):  # it was one a moment ago
            raise self._refused(path, _NOT_REGULAR)
        with self._said(path), os.fdopen(file, "rb", closefd=False) as stream:
            content = stream.read(self._left + 1)
        self._left -= len(content)
        if self._left < 0:
            raise invalid(f"{self._called} holds more than {MAX_MB} MB.")
        return content

    @contextmanager
    def opened(self, path: str, name: str | Path, flags: int, directory: int | None = None) -> Iterator[int]:
        """A descriptor of an entry; ``path`` is what an error calls it."""
        with self._said(path):
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | flags, dir_fd=directory)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    @contextmanager
    def _said(self, path: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in OURS:
                raise
            raise self._refused(path, f"cannot be read: {error.strerror or error}") from error

    def _refused(self, path: str, why: str, hint: str = "") -> SubmissionError:
        return invalid(f"{self._called}: '{shown(path)[:200] or '.'}' {why}.", hint)
