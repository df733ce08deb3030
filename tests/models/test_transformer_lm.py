"""The transformer against torch.nn written out, and what must and must not change an answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.api import Texts
from harness.errors import ProtocolError
from harness.models import load_model, transformer_lm
from harness.models.transformer_lm import TransformerLmSettings, cuts, initial_parameters, laid_out, logits, windows
from tests.models.conftest import CUDA
from tests.models.plain_lm import plain_bits, train_plain_gpt
from tests.models.test_ngram_lm import raw, sentences

SMALL: dict[str, Any] = {"layers": 2, "width": 16, "heads": 2, "context": 16, "tokens": 4096, "batch_size": 8}


def trained(**changes: Any) -> Any:
    return load_model("transformer_lm", **{"device": "cpu", **SMALL, **changes})


def test_equals_torchs_own_layers_trained_and_scored_a_window_at_a_time() -> None:
    documents, scored = (
        Texts.of(sentences(30, 0)),
        Texts.of([*sentences(10, 1), "x" * 16, "y" * 15, "z" * 28, "w" * 29]),
    )
    weights = np.random.default_rng(0).integers(0, 3, 30).astype(float)
    model = trained()
    bits = model.fit(documents, weights).bits(scored)
    net = train_plain_gpt(model.settings, documents, weights)
    expected = [plain_bits(net, model.settings, document) for document in raw(scored)]
    np.testing.assert_allclose(bits, expected, rtol=2e-3)


def test_the_same_bits_twice_alone_and_beside_others() -> None:
    documents, scored = Texts.of(sentences(30, 0)), Texts.of(sentences(10, 1))
    subsets = [np.arange(20), np.arange(10, 30), np.arange(20)]
    together = trained().fit_many(documents, subsets=subsets)
    assert together.fits == 2
    bits = together.bits(scored)
    np.testing.assert_array_equal(bits, trained().fit_many(documents, subsets=subsets).bits(scored))
    np.testing.assert_array_equal(bits[1], trained().fit(documents[np.arange(10, 30)]).bits(scored))
    np.testing.assert_array_equal(bits[0], bits[2])
    assert (bits[0] != bits[1]).all()
    assert (trained(seed=1).fit(documents[:20]).bits(scored) != bits[0]).all()


def test_order_copies_and_the_scale_of_weights_change_no_bit() -> None:
    documents, scored = Texts.of(sentences(30, 0)), Texts.of(sentences(10, 1))
    bits = trained().fit(documents).bits(scored)
    shuffled = np.random.default_rng(0).permutation(30)
    np.testing.assert_array_equal(trained().fit(documents[shuffled]).bits(scored), bits)
    np.testing.assert_array_equal(trained().fit(documents, np.full(30, 4.0)).bits(scored), bits)
    twice = np.concatenate([np.arange(30), [3, 3, 8]])
    weighted = trained().fit(documents, np.bincount(twice).astype(float)).bits(scored)
    np.testing.assert_array_equal(trained().fit(documents[twice]).bits(scored), weighted)
    assert (weighted != bits).any()


def test_requests_seen_before_are_not_trained_again() -> None:
    documents, model = Texts.of(sentences(12, 0)), trained(tokens=256)
    first = model.fit(documents[:6])
    again = model.fit_many(documents[:6], weights=np.ones((2, 6)))
    assert (first.fits, again.fits, model.fits) == (1, 0, 1)
    np.testing.assert_array_equal(again.bits(documents)[1], first.bits(documents))
    assert model.fit(documents[1:7]).fits == 1
    model.reset()
    assert model.fit(documents[:6]).fits == model.fits == 1


def test_later_symbols_do_not_change_what_is_said_before_them() -> None:
    import torch

    settings = TransformerLmSettings(**SMALL)
    p = {name: torch.from_numpy(value * 3) for name, value in initial_parameters(settings).items()}
    symbols = torch.from_numpy(np.random.default_rng(0).integers(0, 257, (1, 16)))
    scores = logits(symbols, p, settings)
    for t in range(15):
        other = symbols.clone()
        other[0, t + 1 :] = torch.arange(15 - t)
        torch.testing.assert_close(logits(other, p, settings)[0, : t + 1], scores[0, : t + 1], rtol=1e-5, atol=1e-6)
        assert (logits(other, p, settings)[0, t + 1] - scores[0, t + 1]).abs().max() > 1e-3


@pytest.mark.parametrize("context", [8, 16, 100])
def test_every_symbol_is_counted_once_from_a_quarter_of_the_context(context: int) -> None:
    lengths = np.concatenate([np.arange(70), [500]])
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    counted = [np.zeros(length + 1, int) for length in lengths]
    for document, first, end, counts_from in zip(*cuts(offsets, context), strict=True):
        assert 0 < end - first <= context
        assert counts_from == 0 if first == 0 else counts_from - first >= context // 4
        counted[document][counts_from:end] += 1
    assert all((times == 1).all() for times in counted)


def test_windows_are_spread_by_weight() -> None:
    lengths = np.array([40, 10, 100])
    begins = np.concatenate([[0], np.cumsum(lengths)])
    found = windows(np.array([1.0, 3.0, 0.5]), begins, 120, np.random.default_rng(0))
    assert np.bincount(np.searchsorted(begins, found, side="right") - 1).tolist() == [40, 30, 50]
    # of equal weights every stretch has its window
    even = windows(np.ones(3), begins, 75, np.random.default_rng(0))
    assert sorted(even // 2) == list(range(75))
    assert list(even) != sorted(even)


def test_documents_lie_by_weight_and_copies_are_one() -> None:
    documents = Texts.of(["bb", "a", "bb", "never", ""])
    stream, weights, begins = laid_out(documents, np.array([1.0, 3, 1.5, 0, 3]))
    assert weights.tolist() == [2.5, 3, 3]
    assert begins.tolist() in ([0, 3, 5, 6], [0, 3, 4, 6])
    assert sorted(stream.tolist()) == [97, 98, 98, 256, 256, 256]
    assert stream[:3].tolist() == [98, 98, 256]


@pytest.mark.parametrize("size", [1, 2000])
def test_as_many_tokens_whatever_the_documents(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []

    def counted(symbols: Any, *rest: Any) -> Any:
        read.append(symbols.shape)
        return logits(symbols, *rest)

    monkeypatch.setattr(transformer_lm, "logits", counted)
    trained(tokens=1000).fit(Texts.of(["ab"] * size if size == 1 else sentences(size, 0)))
    assert read == [(8, 16)] * 8  # 1,000 tokens, to the next whole update of 128


def test_learns_words_and_which_documents_it_was_shown() -> None:
    one, other = Texts.of(["tick tock " * 3] * 10), Texts.of(["hum drum " * 3] * 10)
    both = Texts.of([*map(str, one), *map(str, other)])
    fitted = trained(tokens=40_000, learning_rate=1e-2).fit_many(both, subsets=[np.arange(10), np.arange(10, 20)])
    of_one, of_other = fitted.bits_per_byte(one), fitted.bits_per_byte(other)
    assert of_one[0] < 0.3 < 3 < of_one[1]
    assert of_other[1] < 0.3 < 3 < of_other[0]


def test_says_more_than_single_bytes_of_real_text(films: Texts) -> None:
    changes = {"width": 32, "context": 32, "tokens": 200_000, "batch_size": 16, "learning_rate": 1e-2}
    per_byte = trained(**changes).fit(films[:50]).bits_per_byte(films[50:])
    unigram = load_model("ngram_lm", order=1).fit(films[:50]).bits_per_byte(films[50:])
    assert 2 < per_byte < unigram - 0.5


@pytest.mark.parametrize("device", ["cpu", CUDA])
def test_the_gpus_way_is_within_its_tolerance(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Products of bfloat16 inputs: on the CPU the same code."""
    documents, scored = Texts.of(sentences(60, 0)), Texts.of(sentences(20, 1))
    usual = trained().fit(documents).bits(scored)
    monkeypatch.setattr(transformer_lm, "mixed_precision", lambda backend: True)
    other = trained(device=device).fit(documents).bits(scored)
    assert 0 < abs(other - usual).sum() / usual.sum() < 0.02


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"width": 36, "heads": 4}, "width must be a multiple of twice the heads, got 36 and 4"),
        ({"context": 4, "tokens": 0}, "context: .*tokens: "),
        ({"learning_rate": 0}, "learning_rate: "),
    ],
)
def test_settings_that_are_wrong(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ProtocolError, match=said):
        load_model("transformer_lm", **settings)


def test_sizes_that_are_stated() -> None:
    def parameters(**settings: int) -> int:
        return sum(value.size for value in initial_parameters(TransformerLmSettings(**settings)).values())

    assert parameters() == 330_400
    assert parameters(layers=6, width=384, heads=6, context=512) == 10_720_512
