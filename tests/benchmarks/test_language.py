"""Speed of the language models, for pytest-benchmark; what they are compared with is in ``scripts/bench --only language``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.api import Texts
from harness.models import load_model


@pytest.fixture(scope="module")
def words() -> Texts:
    """Three hundred documents of random words, 1 MB."""
    rng = np.random.default_rng(0)
    letters = rng.integers(97, 123, 40_000, np.uint8)
    ends = np.sort(rng.choice(40_000, 8_000, replace=False))
    vocabulary = np.array([part.tobytes().decode() for part in np.split(letters, ends) if len(part)])
    share = 1 / np.arange(1, len(vocabulary) + 1)
    return Texts.of(" ".join(rng.choice(vocabulary, 560, p=share / share.sum())) for _ in range(300))


def test_ngrams_of_a_megabyte(benchmark: Any, words: Texts) -> None:
    per_byte = benchmark(lambda: load_model("ngram_lm").fit(words).bits_per_byte(words[:100]))
    assert 0 < per_byte < 3


def test_ngrams_of_64_halves(benchmark: Any, words: Texts) -> None:
    rng = np.random.default_rng(0)
    subsets = [np.flatnonzero(rng.random(300) < 0.5) for _ in range(64)]
    found = benchmark(lambda: load_model("ngram_lm").fit_many(words, subsets=subsets).bits_per_byte(words[:100]))
    assert found.shape == (64,)


def test_transformer_16384_tokens(benchmark: Any, words: Texts) -> None:
    fitted = benchmark(lambda: load_model("transformer_lm", device="cpu", tokens=16_384).fit(words))
    assert fitted.fits == 1


@pytest.mark.gpu
def test_ten_million_parameters_on_cuda(benchmark: Any, words: Texts) -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    large: dict[str, Any] = {"layers": 6, "width": 384, "heads": 6, "context": 512, "batch_size": 64, "tokens": 655_360}
    fitted = benchmark(lambda: load_model("transformer_lm", device="cuda", **large).fit(words))
    assert fitted.fits == 1
