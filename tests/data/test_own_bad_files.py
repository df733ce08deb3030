"""Files as they come: each gets one paragraph with what, where and what is allowed, and no traceback."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.errors import ProtocolError
from tests.data.own import load, write_csv

pytestmark = pytest.mark.usefixtures("own_cache")

GOOD = "x,z,y\n" + "".join(f"{i},{i % 3}.5,{'ab'[i % 2]}\n" for i in range(20))


def edited(old: str, new: str) -> bytes:
    assert old in GOOD
    return GOOD.replace(old, new, 1).encode()


TABLES: list[tuple[str, bytes, dict[str, Any], str]] = [
    ("empty", b"", {}, r"t\.csv is empty"),
    ("blank", b"\n \n", {}, r"t\.csv is empty"),
    ("byte order mark alone", b"\xef\xbb\xbf", {}, r"t\.csv is empty"),
    ("header alone", b"x,z,y\n", {}, "a header and no rows"),
    ("open quote", edited("3,0.5,b", '3,"0.5,b'), {}, "begins on line 5 of t.csv has a double quote that never closes"),
    ("text after a quote", edited("3,0.5,b", '3,"0.5"q,b'), {}, "line 5 of t.csv has text beside a quoted cell"),
    ("short row", edited("3,0.5,b", "3,b"), {}, "Line 5 of t.csv has 2 cells; the header has 3"),
    ("long row", edited("3,0.5,b", "3,0,5,b"), {}, "Line 5 of t.csv has 4 cells; the header has 3"),
    ("cp1252", edited("x,", "pr\xe9nom,").replace(b"\xc3\xa9", b"\xe9"), {}, "not text in utf-8: byte 0xe9 on line 1"),
    ("utf-16", GOOD.encode("utf-16"), {}, "UTF-16, not utf-8"),
    ("no such encoding", GOOD.encode(), {"encoding": "utf-9"}, "'utf-9', which is no encoding"),
    ("not a text encoding", GOOD.encode(), {"encoding": "base64"}, "encoding"),
    ("binary", b"\x89PNG\r\n\x1a\n\0\0", {}, "not text in utf-8: byte 0x89"),
    ("zero bytes", edited("3,0.5,b", "3,\0,b"), {}, "zero byte on line 5"),
    ("nameless column", edited("x,", ","), {}, r"Column 1 of t\.csv has no name.*index=False"),
    ("twice the same name", edited("x,z", "x,x"), {}, "Columns 1 and 2 of t.csv are both named 'x'"),
    ("other separator", GOOD.replace(",", ";").encode(), {}, "Set dataset.separator to ';'"),
    ("separator of two", GOOD.encode(), {"separator": "::"}, "one character"),
    ("no label column", GOOD.encode(), {"label": "Y"}, "has none of that name.*Its columns: x, z, y"),
    ("column nearly right", GOOD.encode(), {"label": "y", "group": "zz"}, "Did you mean 'z'"),
    ("no such column", GOOD.encode(), {"columns": {"w": "drop"}}, "dataset.columns names the column 'w'"),
    ("two roles", GOOD.encode(), {"columns": {"y": "drop"}}, "'y', which has another role already"),
    ("nothing to learn from", GOOD.encode(), {"columns": {"x": "drop", "z": "meta"}}, "no column to learn from"),
    ("one class", GOOD.replace(",b\n", ",a\n").encode(), {}, "Every row has the label 'a'"),
    ("a class of one row", edited("3,0.5,b", "3,0.5,B"), {}, r"class 'B' in column 'y' has one row.*row 4 \(line 5\)"),
    ("two rows in all", b"x,y\n1,a\n2,b\n", {}, "There are 2 rows in all"),
    ("unlabelled rows", GOOD.replace(",b\n", ",\n", 6).encode(), {}, r"6 of 20 rows have no label.*row 2 \(line 3\).* and 1 more"),
    ("real labels", GOOD.encode(), {"label": "z", "columns": {"y": "drop"}}, "numbers that are no classes, e.g. '0.5' in row 1"),
    ("too many labels", b"x,y\n" + b"".join(b"1,%d\n" % i for i in range(50)), {}, "50 different values in 50 rows"),
    ("a word among numbers", edited("3,0.5,b", "3,abc,b"), {}, r"'abc' is none: row 4 \(line 5\)"),
    ("decimal comma", edited("3,0.5,b", '3,"0,5",b'), {"columns": {"z": "number"}}, "'0,5', which is no number.*1.5 with a point"),
    ("endless number", edited("3,0.5,b", "3,1e999,b"), {}, r"'1e999', too large to compute with: row 4"),
    ("missing", edited("3,0.5,b", "3,NA,b"), {}, r"1 of 20 entries \(5%\) of column 'z' are missing: row 4 \(line 5\)"),
    ("same id twice", GOOD.encode(), {"id": "z"}, r"The id '0.5' is there twice: row 1 \(line 2\), row 4 \(line 5\)"),
    ("no id", edited("3,0.5,b", ",0.5,b"), {"id": "x"}, r"The id of row 4 \(line 5\) is missing"),
    ("no group", edited("3,0.5,b", ",0.5,b"), {"group": "x"}, r"1 rows belong to no group: row 4"),
    ("odd date", b"x,t,y\n" + b"".join(b"%d,%02d/01/2024,%d\n" % (i, i + 1, i % 2) for i in range(8)), {"time": "t"}, "ISO 8601"),
    ("odd part", GOOD.encode(), {"part": "z"}, r"The part of row 1 \(line 2\) is '0.5'; it must be train, validation"),
    ("no test part", GOOD.replace(".5", "").replace("1,", "0,").replace("2,", "0,").encode(), {"part": "z"}, "No row has the part test"),
    ("foreign vote", GOOD.encode(), {"votes": ["z"]}, r"The vote '0.5' in row 1 \(line 2\) is no class"),
    ("reserved name", GOOD.replace("z", "votes", 1).encode(), {"columns": {"votes": "meta"}}, "'votes' cannot be kept as meta"),
    ("torn group", GOOD.replace("z", "part").replace(".5", "").encode(), {"part": "part", "group": "y"}, r"groups have rows in different official parts, e\.g\. 'a'"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "keys", "said"), [pytest.param(*case[1:], id=case[0]) for case in TABLES])
def test_tables(content: bytes, keys: dict[str, Any], said: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(ProtocolError, match=said) as error:
        load(tmp_path, "table", **{"path": "t.csv", "label": "y", **keys})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (GOOD.encode(), "Line 1 of t.jsonl is not JSON"),
        (b'{"x": 1, "y": "a"}\n[1]\n', "Line 2 of t.jsonl is not an object"),
        (b'{"x": 1, "y": "a"}\n{"x": 1}\n', "Line 2 of t.jsonl and the first line differ in the key 'y'"),
        (b'{"x": {"a": 1}, "y": "a"}\n', "Line 1 of t.jsonl: 'x' holds a dict"),
        (b"[" * 100_000, "Line 1 of t.jsonl is not JSON"),
    ],
)
def test_json_lines(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_bytes(content)
    with pytest.raises(ProtocolError, match=said):
        load(tmp_path, "table", path="t.jsonl", label="y")


def test_a_text_too_long_for_an_attribute(tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", [("x", "note", "y"), *[(i, "a" * 20_000, i % 2) for i in range(4)]])
    with pytest.raises(ProtocolError, match=r"note holds 20000 characters in row 1 \(line 2\)"):
        load(tmp_path, "table", path="t.csv", label="y", columns={"note": "meta"})


@pytest.mark.parametrize(
    ("votes", "said"),
    [
        ("item,annotator,label\n99,p,a\n", "rows that are not there, e.g. item '99' in row 1"),
        ("item,annotator,label\n1,p,a\n1,p,b\n", "'p' votes twice on one row: .*row 1 .*; row 2"),
        ("item,annotator,label\n1,p,c\n", r"The vote 'c' in row 1 \(line 2\) of v.csv is no class"),
        ("item,label\n1,a\n", "'annotator', and v.csv has none"),
    ],
)
def test_votes(votes: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(GOOD)
    (tmp_path / "v.csv").write_text(votes)
    with pytest.raises(ProtocolError, match=said):
        load(tmp_path, "table", path="t.csv", label="y", votes="v.csv")


def test_a_folder_where_a_file_is_needed(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a.csv").write_text(GOOD)
    with pytest.raises(ProtocolError, match=r"d is a folder; a table is one file"):
        load(tmp_path, "table", path="d", label="y")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ProtocolError, match="a folder without files"):
        load(tmp_path, "images", path="empty")


def test_a_file_nobody_may_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "t.csv").write_text(GOOD)

    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied", str(tmp_path / "t.csv"))

    monkeypatch.setattr("harness.data.own.source._of_file", denied)
    with pytest.raises(ProtocolError, match=r"t\.csv cannot be read: Permission denied"):
        load(tmp_path, "table", path="t.csv", label="y")


@pytest.mark.parametrize("seed", range(30))
def test_random_damage_ends_in_a_paragraph_or_in_data(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(20):
        raw = np.frombuffer(GOOD.encode(), np.uint8).copy()
        at = rng.integers(len(raw), size=rng.integers(1, 6))
        raw[at] = rng.choice(np.frombuffer(b'",;\n\r\0\xff.ab1-e', np.uint8), len(at))
        (tmp_path / "t.csv").write_bytes(raw.tobytes())
        with suppress(ProtocolError):  # and no other
            assert np.isfinite(load(tmp_path, "table", path="t.csv", label="y").X).all()
