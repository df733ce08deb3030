"""The factory: every shipped config builds, every bad setting is named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import yaml

from harness.errors import ProtocolError
from harness.models import load_model, model_names, model_settings, model_version
from harness.paths import CONF_DIR


def test_every_model_ships_a_config_with_its_own_defaults() -> None:
    assert sorted(p.stem for p in (CONF_DIR / "model").glob("*.yaml")) == model_names()
    for name in model_names():
        settings = model_settings(**yaml.safe_load((CONF_DIR / "model" / f"{name}.yaml").read_text()))
        assert settings == model_settings(name)
        assert load_model(device="cpu", **settings.model_dump()).settings == settings
        assert model_version(name) >= 1


@pytest.mark.parametrize(
    ("name", "settings", "says"),
    [
        ("logistics", {}, "Did you mean logistic"),
        ("logistic", {"C": 0}, "C: .*greater than 0"),
        ("logistic", {"C": float("nan")}, "C: "),
        ("logistic", {"c": 1}, "c is not a known setting"),
        ("knn", {"k": 0}, "k: "),
        ("mlp", {"updates": 0, "hidden": -1}, "updates: .*hidden: |hidden: .*updates: "),
        ("cnn", {"learning_rate": "fast"}, "learning_rate: "),
        ("svc_logistic_vote", {"random_state": -1}, "random_state: "),
    ],
)
def test_bad_settings_are_all_named(name: str, settings: dict[str, object], says: str) -> None:
    with pytest.raises(ProtocolError, match=says):
        model_settings(name, **settings)


@pytest.mark.parametrize("arguments", [{"device": "tpu"}, {"n_classes": 0}, {"n_classes": True}, {"n_classes": 2.0}])
def test_bad_arguments_of_the_factory(arguments: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError, match=next(iter(arguments))):
        load_model("logistic", **arguments)


def test_cuda_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from harness.errors import HarnessError

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(HarnessError, match="no CUDA device"):
        load_model("logistic", device="cuda").fit(np.array([[0.0], [1.0]]), np.array([0, 1]))
