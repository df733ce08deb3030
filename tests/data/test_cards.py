"""Every data set has a config that composes, a specification, the card made from it; stated digests are those of the data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from harness.data import OWN, dataset_names, dataset_settings, load_dataset, settings_class
from harness.data.base import Dataset
from harness.data.card import card
from harness.paths import CONF_DIR
from harness.protocol import specifications

CARDS = CONF_DIR.parent / "docs" / "datasets"
HEADINGS = ("Source", "Licence", "Privacy", "Labels", "Splits", "Known faults")
SHIPPED = [name for name in dataset_names() if name not in OWN]
STATED = [(name, dict(one.parameters), one.sha256) for name in SHIPPED for one in specifications.load(name).digests]


def test_configs_specifications_cards_and_loaders_are_the_same_names() -> None:
    assert sorted(p.stem for p in (CONF_DIR / "dataset").glob("*.yaml")) == dataset_names()
    assert sorted(p.stem for p in (CONF_DIR / "spec").glob("*")) == SHIPPED
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
def test_a_specification_is_finished_and_the_card_is_made_from_it(name: str) -> None:
    spec = specifications.load(name)
    assert spec.unfinished() == []
    text = (CARDS / f"{name}.md").read_text()
    assert text == card(spec)  # `harness dataset card NAME` prints it
    assert text.startswith(f"# {name}\n")
    assert [h for h in HEADINGS if f"**{h}.**" not in text] == []
    assert f"({name}.md)" in (CARDS / "README.md").read_text()
    if not name.startswith(("dataperf_speech", "dataperf_vision")):  # never at hand, and their cards say so
        assert spec.digests


@pytest.mark.parametrize("name", ["digits", "breast_cancer", "wine"])
def test_a_specification_names_the_classes_that_the_data_have(name: str) -> None:
    assert tuple(specifications.load(name).label.classes) == load_dataset(name).class_names


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
