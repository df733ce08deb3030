"""Documents of four made-up domains, so that protocols of language models are tested where no data set is at hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.api import Texts
from harness.data.base import Dataset
from harness.models import load_model
from harness.tracks import track_class
from harness.tracks.base import Track

DOMAINS = ("north", "south", "east", "west")


def documents(per_domain: int = 60, words: int = 60, seed: int = 0) -> Dataset:
    """Documents whose words come from a vocabulary of their domain and one of all domains."""
    rng = np.random.default_rng(seed)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    vocabulary = [["".join(rng.choice(letters, rng.integers(3, 9))) for _ in range(150)] for _ in (*DOMAINS, "all")]
    texts, y = [], np.repeat(np.arange(len(DOMAINS)), per_domain)
    for domain in y:
        own = rng.random(words) < 0.7
        texts.append(" ".join(vocabulary[domain if mine else -1][rng.integers(150)] for mine in own))
    return Dataset("made", np.zeros((len(y), 1), np.float32), y, DOMAINS, texts=Texts.of(texts))


def bound(protocol: str, data: Dataset | None = None, secret: str = "s", **settings: Any) -> Track[Any, Any]:
    """The protocol on such documents with byte trigrams."""
    cls = track_class(protocol)
    model: Any = load_model("ngram_lm", order=3)
    chosen = cls.settings_class.model_validate({"name": protocol, **settings})
    return cls(chosen, data or documents(), model, secret)
