"""Intake: archives made to be written elsewhere, to fill memory or to take for ever. Refused, and nothing is written.

Each is opened in a process with 400 MB of memory more than it has before and 20 seconds of a CPU.
"""

from __future__ import annotations

import gzip
import json
import os
import stat
import struct
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.competition.archives import FILES, member, tar_gz, tarred, zipped

MB = 2**20
HONEST = [member(*file) for file in FILES.items()]
CHILD = """
import json, resource, sys
from pathlib import Path
from harness.competition.intake.unpack import contents
from harness.errors import SubmissionError
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 400 * 2**20,) * 2)
resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
try:
    print(json.dumps(sorted(contents(Path(sys.argv[1])))))
except SubmissionError as error:
    print(json.dumps({"status": error.status, "reason": error.reason}))
"""


def block(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    """A tar header that says so many bytes follow."""
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


def padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % 512)


def endless(head: bytes = b"") -> bytes:
    """16 GB of zeros behind some bytes; gzip files may follow each other."""
    return gzip.compress(head) + gzip.compress(bytes(16 * MB)) * 1000


def one_content_often() -> bytes:
    """Fifty list entries of one megabyte each, of the same bytes."""
    once = zipped({"aaaa": bytes(2 * MB)})
    start, end = once.index(b"PK\x01\x02"), once.index(b"PK\x05\x06")
    entries = b"".join(once[start:end].replace(b"aaaa", b"%04d" % i) for i in range(50))
    return once[:start] + entries + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 50, 50, len(entries), start, 0)


def long_list() -> bytes:
    """A zip file that is nothing but its list: more than a million entries."""
    once = zipped({"a": b""})
    start, end = once.index(b"PK\x01\x02"), once.index(b"PK\x05\x06")
    entries = once[start:end] * 1_500_000
    return once[:start] + entries + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 65535, 65535, len(entries), start, 0)


def lying_zip64(size: int) -> bytes:
    """A member that says in its long header that it is as large as no disk."""
    content = zipped({"aaaa": b"x"}, method=zipfile.ZIP_STORED)
    start, end = content.index(b"PK\x01\x02"), content.index(b"PK\x05\x06")
    entry = bytearray(content[start:end]) + struct.pack("<HHQQ", 1, 16, size, size)
    entry[20:28], entry[30:32] = b"\xff" * 8, struct.pack("<H", 20)
    last = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(entry), start, 0)
    return content[:start] + bytes(entry) + last


def pax(records: bytes, kind: bytes = tarfile.XHDTYPE) -> bytes:
    return block("pax", len(records), kind) + padded(records)


def many_keys(prefix: str, many: int) -> bytes:
    return b"".join(
        b"%d %s\n" % (len(text) + len(str(len(text) + 4)) + 2, text.encode())
        for text in (f"{prefix}{i:06}=x" for i in range(many))
    )


def sparse(real: int) -> bytes:
    """A file of the old GNU kind: no bytes in the archive, and so many on the disk."""
    head = bytearray(block("hole", 0, tarfile.GNUTYPE_SPARSE))
    head[483:495] = b"%011o\0" % real
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head)


def through_a_link(place: Path) -> bytes:
    return tar_gz(member("out", kind=tarfile.SYMTYPE, linkname=str(place)), member("out/escaped", b"x"))


ALL_KEYS = pax(many_keys("k0000", 900), b"g")
MANY = range(20_000)
PAX_SPARSE = {
    "GNU.sparse.major": "1",
    "GNU.sparse.minor": "0",
    "GNU.sparse.name": "hole",
    "GNU.sparse.realsize": str(2**40),
}
HOSTILE: dict[str, tuple[str, Callable[[Path], bytes], str]] = {
    "climbs out, zip": ("e.zip", lambda _: zipped({**FILES, "../../escaped": b"x"}), "has '..'"),
    "climbs out, tar": ("e.tgz", lambda _: tar_gz(*HONEST, member("../../escaped", b"x")), "has '..'"),
    "absolute, zip": ("e.zip", lambda place: zipped({f"{place}/escaped": b"x"}), "absolute path"),
    "absolute, tar": ("e.tgz", lambda place: tar_gz(member(f"{place}/escaped", b"x")), "absolute path"),
    "link, zip": ("e.zip", lambda place: zipped({"out": str(place).encode()}, stat.S_IFLNK | 0o777), "not a regular"),
    "through a link": ("e.tgz", through_a_link, "'out' is not a regular file"),
    "hard link": (
        "e.tgz",
        lambda _: tar_gz(member("x", kind=tarfile.LNKTYPE, linkname="/etc/passwd")),
        "not a regular",
    ),
    "device": ("e.tgz", lambda _: tar_gz(member("x", kind=tarfile.CHRTYPE, devmajor=1, devminor=5)), "not a regular"),
    "bomb, zip": ("e.zip", lambda _: zipped({"a": bytes(600 * MB)}), "more than 64 MB"),
    "bomb of many files": ("e.zip", lambda _: zipped((f"f{i}", bytes(MB)) for i in range(450)), "more than 64 MB"),
    "bomb of one content": ("e.zip", lambda _: one_content_often(), "overlaps another entry"),
    "bomb, tar": ("e.tgz", lambda _: endless(block("a", 16 * 10**9)), "more than 64 MB"),
    "bomb, left out": ("e.tgz", lambda _: endless(block(".git/a", 16 * 10**9)), "more than 256 MB"),
    "endless zeros": ("e.tgz", lambda _: endless(), "more than 256 MB"),
    "endless zeros at the end": ("e.tgz", lambda _: endless(tarred(*HONEST)), "more than 256 MB"),
    "zip64 lies": ("e.zip", lambda _: lying_zip64(2**50), "damaged"),
    "zip64 lies more": ("e.zip", lambda _: lying_zip64(2**64 - 1), "damaged"),
    "lzma's dictionary": ("e.zip", lambda _: zipped({"a": b"x"}, method=zipfile.ZIP_LZMA), "packed in a way"),
    "hole": ("e.tgz", lambda _: gzip.compress(sparse(2**40) + bytes(1024)), "'hole' is not a regular file"),
    "hole, pax": (
        "e.tgz",
        lambda _: tar_gz(member("x", b"1\n0\n1\n".ljust(512, b"\0"), pax_headers=PAX_SPARSE)),
        "'hole' is not",
    ),
    "large header": ("e.tgz", lambda _: gzip.compress(pax(many_keys("k", 900_000))), "headers that are too large"),
    "large name": (
        "e.tgz",
        lambda _: endless(block("x", 10**9, tarfile.GNUTYPE_LONGNAME)),
        "headers that are too large",
    ),
    "large header, left out": (
        "e.tgz",
        lambda _: gzip.compress(block(".x", 10**8, tarfile.DIRTYPE) + pax(many_keys("k", 900_000))),
        "headers that are too large",
    ),
    "header upon header": (
        "e.tgz",
        lambda _: gzip.compress(pax(many_keys("k", 1)) * 100_000),
        "headers that are too large",
    ),
    "headers for all": (
        "e.tgz",
        lambda _: gzip.compress(
            b"".join(ALL_KEYS.replace(b"k0000", b"k%04d" % i) + block(f".x{i}", 0) for i in range(5000)), 1
        ),
        "headers that are too large",
    ),
    "many, zip": ("e.zip", lambda _: zipped((f"f{i}", b"") for i in range(100_000)), "more than 10000 entries"),
    "many, tar": ("e.tgz", lambda _: tar_gz(*(member(f"f{i}") for i in MANY)), "more than 1000 files"),
    "many left out": ("e.tgz", lambda _: tar_gz(*(member(f".git/{i}") for i in MANY)), "more than 10000 entries"),
    "many folders": (
        "e.tgz",
        lambda _: tar_gz(*(member(f"{i}" + "/d" * 30, kind=b"5") for i in MANY[:5000])),
        "1000 files",
    ),
    "long list": ("e.zip", lambda _: long_list(), "more than 10000 entries"),
    "too large a file": ("e.zip", lambda _: bytes(90 * MB), "larger than 80 MB"),
}


def listing(*places: Path) -> set[tuple[str, int]]:
    return {(str(path), path.lstat().st_size) for place in places for path in place.rglob("*")}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused_and_nothing_is_written(name: str, tmp_path: Path, table) -> None:
    kind, make, what = HOSTILE[name]
    inbox, temporary = tmp_path / "teams" / "inbox", tmp_path / "temporary"
    inbox.mkdir(parents=True)
    temporary.mkdir()
    (inbox / kind).write_bytes(make(tmp_path))
    before, shared = listing(tmp_path), {*os.listdir(tempfile.gettempdir())}
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(inbox / kind)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout)
    assert told["status"] == "invalid_submission"
    assert what in told["reason"]
    assert told["reason"].startswith(kind)
    assert len(told["reason"]) < 500
    assert str(inbox) not in told["reason"]
    assert listing(tmp_path) == before
    assert not [path for path in {*os.listdir(tempfile.gettempdir())} - shared if "escaped" in path]
    table.setdefault(f"intake/{name}", {})["any"] = "invalid_submission"


def test_an_honest_archive_fits_into_the_same_limits(tmp_path: Path) -> None:
    for kind, content in (
        ("e.zip", zipped({"a": os.urandom(60 * MB)})),
        ("e.tgz", tar_gz(member("a", os.urandom(60 * MB)))),
    ):
        (tmp_path / kind).write_bytes(content)
        done = subprocess.run(
            [sys.executable, "-c", CHILD, str(tmp_path / kind)],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[2],
        )
        assert json.loads(done.stdout) == ["a"]
