"""Archives built for tests, honest and hostile."""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
import zipfile
from collections.abc import Iterable, Mapping

FILES = {
    "algorithm.py": b"def rank(task):\n    return []\n",
    "data/gr\u00f6\u00dfe.txt": b"x" * 3000,
    "submission.yaml": b"name: fair\n",
}
Entries = Mapping[str, bytes] | Iterable[tuple[str, bytes]]


def zipped(entries: Entries, mode: int = stat.S_IFREG | 0o644, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w") as file:
        for name, content in entries.items() if isinstance(entries, Mapping) else entries:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            entry.compress_type = method
            file.writestr(entry, content, compresslevel=1)
    return into.getvalue()


def member(
    name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, **facts: object
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size, info.type = len(content), kind
    for fact, value in facts.items():
        setattr(info, fact, value)
    return info, content


def tarred(*members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    into = io.BytesIO()
    with tarfile.open(fileobj=into, mode="w", format=form) as file:
        for info, content in members:
            file.addfile(info, io.BytesIO(content))
    return into.getvalue()


def tar_gz(*members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    return gzip.compress(tarred(*members, form=form), 1)


def files_tar_gz(files: Mapping[str, bytes] = FILES, form: int = tarfile.PAX_FORMAT) -> bytes:
    return tar_gz(*(member(name, content) for name, content in files.items()), form=form)
