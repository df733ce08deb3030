"""What a participant hands in becomes the files that were packed, or one sentence that says what is wrong with it."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import stat
import struct
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.competition.intake.unpack import contents
from harness.errors import Status, SubmissionError
from harness.protocol import folder as folders
from tests.competition.archives import FILES, files_tar_gz, member, tar_gz, tarred, zipped

Pack = Callable[[dict[str, bytes]], bytes]
PACKED: dict[str, Pack] = {
    "entry.zip": zipped,
    "Entry.ZIP": lambda files: zipped(files, method=zipfile.ZIP_STORED),
    "entry.tar.gz": files_tar_gz,
    "entry.tgz": lambda files: files_tar_gz(files, tarfile.GNU_FORMAT),
}


def handed_in(place: Path, name: str, content: bytes) -> Path:
    (place / name).write_bytes(content)
    return place / name


def refusal(entry: Path) -> str:
    """The reason for which an entry is refused."""
    with pytest.raises(SubmissionError) as caught:
        contents(entry)
    assert caught.value.status is Status.INVALID_SUBMISSION
    reason = caught.value.reason
    assert reason.startswith(entry.name.encode("unicode_escape").decode()), reason
    assert str(entry.parent) not in str(caught.value)
    assert reason.isprintable()
    assert len(reason) < 500
    return reason


# --- honest ones ---


@pytest.mark.parametrize("name", PACKED)
@pytest.mark.parametrize("wrapper", ["", "my_method/", "größe 1/"])
def test_what_was_packed_comes_back_sorted(name: str, wrapper: str, tmp_path: Path) -> None:
    packed = PACKED[name]({wrapper + path: content for path, content in reversed(FILES.items())})
    found = contents(handed_in(tmp_path, name, packed))
    assert found == FILES
    assert list(found) == sorted(FILES)


@pytest.mark.parametrize("name", PACKED)
def test_what_is_no_part_of_a_folder_is_no_part_of_an_archive(name: str, tmp_path: Path) -> None:
    beside = {"__MACOSX/my/._algorithm.py": b"", ".DS_Store": b"x"}
    inside = {
        "my/.git/objects/ab": b"x",
        "my/__pycache__/a.pyc": b"x",
        "my/runs/ledger.jsonl": b"x",
        "my/data/.x.swp": b"",
    }
    files = {**beside, **inside, **{f"my/{path}": content for path, content in FILES.items()}}
    assert contents(handed_in(tmp_path, name, PACKED[name](files))) == FILES


def test_a_folder_is_read_as_any_submission_is(tmp_path: Path) -> None:
    place = tmp_path / "team" / "my_method"
    place.mkdir(parents=True)
    folders.write(FILES, place)
    (place / "runs").mkdir()
    (place / "runs" / "x").touch()
    assert contents(place) == contents(place.parent) == folders.read(place).contents == FILES
    (place / "link").symlink_to("/etc/passwd")
    assert refusal(place) == "my_method: 'link' is not a regular file; links and special files are refused."
    assert "holds no files" in refusal(_made(tmp_path / "empty"))


def _made(place: Path) -> Path:
    place.mkdir()
    return place


@pytest.mark.parametrize(
    "command",
    [
        ["tar", "czf", "OUT.tar.gz", "."],
        ["tar", "czf", "OUT.tgz", "--format=pax", "algorithm.py", "data", "submission.yaml"],
        ["tar", "czf", "OUT.tar.gz", "--format=v7", "algorithm.py", "data", "submission.yaml"],
        ["zip", "-qr", "OUT.zip", "."],
    ],
)
def test_archives_of_other_programs(command: list[str], tmp_path: Path) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]} on this machine")
    place = _made(tmp_path / "files")
    folders.write(FILES, place)
    command = [part.replace("OUT", str(tmp_path / "out")) for part in command]
    subprocess.run(command, cwd=place, check=True, env={**os.environ, "LC_ALL": "C.UTF-8"})
    assert contents(Path(next(part for part in command if part.startswith(str(tmp_path))))) == FILES


def test_a_name_in_utf8_that_a_zip_file_does_not_announce(tmp_path: Path) -> None:
    """Some programs write such names without the flag for them."""
    packed = bytearray(zipped(FILES))
    for mark, at in ((b"PK\x03\x04", 7), (b"PK\x01\x02", 9)):
        place = packed.find(mark)
        while place >= 0:
            packed[place + at] &= ~0x08
            place = packed.find(mark, place + 4)
    assert contents(handed_in(tmp_path, "mac.zip", bytes(packed))) == FILES


def test_the_limits_are_those_of_a_folder(tmp_path: Path) -> None:
    deep = "/".join("d" * folders.MAX_DEPTH)
    long = "/".join(["n" * 199] * 2) + "x"
    many = {f"f{i}": b"" for i in range(folders.MAX_FILES)}
    large = {"a": bytes(folders.MAX_MB * 2**20)}
    for name, pack in PACKED.items():
        assert contents(handed_in(tmp_path, name, pack({deep: b"x", "a": b""})))[deep] == b"x"
        assert contents(handed_in(tmp_path, name, pack({long: b"x", "a": b""})))[long] == b"x"
        assert len(contents(handed_in(tmp_path, name, pack(many)))) == folders.MAX_FILES
        assert "1000 files and folders" in refusal(handed_in(tmp_path, name, pack({**many, "one": b""})))
        assert f"'{deep}/d' lies more" in refusal(handed_in(tmp_path, name, pack({f"{deep}/d": b""})))
        assert "lies more" in refusal(handed_in(tmp_path, name, pack({f"{long}y": b""})))
        assert "over 255 bytes" in refusal(handed_in(tmp_path, name, pack({"n" * 256: b""})))
    for name in ("entry.zip", "entry.tar.gz"):
        assert contents(handed_in(tmp_path, name, PACKED[name](large))) == large
        assert "holds more than 64 MB" in refusal(handed_in(tmp_path, name, PACKED[name]({**large, "b": b"x"})))


# --- what is refused ---

NAMES = {
    "/etc/cron.d/x": "has an absolute path",
    "//host/x": "has an absolute path",
    "../x": "has '..'",
    "a/../../x": "has '..'",
    ".git/../../x": "has '..'",
    "a//x": "nothing for a part",
    "a/./x": "'.' or nothing",
    "C:/x": "drive letter",
    "c:x": "drive letter",
    "a\\..\\x": "has a backslash",
    "a\nb": "'a\\nb' has a control character",
    "a\x1b[2Jb": "control character",
    "a\x85b": "control character",
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", PACKED)
def test_names_that_lead_elsewhere(kind: str, name: str, tmp_path: Path) -> None:
    assert NAMES[name] in refusal(handed_in(tmp_path, kind, PACKED[kind]({**FILES, name: b"x"})))


def test_a_nul_in_a_name(tmp_path: Path) -> None:
    packed = zipped({"aQb": b"x"}).replace(b"aQb", b"a\0b")
    assert "'a\\x00b' has a control character" in refusal(handed_in(tmp_path, "e.zip", packed))


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    packed = zipped({"aQb": b"x"}).replace(b"aQb", b"a\xffb")
    assert refusal(handed_in(tmp_path, "e.zip", packed)) == "e.zip: 'a\\xffb' has a name that is not UTF-8."
    announced = zipped({"aö": b"x"}).replace("aö".encode(), b"a\xff\xff")
    assert "not UTF-8" in refusal(handed_in(tmp_path, "e.zip", announced))
    packed = tar_gz(member("a\udcffb", b"x"), form=tarfile.GNU_FORMAT)
    assert refusal(handed_in(tmp_path, "e.tgz", packed)) == "e.tgz: 'a\\xffb' has a name that is not UTF-8."


@pytest.mark.parametrize("kind", PACKED)
def test_one_name_twice(kind: str, tmp_path: Path) -> None:
    def packed(*names: str) -> bytes:
        if "zip" in kind.lower():
            with pytest.warns(UserWarning, match="Duplicate") if len({*names}) < len(names) else nullcontext():
                return zipped([(name, b"x") for name in names])
        return tar_gz(*(member(name, b"x") for name in names))

    assert refusal(handed_in(tmp_path, kind, packed("a", "b/a", "a"))).endswith(": 'a' comes twice.")
    assert refusal(handed_in(tmp_path, kind, packed("a/b", "a"))).endswith(": 'a' comes twice.")
    assert refusal(handed_in(tmp_path, kind, packed("a", "a/b/c"))).endswith(": 'a' is a file and a folder.")
    assert set(contents(handed_in(tmp_path, kind, packed("a", "A")))) == {"a", "A"}


@pytest.mark.parametrize(
    "kind",
    [
        tarfile.SYMTYPE,
        tarfile.LNKTYPE,
        tarfile.FIFOTYPE,
        tarfile.CHRTYPE,
        tarfile.BLKTYPE,
        tarfile.CONTTYPE,
        b"S",
        b"Z",
    ],
)
def test_what_is_no_file_in_a_tar_file(kind: bytes, tmp_path: Path) -> None:
    info = member("odd", kind=kind, linkname="/etc/passwd")
    entry = handed_in(tmp_path, "e.tar.gz", tar_gz(*(member(*file) for file in FILES.items()), info))
    assert "'odd' is not a regular file" in refusal(entry)
    left_out = tar_gz(*(member(*file) for file in FILES.items()), member(".venv/bin/python", kind=tarfile.SYMTYPE))
    assert contents(handed_in(tmp_path, "e.tar.gz", left_out)) == FILES, "what is left out is not looked at"


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK, stat.S_IFDIR])
def test_what_is_no_file_in_a_zip_file(kind: int, tmp_path: Path) -> None:
    packed = zipped({"odd": b"/etc/passwd"}, kind | 0o777)
    assert refusal(handed_in(tmp_path, "e.zip", packed)) == "e.zip: 'odd' is not a regular file."


def test_ways_of_packing_that_are_not_used(tmp_path: Path) -> None:
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        assert "packed in a way" in refusal(handed_in(tmp_path, "e.zip", zipped({"a": b"x"}, method=method)))
    packed = bytearray(zipped({"a": b"x"}))
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        packed[packed.find(mark) + at] |= 1
    assert "'a' is encrypted" in refusal(handed_in(tmp_path, "e.zip", bytes(packed)))


@pytest.mark.parametrize("name", PACKED)
def test_an_archive_that_is_cut_short_or_damaged(name: str, tmp_path: Path) -> None:
    whole = PACKED[name](FILES)
    for length in (1, 10, len(whole) // 2, len(whole) - 30, len(whole) - 5):
        assert "cut short" in refusal(handed_in(tmp_path, name, whole[:length]))
    if "zip" not in name.lower():
        assert "cut short" in refusal(handed_in(tmp_path, name, whole + b"more"))
        assert "cut short" in refusal(handed_in(tmp_path, name, whole[:-8] + bytes(4) + whole[-4:])), "its CRC"


def test_a_tar_file_without_a_proper_end(tmp_path: Path) -> None:
    """The reader of the standard library takes a damaged header for the end, and forgets the rest."""
    whole = tarred(*(member(*file) for file in FILES.items()))
    assert len(whole) % 10240 == 0
    end = len(whole.rstrip(b"\0")) // 512 * 512 + 512
    second = whole.index(b"submission.yaml")
    damaged = whole[:second] + b"X" + whole[second + 1 :]
    for content in (whole[:end], damaged):
        assert "cut short or damaged" in refusal(handed_in(tmp_path, "e.tgz", gzip.compress(content)))
    assert "behind its end" in refusal(handed_in(tmp_path, "e.tgz", gzip.compress(whole + whole)))
    assert contents(handed_in(tmp_path, "e.tgz", gzip.compress(whole[: end + 512]))) == FILES


def test_a_checksum_and_a_size_that_are_not_true(tmp_path: Path) -> None:
    packed = zipped({"a": b"x" * 1000}, method=zipfile.ZIP_STORED)
    assert "'a' is cut short, damaged" in refusal(handed_in(tmp_path, "e.zip", packed.replace(b"xxx", b"xyx", 1)))
    packed = zipped({"a": b"x" * 1000})
    for lie in (10, 2000, 2**32 - 1, 2**31):
        refusal(handed_in(tmp_path, "e.zip", packed.replace(struct.pack("<I", 1000), struct.pack("<I", lie))))


def test_members_that_share_bytes(tmp_path: Path) -> None:
    content = zipped({"a": b"x" * 10, "b": b"y" * 10}, method=zipfile.ZIP_STORED)
    second = content.rindex(b"PK\x01\x02")
    place = content.index(b"PK\x03\x04", 4)
    overlapping = content[: second + 42] + struct.pack("<I", 0) + content[second + 46 :]
    assert struct.unpack("<I", content[second + 42 : second + 46])[0] == place
    assert "overlaps another entry" in refusal(handed_in(tmp_path, "e.zip", overlapping))


def test_files_that_are_no_archive(tmp_path: Path) -> None:
    for name in ("entry.rar", "entry.tar", "entry.tar.bz2", "zip", "entry.7z", "entry.py"):
        assert "not taken" in refusal(handed_in(tmp_path, name, zipped(FILES)))
    assert refusal(handed_in(tmp_path, "e.zip", b"")) == "e.zip is empty."
    for name in ("e.zip", "e.tgz"):
        assert "damaged, or no" in refusal(handed_in(tmp_path, name, b"hello " * 1000))
    assert "damaged, or no .zip" in refusal(handed_in(tmp_path, "e.zip", files_tar_gz()))
    assert "damaged, or no .tgz" in refusal(handed_in(tmp_path, "e.tgz", zipped(FILES)))
    assert "holds no files" in refusal(handed_in(tmp_path, "e.zip", zipped({".git/x": b"x", "runs/x": b"x"})))
    assert "holds no files" in refusal(handed_in(tmp_path, "e.tgz", tar_gz(member("a", kind=tarfile.DIRTYPE))))


def test_entries_that_are_no_files(tmp_path: Path) -> None:
    handed_in(tmp_path, "real.zip", zipped(FILES))
    (tmp_path / "link.zip").symlink_to(tmp_path / "real.zip")
    (tmp_path / "folder").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "fifo.zip")
    assert refusal(tmp_path / "link.zip") == "link.zip is a link."
    assert refusal(tmp_path / "folder") == "folder is a link."
    assert refusal(tmp_path / "fifo.zip") == "fifo.zip is neither a file nor a folder."
    assert "cannot be read: No such file" in refusal(tmp_path / "none.zip")
    assert refusal(Path("/dev/null")) == "null is neither a file nor a folder."


def test_odd_names_of_the_entry_itself_can_be_printed(tmp_path: Path) -> None:
    assert refusal(handed_in(tmp_path, "a\nb.zip", b"x")).startswith("a\\nb.zip is cut short")


# --- anything at all ---

ZIP, TAR = zipped(FILES), tarred(*(member(*file) for file in FILES.items()))
PLACE = st.integers(0, 4000)


def survives(place: Path, name: str, content: bytes) -> None:
    try:
        found = contents(handed_in(place, name, content))
    except SubmissionError as error:
        told = error
    else:
        assert all(isinstance(data, bytes) for data in found.values())
        return
    assert told.status is Status.INVALID_SUBMISSION
    assert str(place) not in str(told)


_slow_disk = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@_slow_disk
@given(content=st.binary(max_size=2000), kind=st.sampled_from(["e.zip", "e.tgz", "packed"]))
def test_any_bytes(content: bytes, kind: str, tmp_path: Path) -> None:
    survives(tmp_path, "e.tgz" if kind == "packed" else kind, gzip.compress(content) if kind == "packed" else content)


@_slow_disk
@given(
    changes=st.lists(st.tuples(PLACE, st.binary(min_size=1, max_size=8)), min_size=1, max_size=4),
    zip_file=st.booleans(),
)
def test_any_change_of_an_archive(changes: list[tuple[int, bytes]], zip_file: bool, tmp_path: Path) -> None:
    content = io.BytesIO(ZIP if zip_file else TAR)
    for at, data in changes:
        content.seek(at % len(content.getbuffer()))
        content.write(data)
    survives(
        tmp_path,
        "e.zip" if zip_file else "e.tgz",
        content.getvalue() if zip_file else gzip.compress(content.getvalue()),
    )
