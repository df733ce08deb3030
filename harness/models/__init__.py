"""The fixed models: one factory, settings validated without loading torch, a version for fingerprints.

``load_model("logistic", C=1.0)`` gives an object that fulfils :class:`harness.api.Model`, ``load_model("ngram_lm")`` one
that fulfils :class:`harness.api.LanguageModel`. Adding a model is one file beside this one (a subclass of
:class:`~harness.models.base.ModelSettings`, or of ``LanguageSettings`` in language.py), its line in ``_REGISTRY`` and
one ``conf/model/<name>.yaml``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, overload

from harness.errors import ProtocolError
from harness.models.base import FittedModels, FixedModel, ModelSettings
from harness.models.language import FittedLanguageModels, FixedLanguageModel
from harness.registry import Registry, settings_of

__all__ = [
    "FittedLanguageModels",
    "FittedModels",
    "FixedLanguageModel",
    "FixedModel",
    "ModelSettings",
    "load_model",
    "model_names",
    "model_settings",
    "model_version",
    "settings_class",
]

_REGISTRY: Registry[ModelSettings] = Registry(
    "fixed model",
    "harness.models",
    "harness.models.base:ModelSettings",
    {
        "cnn": "harness.models.nets:CnnSettings",
        "knn": "harness.models.knn:KnnSettings",
        "logistic": "harness.models.logistic:LogisticSettings",
        "logistic_sgd": "harness.models.nets:LogisticSgdSettings",
        "mlp": "harness.models.nets:MlpSettings",
        "ngram_lm": "harness.models.ngram_lm:NgramLmSettings",
        "svc_logistic_vote": "harness.models.vote:VoteSettings",
        "transformer_lm": "harness.models.transformer_lm:TransformerLmSettings",
    },
)


def model_names() -> list[str]:
    """Names of all fixed models, as ``model.name`` in a challenge may give them."""
    return _REGISTRY.names()


def settings_class(name: str, root: Path | None = None) -> type[ModelSettings]:
    """The class of a fixed model's settings, ``root`` being where an organiser's modules are.

    Raises ProtocolError for an unknown name.
    """
    return _REGISTRY.get(name, root)


def model_settings(name: str, **params: Any) -> ModelSettings:
    """Validated, frozen settings of a fixed model; imports neither torch nor scikit-learn.

    Raises ProtocolError naming every unknown key and impossible value at once.
    """
    return settings_of(_REGISTRY.what, settings_class(name), name, params)


def model_version(name: str) -> int:
    """Version of a fixed model's training procedure, raised whenever an answer could change; in the fingerprint."""
    return settings_class(name).version


@overload
def load_model(
    name: Literal["ngram_lm", "transformer_lm"], *, device: str = "auto", n_classes: int | None = None, **params: Any
) -> FixedLanguageModel: ...


@overload
def load_model(name: str, *, device: str = "auto", n_classes: int | None = None, **params: Any) -> FixedModel: ...


def load_model(name: str, *, device: str = "auto", n_classes: int | None = None, **params: Any) -> Any:
    """The fixed model ``name``, unfitted: a classifier, or a language model (``ngram_lm``, ``transformer_lm``).

    Parameters
    ----------
    name: one of :func:`model_names`.
    device: ``"auto"`` (CUDA where there is one), ``"cpu"`` or ``"cuda"``.
    n_classes: C, number of classes; None infers the largest label + 1 at every call of fit.
        Language models have no classes and ignore it.
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
