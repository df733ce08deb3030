"""Challenge files read once, by the same reader for every command."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.errors import ProtocolError
from harness.paths import CONF_DIR
from harness.protocol import catalogue, source
from harness.protocol.compose import load_challenge

HEAD = (
    "defaults:\n  - override /track: debugging\n  - override /dataset: breast_cancer\n  - override /model: logistic\n"
)


def write(directory: Path, name: str, text: str | bytes) -> Path:
    path = directory / "challenge" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("name", source.names(None))
def test_what_is_read_is_what_hydra_composes(name: str) -> None:
    read, composed = source.read(name), load_challenge(name)
    assert read.title == composed.title
    for group in source.GROUPS:
        assert read.kind(group, None)[0] == getattr(composed, group).name


def test_a_challenge_builds_on_others(tmp_path: Path) -> None:
    write(tmp_path, "_shared.yaml", "title: shared\nseeds: 3\ndefaults: [{override /dataset: wine}]\n")
    write(tmp_path, "first.yaml", f"{HEAD}title: first\ntrack: {{train: 40, validation: 10}}\n")
    write(tmp_path, "second.yaml", "# @package _global_\ndefaults: [first, _shared, _self_]\nseeds: 2\n")
    write(tmp_path, "third.yaml", "defaults: [_self_, second, {override /dataset: digits}]\ntitle: third\nversion: 4\n")
    write(tmp_path, "fourth.yaml", "defaults: [_shared, first]\n")
    write(tmp_path, "fifth.yaml", "defaults: [third, first, second, _self_]\ntitle: fifth\n")
    for name, title, seeds, dataset in (
        ("first", "first", 10, "breast_cancer"),
        ("second", "shared", 2, "wine"),
        ("third", "shared", 2, "digits"),
        ("fourth", "first", 3, "breast_cancer"),
        ("fifth", "fifth", 2, "wine"),
    ):
        composed = load_challenge(name, config_dir=tmp_path)
        assert (composed.name, composed.title, composed.seeds, composed.dataset.name) == (name, title, seeds, dataset)
        entry = next(entry for entry in catalogue.challenges(tmp_path) if entry.name == name)
        assert (entry.title, entry.track, entry.detail) == (title, "debugging", f"debugging, {dataset}, logistic")
    assert "_shared" not in source.names(tmp_path)
    with pytest.raises(ProtocolError, match="shared part"):
        load_challenge("_shared", config_dir=tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("bom.yaml", b"\xef\xbb\xbf" + HEAD.encode() + b"title: x\n", "byte order mark"),
        ("wide.yaml", (HEAD + "title: x\n").encode("utf-16"), "not UTF-8"),
        ("latin.yaml", HEAD.encode() + b"title: caf\xe9\n", "not UTF-8 text (line 5)"),
        ("broken.yaml", "title: [", "not readable YAML"),
        ("tab.yaml", HEAD + "title: x\ntrack:\n\ttrain: 3\n", "not readable YAML"),
        ("twice.yaml", HEAD + "title: x\nseeds: 2\nseeds: 3\n", "there twice, again in line 7"),
        ("words.yaml", "a sentence", "keys and values"),
        ("empty.yaml", "", "keys and values"),
        ("plain.yaml", "defaults: 3\ntitle: x\n", "must be a list"),
        ("untitled.yaml", HEAD, "has no title"),
        ("nowhere.yaml", HEAD.replace("breast_cancer", "breast_cancr") + "title: x\n", "Did you mean breast_cancer"),
        ("orphan.yaml", "defaults: [nobody]\ntitle: x\n", "There is no challenge 'nobody'"),
        ("circle.yaml", "defaults: [circle]\ntitle: x\n", "builds on it in turn"),
        ("2024.yaml", HEAD + "title: x\n", "a number"),
        ("true.yaml", HEAD + "title: x\n", "a truth value"),
        ("null.yaml", HEAD + "title: x\n", "as nothing"),
        ("My-Wine.yaml", HEAD + "title: x\n", "lower-case letters"),
        ("other.yml", HEAD + "title: x\n", "Rename it to other.yaml"),
        ("differs.yaml", HEAD + "name: another\ntitle: x\n", "has the name of its file"),
        ("debugging_digits.yaml", HEAD + "title: mine\n", "the name of a shipped challenge"),
    ],
)
def test_a_broken_file_is_a_row_that_says_why(tmp_path: Path, name: str, text: str | bytes, says: str) -> None:
    stem = write(tmp_path, name, text).stem
    write(tmp_path, "sound.yaml", HEAD + "title: sound\n")
    rows = {entry.name: entry for entry in catalogue.challenges(tmp_path)}
    assert rows["sound"].title == "sound"
    assert says in rows[stem].problem
    with pytest.raises(ProtocolError) as caught:
        load_challenge(stem, config_dir=tmp_path)
    assert str(caught.value) == rows[stem].problem
    assert "\n" not in rows[stem].problem


def test_a_track_or_data_set_builds_on_another_too(tmp_path: Path) -> None:
    for group, text in (("track", "defaults: [debugging]\ntrain: 90\n"), ("dataset", "defaults: [wine]\n")):
        (tmp_path / group).mkdir()
        (tmp_path / group / "own.yaml").write_text(text)
    chosen = "defaults: [{override /track: own}, {override /dataset: own}, {override /model: logistic}]\n"
    write(tmp_path, "mine.yaml", chosen + "title: mine\ntrack: {validation: 18}\n")
    composed = load_challenge("mine", config_dir=tmp_path)
    assert (composed.track.name, composed.track.train, composed.dataset.name) == ("debugging", 90, "wine")  # type: ignore[attr-defined]
    (row,) = [entry for entry in catalogue.challenges(tmp_path) if entry.name == "mine"]
    assert (row.track, row.problem, row.detail) == ("debugging", "", "own, own, logistic")
    assert "own" in catalogue.data_sets(tmp_path)


@pytest.mark.parametrize(
    "name", ["it's", "trail\\", "q\\'x", "back\\slash", "x,y=[z]", "h#a%20b?c", "${oc.env:HOME}", '"{}"']
)
def test_a_config_directory_of_an_odd_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    write(tmp_path / name, "mine.yaml", HEAD + "title: mine\ntrack: {train: 100, validation: 20}\n")
    assert load_challenge("mine", config_dir=tmp_path / name).title == "mine"


def test_an_own_config_of_a_shipped_ones_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset" / "wine.yaml").write_text("name: table\n")
    write(tmp_path, "mine.yaml", HEAD.replace("breast_cancer", "wine") + "title: x\n")
    with pytest.raises(ProtocolError, match="the name of a shipped dataset"):
        load_challenge("mine", config_dir=tmp_path)


def test_a_copy_of_the_shipped_directory_changes_nothing(tmp_path: Path) -> None:
    shutil.copytree(CONF_DIR, tmp_path / "conf")
    copied = load_challenge("debugging_digits", config_dir=tmp_path / "conf")
    assert copied.pinned() == load_challenge("debugging_digits").pinned()
