"""Specifications of data sets: every mistake is named, the card says what they say, a new one fits the data it was made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.data.card import Counted, card
from harness.errors import ProtocolError
from harness.paths import CONF_DIR
from harness.protocol import specifications
from harness.protocol.compose import load_challenge

PLAIN: dict[str, Any] = {
    "name": "visits",
    "title": "Visits to four wards",
    "purpose": "Who needs a second look?",
    "unit": "One visit",
    "columns": {
        "age": {"type": "number", "least": 0, "most": 120, "unit": "years", "missing": "?"},
        "day": {"role": "time", "type": "date", "least": "2024-01-01"},
        "outcome": {"role": "label", "type": "category", "values": ["ill", "well"]},
    },
    "label": {"column": "outcome", "classes": {"ill": "A physician says so", "well": {"edge_cases": ["a cold"]}}},
    "source": "A made-up clinic",
    "creators": ["A. Nobody"],
    "license": "cc-by-4.0",
    "versions": [{"version": "1.0.0"}, {"version": "1.1.0", "date": "2026-01-31", "changes": "Forty more rows."}],
}


def written(folder: Path, plain: Any, name: str = "visits") -> Path:
    path = folder / "spec" / f"{name}.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(plain if isinstance(plain, str) else yaml.safe_dump(plain, sort_keys=False), encoding="utf-8")
    return path


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    spec = specifications.read(written(tmp_path, PLAIN))
    assert (spec.license, spec.version, spec.unfinished()) == ("CC-BY-4.0", "1.1.0", [])
    assert spec.label.classes["ill"].means == "A physician says so"
    assert spec.facts() == {
        "name": "visits", "title": "Visits to four wards", "version": "1.1.0", "license": "CC-BY-4.0",
    }  # fmt: skip


def test_the_card_says_all_of_it(tmp_path: Path) -> None:
    text = card(specifications.read(written(tmp_path, PLAIN)), Counted(40, (40, 3), {"ill": 12, "well": 28}))
    for part in (
        "# visits", "Visits to four wards. Who needs a second look?", "40 rows, X [40, 3], 2 classes.", "`CC-BY-4.0`",
        "| age | feature | number | 0 to 120; missing: '?' | In years. |", "from 2024-01-01",
        "| ill | 12 | A physician says so. |", "| well | 28 | Hard to tell: a cold. |", "- **1.1.0** (2026-01-31): Forty more rows.",
    ):  # fmt: skip
        assert part in text
    assert text.index("1.1.0") < text.index("- **1.0.0**")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"licence": "MIT"}, "licence is not a known setting"),
        ({"license": "free for all"}, "no SPDX expression"),
        ({"license": "LicenseRef-ours"}, "give it in license_text"),
        ({"versions": []}, "versions"),
        ({"versions": [{"version": "1.1.0"}, {"version": "1.0.9"}]}, "1.0.9 comes after 1.1.0"),
        ({"versions": [{"version": "1.0"}]}, "no version of three numbers"),
        ({"versions": [{"version": 1.0}]}, "no version of three numbers"),
        ({"columns": {"age": {"type": "number", "values": ["1"]}}}, "values lists categories, and the type is number"),
        ({"columns": {"age": {"type": "number", "least": 9, "most": 1}}}, "least (9.0) is above most (1.0)"),
        ({"columns": {"ward": {"type": "category", "least": 1}}}, "bounds no category"),
        ({"columns": {"day": {"type": "date", "least": 3}}}, "bounds no date"),
        ({"columns": {"age": {"type": "float"}}}, "columns.age.type"),
        ({"columns": {"age": {"role": "target", "type": "number"}}}, "columns.age.role"),
        ({"url": "ftp://x"}, "url"),
        ({"name": "others"}, "a specification has the name of its data set, visits"),
        ({"label": {"classes": {"ill": {"guide": "x"}}}}, "label.classes.ill.guide is not a known setting"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    path = written(tmp_path, PLAIN | change)
    with pytest.raises(ProtocolError) as error:
        specifications.read(path)
    assert says in str(error.value)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("text", ["- a list", "name: visits\nname: twice", "{", "name: [", "\x00"])
def test_what_is_no_plain_yaml_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ProtocolError):
        specifications.read(written(tmp_path, text))


def test_what_is_not_filled_in_is_listed(tmp_path: Path) -> None:
    spec = specifications.read(written(tmp_path, {"name": "visits", "versions": [{"version": "1.0.0"}]}))
    assert [line.split(" ")[0] for line in spec.unfinished()] == ["title", "purpose", "creators", "license", "source"]


def test_an_own_one_comes_before_a_shipped_one_and_none_is_said(tmp_path: Path) -> None:
    assert specifications.find("digits") == CONF_DIR / "spec" / "digits.yaml"
    own = written(tmp_path, PLAIN | {"name": "digits"}, "digits")
    assert specifications.load("digits", tmp_path).title == "Visits to four wards"
    assert specifications.find("digits", tmp_path) == own
    with pytest.raises(ProtocolError, match="There is no dataset 'visitors'"):
        specifications.load("visitors", tmp_path)
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset" / "plain.yaml").write_text("name: digits\n")
    with pytest.raises(ProtocolError, match="has no specification"):
        specifications.load("plain", tmp_path)


def test_a_broken_one_is_said_before_anything_is_run(tmp_path: Path) -> None:
    for group, text in (
        ("dataset", "name: digits\n"),
        ("challenge", "defaults: [debugging_digits, {override /dataset: visits}]\ntitle: Ours\n"),
    ):
        (tmp_path / group).mkdir()
        (tmp_path / group / "visits.yaml").write_text(text)
    written(tmp_path, PLAIN)
    found = load_challenge("visits", config_dir=tmp_path).specification
    assert found is not None
    assert found.title == "Visits to four wards"
    written(tmp_path, PLAIN | {"license": "free for all"})
    with pytest.raises(ProtocolError, match="no SPDX expression"):
        load_challenge("visits", config_dir=tmp_path)
