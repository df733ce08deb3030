"""Where own data sets may lie, how they are pinned, and that what was read once is not read again."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from harness.api import Texts
from harness.data import settings_class
from harness.data.base import Dataset
from harness.data.own import kept, sheet, source
from harness.errors import ProtocolError
from tests.data.own import load, write_csv


@pytest.fixture
def root(tmp_path: Path, own_cache: Path) -> Path:
    folder = tmp_path / "mine"
    write_csv(folder / "t.csv", [("x", "y"), *[(i, "ab"[i % 2]) for i in range(10)]])
    return folder


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_unpinned_data_say_the_digest_to_paste(root: Path) -> None:
    data = load(root, "table", path="t.csv", label="y")
    assert any(f"sha256: {sha(root / 't.csv')}" in note for note in data.notes)
    pinned = load(root, "table", path="t.csv", label="y", sha256=sha(root / "t.csv"))
    assert not any("unpinned" in note for note in pinned.notes)
    assert pinned.digest() == data.digest()
    settings = settings_class("table")
    assert settings.model_validate({"name": "table", "path": "t.csv", "label": "y", "sha256": "0" * 64}).pinned
    assert not settings.model_validate({"name": "table", "path": "t.csv", "label": "y"}).pinned


def test_other_data_are_refused_with_both_digests(root: Path) -> None:
    with pytest.raises(ProtocolError, match=f"its SHA-256 is {sha(root / 't.csv')}, expected {'0' * 64}"):
        load(root, "table", path="t.csv", label="y", sha256="0" * 64)


def test_a_folder_has_the_digest_of_its_sorted_files(root: Path) -> None:
    for name in ("b/2.txt", "b/1.txt", "a/1.txt", "a/Z.txt"):
        (root / "docs" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "docs" / name).write_text(name)
    (root / "docs" / ".DS_Store").write_text("rubbish")
    script = "find . -type f -not -name '.*' | sed 's|^[.]/||' | LC_ALL=C sort | xargs sha256sum | sha256sum"
    expected = subprocess.run(script, shell=True, cwd=root / "docs", capture_output=True, text=True, check=True).stdout[
        :64
    ]
    assert load(root, "text", path="docs", sha256=expected).class_names == ("a", "b")


@pytest.mark.parametrize("path", ["../t.csv", "/etc/passwd", "a/../../t.csv", "link.csv", "nothing.csv", "fifo.csv"])
def test_paths_stay_inside_the_config_directory(path: str, root: Path) -> None:
    write_csv(root.parent / "t.csv", [("x", "y")])
    (root / "link.csv").symlink_to(root.parent / "t.csv")
    os.mkfifo(root / "fifo.csv")
    with pytest.raises(ProtocolError, match=r"must lie inside|leads out of|no such file|neither a regular"):
        load(root, "table", path=path, label="y")


def test_a_link_in_a_folder_must_not_lead_out(root: Path) -> None:
    (root / "docs" / "a").mkdir(parents=True)
    (root / "docs" / "a" / "1.txt").symlink_to("/etc/passwd")
    with pytest.raises(ProtocolError, match="leads out of"):
        load(root, "text", path="docs")


def test_no_config_directory_is_said(root: Path) -> None:
    settings = settings_class("table").model_validate({"name": "table", "path": "t.csv", "label": "y"})
    with pytest.raises(ProtocolError, match="--config-dir"):
        settings.load()


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({}, "either path"),
        ({"path": "a", "url": "https://x.test/a.csv", "sha256": "0" * 64}, "either path"),
        ({"url": "https://x.test/a.csv"}, "a url needs sha256"),
        ({"path": "a", "sha256": "abc"}, "sha256"),
        ({"path": "a", "colour": 1}, "colour"),
        ({"path": "a", "columns": {"x": "text"}}, "columns"),
    ],
)
def test_settings_that_cannot_be(keys: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        settings_class("table").model_validate({"name": "table", "label": "y", **keys})


def test_a_url_is_looked_for_in_the_users_directory_first(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_DATA_DIR", str(root / "data"))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    (root / "data" / "own").mkdir(parents=True)
    (root / "t.csv").rename(root / "data" / "own" / "t.csv")
    keys = {"url": "https://example.invalid/x/t.csv", "label": "y"}
    data = load(root, "table", **keys, sha256=sha(root / "data" / "own" / "t.csv"))
    assert data.name == "t"
    with pytest.raises(ProtocolError, match="other"):
        load(root, "table", url="https://example.invalid/x/other.csv", label="y", sha256="0" * 64)


def test_a_second_load_parses_and_hashes_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load(root, "table", path="t.csv", label="y")
    monkeypatch.setattr(sheet, "read", lambda *_: pytest.fail("parsed again"))
    monkeypatch.setattr(source, "_digest", lambda *_: pytest.fail("hashed again"))
    second = load(root, "table", path="t.csv", label="y")
    assert (second.digest(), second.notes, second.class_names) == (first.digest(), first.notes, first.class_names)
    monkeypatch.undo()


def test_changed_files_and_settings_are_read_again(root: Path) -> None:
    first = load(root, "table", path="t.csv", label="y")
    assert load(root, "table", path="t.csv", label="y", standardize=False).digest() != first.digest()
    write_csv(root / "t.csv", [("x", "y"), *[(i, "ba"[i % 2]) for i in range(10)]])
    assert load(root, "table", path="t.csv", label="y").y.tolist() == (1 - first.y).tolist()


def test_damaged_and_unwritable_caches_do_no_harm(root: Path, own_cache: Path) -> None:
    first = load(root, "table", path="t.csv", label="y")
    (stored,) = (own_cache / "datasets").iterdir()
    whole = stored.read_bytes()
    for broken in (
        b"",
        whole[: len(whole) // 2],
        b"x" * 100,
        whole.replace(first.X.tobytes(), first.X.tobytes()[::-1]),
    ):
        stored.write_bytes(broken)
        assert load(root, "table", path="t.csv", label="y").digest() == first.digest()
    (own_cache / "datasets").rename(own_cache / "away")
    (own_cache / "datasets").write_text("a file in the way")
    assert load(root, "table", path="t.csv", label="y").digest() == first.digest()


def test_everything_of_a_data_set_is_kept(own_cache: Path) -> None:
    extras = {
        "odd/ name": np.array(["ä", "b"]),
        "time": np.array(["2020", "2021"], "datetime64[us]"),
        "part": np.array([0, 2]),
    }
    data = Dataset("d", np.ones((2, 3), np.float32), np.array([0, 1]), ("x", "y"), extras, Texts.of(["a", "ß"]), ("n",))
    made = [kept.dataset("key", lambda: data), kept.dataset("key", lambda: pytest.fail("made again"))]
    for found in made:
        assert found.digest() == data.digest()
        assert (found.notes, list(found.texts or [])) == (("n",), ["a", "ß"])
    assert replace(data, notes=()).digest() == data.digest()


def test_many_at_once(root: Path, own_cache: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: load(root, "table", path="t.csv", label="y").digest(), range(16)))
    assert len(found) == 1
    assert [p.suffix for p in (own_cache / "datasets").iterdir()] == [".npz"]


def test_importing_the_registry_costs_no_reader() -> None:
    code = "import sys, harness.data; print(sorted({'pandas', 'PIL', 'mlcroissant', 'sklearn'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
