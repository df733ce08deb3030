"""The examples of docs/datasets/own.md, run as they stand; the page names every key."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from harness.data import OWN, settings_class
from harness.data.base import Dataset
from harness.data.specification import Change, ClassGuide, Collection, Column, Label, Specification, Split
from harness.paths import CONF_DIR

PAGE = (CONF_DIR.parent / "docs" / "datasets" / "own.md").read_text()
BLOCKS = re.findall(r"^```(\w+)[ ]?(\S*)\n(.*?)^```$", PAGE, flags=re.M | re.S)


@pytest.fixture
def examples(tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Dataset]:
    """Every named block as a file, every Python block run there, every data set loaded."""
    monkeypatch.chdir(tmp_path)
    names = {"Path": Path}
    for language, name, content in BLOCKS:
        if language == "python":
            exec(content, names)
        elif name:
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_text(content)
    found = {}
    for path in Path("dataset").glob("*.yaml"):
        plain = yaml.safe_load(path.read_text())
        found[path.stem] = settings_class(plain["name"]).model_validate(plain, context={"root": tmp_path}).load()
    return found


def test_examples_are_what_the_page_says(examples: dict[str, Dataset]) -> None:
    patients = examples["patients"]
    assert patients.X.shape == (6, 1 + 3 + 2)
    assert not any("unpinned" in note for note in patients.notes)
    assert set(patients.extras) == {"id", "group", "time", "ward"}
    reviews = examples["reviews"]
    assert reviews.texts is not None
    assert reviews.texts[0] == 'Good bread, "fresh" every day'
    assert reviews.X.shape == (4, 256)
    assert examples["leaves"].class_names == ("elm", "oak")
    assert examples["signals"].X.shape == (40, 6)


def test_the_page_names_every_key_of_every_kind() -> None:
    for kind in OWN:
        for key in settings_class(kind).model_fields:
            assert re.search(rf"\b{key}\b", PAGE), (kind, key)


def test_the_croissant_example_is_valid() -> None:
    (block, _) = [content for language, name, content in BLOCKS if language == "yaml" and not name]
    settings_class("croissant").model_validate(yaml.safe_load(block))


def test_the_specification_is_valid_and_every_key_is_named() -> None:
    (_, block) = [content for language, name, content in BLOCKS if language == "yaml" and not name]
    assert Specification.model_validate(yaml.safe_load(block)).unfinished() == []
    parts = (Specification, Column, Label, ClassGuide, Split, Collection, Change)
    for key in [key for part in parts for key in part.model_fields]:
        assert re.search(rf"\b{key}\b", PAGE), key
