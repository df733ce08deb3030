"""Every data set has a config that composes and a card, and the digests on the card are those of the data."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from harness.data import OWN, dataset_names, dataset_settings, load_dataset, settings_class
from harness.data.base import Dataset
from harness.paths import CONF_DIR

CARDS = CONF_DIR.parent / "docs" / "datasets"
HEADINGS = ("Source", "Licence", "Privacy", "Labels", "Splits", "Known faults")


def digests(name: str) -> list[tuple[dict[str, Any], str]]:
    """(parameters, digest) of each row of a card's table."""
    rows = re.findall(r"^\| (.+?) \| `([0-9a-f]{64})` \|$", (CARDS / f"{name}.md").read_text(), flags=re.M)
    return [({} if cell == "none" else yaml.safe_load(f"{{{cell.strip('`')}}}"), digest) for cell, digest in rows]


SHIPPED = [name for name in dataset_names() if name not in OWN]
STATED = [(name, *row) for name in SHIPPED for row in digests(name)]


def test_configs_cards_and_loaders_are_the_same_names() -> None:
    assert sorted(p.stem for p in (CONF_DIR / "dataset").glob("*.yaml")) == dataset_names()
    assert sorted(p.stem for p in CARDS.glob("*.md") if p.stem not in ("README", "own")) == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_config_names_every_parameter_with_its_default(name: str) -> None:
    config = yaml.safe_load((CONF_DIR / "dataset" / f"{name}.yaml").read_text())
    assert config == dataset_settings(name).model_dump()


@pytest.mark.parametrize("name", sorted(OWN))
def test_config_of_an_own_kind_names_every_key_with_its_default(name: str) -> None:
    config = yaml.safe_load((CONF_DIR / "dataset" / f"{name}.yaml").read_text())
    unset = {key: "data" for key, value in config.items() if value == "???"}
    settings = settings_class(name).model_validate({"name": name, **unset})
    assert config | unset == settings.model_dump(mode="json")
    assert list(config) == ["name", *(key for key in type(settings).model_fields if key != "name")]


@pytest.mark.parametrize("name", SHIPPED)
def test_card_says_what_a_card_has_to(name: str) -> None:
    card = (CARDS / f"{name}.md").read_text()
    assert card.startswith(f"# {name}\n")
    assert [h for h in HEADINGS if f"**{h}.**" not in card] == []
    assert f"({name}.md)" in (CARDS / "README.md").read_text()
    if not name.startswith(("dataperf_speech", "dataperf_vision")):  # never at hand, and their cards say so
        assert digests(name)


@pytest.mark.parametrize(
    ("name", "params", "digest"),
    [
        pytest.param(*row, id=f"{row[0]}-{row[1]}", marks=[pytest.mark.slow] if row[1].get("features") else [])
        for row in STATED
    ],
)
def test_stated_digest(name: str, params: dict[str, Any], digest: str, real: Callable[..., Dataset]) -> None:
    data = real(name, **params) if settings_class(name).files() else load_dataset(name, **params)
    assert data.digest() == digest
