"""Models trained by the harness on rows of their own: the public ones a view shows, the hidden ones of its key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import AfterValidator

from harness.api import FloatArray, IntArray, Model
from harness.data.base import Dataset
from harness.models import load_model, model_names, settings_class

FIXED = "fixed"  # in a list of models: the challenge's own


def _known(name: str) -> str:
    if name != FIXED and name not in model_names():
        raise ValueError(f"there is no fixed model named {name!r}; known: {FIXED}, {', '.join(model_names())}")
    if name != FIXED and settings_class(name).learns != "rows":
        raise ValueError(f"the model {name!r} learns from documents; one that learns from rows is wanted")
    return name


ModelName = Annotated[str, AfterValidator(_known)]


def probabilities(
    names: Sequence[str], fixed: Model, dataset: Dataset, trained_on: Sequence[IntArray], X: FloatArray
) -> FloatArray:
    """Probabilities [m, n, C] on X [n, ...] of m models, model i trained on the rows ``trained_on[i]``.

    Models of one name are trained in one call. ``fixed`` stands for the challenge's model, other names for the models
    of the harness with their default settings.
    """
    out = np.empty((len(names), len(X), dataset.n_classes), np.float32)
    for name in dict.fromkeys(names):
        which = [i for i, other in enumerate(names) if other == name]
        rows = np.concatenate([trained_on[i] for i in which])  # only these: the rest of the data may be large
        ends = np.cumsum([len(trained_on[i]) for i in which])
        subsets = [np.arange(end - len(trained_on[i]), end) for i, end in zip(which, ends, strict=True)]
        model = fixed if name == FIXED else load_model(name, n_classes=dataset.n_classes)
        out[which] = model.fit_many(dataset.X[rows], dataset.y[rows], subsets=subsets).predict_proba(X)
    return out
