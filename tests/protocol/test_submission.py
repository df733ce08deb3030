"""Reading a submission folder: what is accepted, what is refused and how it is said."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import api
from harness.errors import BenchmarkError, ProtocolError, Status, SubmissionError
from harness.protocol import submission

GOOD = {
    "name": "mine",
    "track": "debugging",
    "entry": "algorithm:rank",
    "authors": ["A"],
    "description": "d",
    "license": "MIT",
}


def folder(path: Path, manifest: object = GOOD) -> Path:
    path.mkdir(exist_ok=True)
    (path / "submission.yaml").write_text(manifest if isinstance(manifest, str) else yaml.safe_dump(manifest))
    (path / "algorithm.py").write_text("def rank(task):\n    return [0]\n")
    return path


def test_every_baseline_is_well_formed() -> None:
    shipped = [path for paths in submission.shipped().values() for path in paths]
    assert len(shipped) >= 10
    for path in shipped:
        entry = submission.load(path)
        assert entry.name == path.name
        assert entry.track == path.parent.name


def test_digest_covers_names_and_contents_only(tmp_path: Path) -> None:
    first = submission.load(folder(tmp_path / "a"))
    copy = submission.load(folder(tmp_path / "b"))
    assert first.digest == copy.digest
    (tmp_path / "b" / "__pycache__").mkdir()
    (tmp_path / "b" / "__pycache__" / "x.pyc").write_bytes(b"1")
    assert submission.load(tmp_path / "b").digest == first.digest
    (tmp_path / "b" / "data.txt").write_text("1")
    assert submission.load(tmp_path / "b").digest != first.digest


@pytest.mark.parametrize(
    ("manifest", "says"),
    [
        ({**GOOD, "name": "../up"}, "name"),
        ({**GOOD, "name": "a/b"}, "name"),
        ({**GOOD, "track": "nope"}, "track"),
        ({**GOOD, "entry": "algorithm"}, "entry"),
        ({**GOOD, "entry": "os:system"}, "os.py"),
        ({**GOOD, "entry": "../x:rank"}, "entry"),
        ({**GOOD, "authors": "A"}, "authors"),
        ({**GOOD, "authors": []}, "authors"),
        ({**GOOD, "_target_": "os.system"}, "_target_"),
        ({**GOOD, "needs": "X_val"}, "needs"),
        ({**GOOD, "needs": ["X_test"]}, "needs.0: must be a field of the task (X, X_val, model"),
        ({key: value for key, value in GOOD.items() if key != "license"}, "license"),
        ({**GOOD, "license": " "}, "license: has no letter"),
        ({**GOOD, "license": "\u200b"}, "license: has no letter"),
        ({**GOOD, "authors": ["A", "\u3164"]}, "authors.1: has no letter"),
        (yaml.safe_dump(GOOD) + "name: other\n", "key 'name' is there twice"),
        (yaml.safe_dump(GOOD) + "a\u200bb: 1\n", r"'a\u200bb' is not a known setting"),
        ("name: !!str mine\n", "tags (&, * and !)"),
        ("[1, 2]", "keys and values"),
        ("a: [", "not readable YAML"),
        ("!!python/object/apply:os.system ['true']", "not readable YAML"),
        ("", "keys and values"),
    ],
)
def test_a_bad_manifest_is_one_paragraph(tmp_path: Path, manifest: object, says: str) -> None:
    with pytest.raises(SubmissionError) as caught:
        submission.load(folder(tmp_path / "s", manifest))
    assert caught.value.status is Status.INVALID_SUBMISSION
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_all_problems_of_a_manifest_are_listed(tmp_path: Path) -> None:
    with pytest.raises(SubmissionError) as caught:
        submission.load(folder(tmp_path / "s", {"name": [3], "extra": 1, "needs": ["X", "y_true"]}))
    for part in ("extra is", "name: Input", "track is", "entry is", "authors is", "license is", "needs.1: must"):
        assert part in str(caught.value)


def test_every_value_is_the_text_that_stands_there(tmp_path: Path) -> None:
    """No text becomes a number, a date or a truth value."""
    plain = "name: 007\ntrack: debugging\nentry: algorithm:rank\nauthors: [No, 1e3]\ndescription: 2026-01-01\nlicense: 0x1\n"
    read = submission.load(folder(tmp_path / "s", plain))
    assert (read.name, read.authors, read.description, read.license) == ("007", ("No", "1e3"), "2026-01-01", "0x1")


def test_needs_are_fields_of_the_kinds_that_are_known(tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Own(api.Task):
        kind = "own"
        extra: int

    path = folder(tmp_path / "s", {**GOOD, "track": "own", "needs": ["extra"]})
    assert submission.load(path, kind=Own).needs == ("extra",)
    with pytest.raises(SubmissionError, match="track: must be one of"):
        submission.load(path)


def test_links_and_special_files_are_refused(tmp_path: Path) -> None:
    path = folder(tmp_path / "s")
    (path / "link").symlink_to("/etc/passwd")
    with pytest.raises(SubmissionError, match="not a regular file"):
        submission.load(path)
    (path / "link").unlink()
    os.mkfifo(path / "pipe")
    with pytest.raises(SubmissionError, match="not a regular file"):
        submission.load(path)


def test_unknown_names_come_with_the_nearest() -> None:
    with pytest.raises(ProtocolError, match="knn_shapley"):
        submission.find("knn_shaply", "debugging")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.text(max_size=300),
        st.dictionaries(
            st.sampled_from([*GOOD, "extra"]),
            st.one_of(st.text(max_size=30), st.integers(), st.none(), st.lists(st.text(max_size=5), max_size=3)),
        ).map(yaml.safe_dump),
    )
)
def test_no_manifest_raises_anything_else(tmp_path: Path, text: str) -> None:
    path = tmp_path / "s"
    path.mkdir(exist_ok=True)
    (path / "algorithm.py").write_text("")
    (path / "submission.yaml").write_bytes(text.encode("utf-8", errors="surrogatepass"))
    with contextlib.suppress(BenchmarkError):
        submission.load(path)


def test_a_folder_is_found_from_within(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`.` is where the caller stands, never the directory of the baselines."""
    mine = folder(tmp_path / "mine")
    monkeypatch.chdir(mine)
    assert submission.find(".", "debugging") == mine
    monkeypatch.chdir(tmp_path)
    assert submission.find("mine", "debugging") == mine
    assert submission.find("debugging/random", "selection").parts[-2:] == ("debugging", "random")
    (tmp_path / "debugging").mkdir()
    assert submission.find("debugging", "debugging") == tmp_path / "debugging"


def test_without_a_task_kind_a_name_must_be_the_only_one() -> None:
    assert submission.find("knn_shapley", "debugging").parent.name == "debugging"
    alone = next(name for name, paths in submission.shipped().items() if len(paths) == 1)
    assert submission.find(alone, "").name == alone
    with pytest.raises(ProtocolError, match="debugging/random or"):
        submission.find("random", "")
