"""The fixed models: one factory, settings validated without loading torch, a version for fingerprints.

``load_model("logistic", C=1.0)`` gives an object that fulfils :class:`harness.api.Model`. Adding a model is one
file beside this one (a :class:`~harness.models.base.ModelSettings` subclass), its line in ``_SETTINGS`` and one
``conf/model/<name>.yaml``.
"""

from __future__ import annotations

import difflib
from importlib import import_module
from typing import Any

from pydantic import ValidationError

from harness.errors import ProtocolError
from harness.models.base import FittedModels, FixedModel, ModelSettings

__all__ = [
    "FittedModels",
    "FixedModel",
    "ModelSettings",
    "load_model",
    "model_names",
    "model_settings",
    "model_version",
]

_SETTINGS = {
    "cnn": "harness.models.nets:CnnSettings",
    "knn": "harness.models.knn:KnnSettings",
    "logistic": "harness.models.logistic:LogisticSettings",
    "logistic_sgd": "harness.models.nets:LogisticSgdSettings",
    "mlp": "harness.models.nets:MlpSettings",
    "svc_logistic_vote": "harness.models.vote:VoteSettings",
}


def model_names() -> list[str]:
    """Names of all fixed models, as ``model.name`` in a challenge may give them."""
    return sorted(_SETTINGS)


def _settings_class(name: str) -> type[ModelSettings]:
    if name not in _SETTINGS:
        near = difflib.get_close_matches(str(name), _SETTINGS, n=1)
        raise ProtocolError(
            f"There is no fixed model named {name!r}.",
            (f"Did you mean {near[0]!r}? " if near else "") + f"Known: {', '.join(model_names())}.",
        )
    module, _, attribute = _SETTINGS[name].partition(":")
    cls: type[ModelSettings] = getattr(import_module(module), attribute)
    return cls


def model_settings(name: str, **params: Any) -> ModelSettings:
    """Validated, frozen settings of a fixed model; imports neither torch nor scikit-learn.

    Raises ProtocolError naming every unknown key and impossible value at once.
    """
    cls = _settings_class(name)
    try:
        return cls(name=name, **params)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'model'}: {e['msg']} (got {e['input']!r})" for e in error.errors()
        )
        known = ", ".join(k for k in cls.model_fields if k != "name")
        raise ProtocolError(
            f"The settings of fixed model {name!r} are wrong: {problems}.", f"It takes: {known}."
        ) from None


def model_version(name: str) -> int:
    """Version of a fixed model's training procedure, raised whenever an answer could change; in the fingerprint."""
    return _settings_class(name).version


def load_model(name: str, *, device: str = "auto", n_classes: int | None = None, **params: Any) -> FixedModel:
    """The fixed model ``name``, unfitted.

    Parameters
    ----------
    name: one of :func:`model_names`.
    device: ``"auto"`` (CUDA where there is one), ``"cpu"`` or ``"cuda"``.
    n_classes: C, number of classes; None infers the largest label + 1 at every call of fit.
    params: the model's settings, e.g. ``C=1.0``.

    Raises
    ------
    ProtocolError: unknown name, device or setting, or an impossible value; all problems in one paragraph.
    """
    problems = []
    if device not in ("auto", "cpu", "cuda"):
        problems.append(f"device must be auto, cpu or cuda, got {device!r}")
    if n_classes is not None and (isinstance(n_classes, bool) or not isinstance(n_classes, int) or n_classes < 1):
        problems.append(f"n_classes must be a positive integer or None, got {n_classes!r}")
    try:
        settings = model_settings(name, **params)
    except ProtocolError as error:
        if not problems:
            raise
        raise ProtocolError(f"{error.reason} Also: {'; '.join(problems)}.", error.hint) from None
    if problems:
        raise ProtocolError(f"load_model({name!r}) was called wrongly: {'; '.join(problems)}.")
    return settings.build(device=device, n_classes=n_classes)
