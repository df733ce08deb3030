"""Byte n-grams against a dictionary of contexts, and what must not change an answer."""

from __future__ import annotations

import numpy as np
import pytest

from harness.api import Texts
from harness.models import grams, load_model, ngram_lm
from harness.models.grams import Grams
from harness.models.language import SYMBOLS
from harness.models.ngram_lm import FittedNgrams, _probabilities, _seen
from tests.models.plain_lm import PlainNgrams

WORDS = ["the film", " was ", "", "a very long and very dull one\n", "été ", "\x00\x00\x00", "the the the"]


def sentences(n: int, seed: int) -> list[str]:
    """Of a few words, so that contexts come back; some are empty."""
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(WORDS, rng.integers(0, 6))) for _ in range(n)]


def raw(texts: Texts) -> list[bytes]:
    return [texts.encoded(i) for i in range(len(texts))]


@pytest.mark.parametrize("order", [1, 2, 3, 6, 7])
@pytest.mark.parametrize("weights", [None, "whole", "real"])
def test_equals_a_dictionary_of_contexts(order: int, weights: str | None) -> None:
    noise = Texts(np.random.default_rng(2).integers(0, 256, 900, np.uint8), np.array([0, 300, 300, 900]))
    trained, scored = Texts.of(sentences(40, 0)), Texts.of(sentences(15, 1))
    trained = Texts(
        np.concatenate([trained.data, noise.data]),
        np.concatenate([trained.offsets, trained.offsets[-1] + noise.offsets[1:]]),
    )
    rng = np.random.default_rng(3)
    w = {"whole": rng.integers(0, 4, len(trained)).astype(float), "real": rng.random(len(trained)) * 3}.get(
        weights or ""
    )
    plain = PlainNgrams(raw(trained), None if w is None else w.tolist(), order)
    fitted = load_model("ngram_lm", order=order).fit(trained, w)
    for documents in (scored, trained, noise):
        expected = [plain.bits(document) for document in raw(documents)]
        np.testing.assert_allclose(fitted.bits(documents), expected, rtol=1e-12, atol=1e-9)


def test_probabilities_add_up_to_one_after_every_context() -> None:
    trained = Grams.of(Texts.of(sentences(60, 0)), 6)
    counts = np.zeros(len(trained.levels[-1].keys))
    trained.add(counts, np.ones(60))
    text = [256, 256, *"a very the film été ünseen".encode()]
    for end in range(5, len(text)):
        context = sum(symbol << (9 * back) for back, symbol in enumerate(text[end - 5 : end][::-1], start=1))
        levels = grams._levels(context | np.arange(SYMBOLS), 6)
        P = _probabilities(trained.levels, counts, _seen(trained.levels, levels))
        assert P.sum() == pytest.approx(1, abs=1e-12)
        assert P.min() > 0


def test_many_models_are_what_each_is_alone_to_the_last_bit() -> None:
    trained, scored = Texts.of(sentences(50, 0)), Texts.of(sentences(20, 1))
    rng = np.random.default_rng(0)
    subsets = [np.flatnonzero(rng.random(50) < share) for share in (0.5, 0.5, 0.9, 0.1)]
    subsets += [np.delete(np.arange(50), i) for i in range(3)] + [rng.integers(0, 50, 50)]
    model = load_model("ngram_lm")
    together = model.fit_many(trained, subsets=subsets)
    assert (together.size, together.fits, model.fits) == (8, 8, 8)
    for bits, rows in zip(together.bits(scored), subsets, strict=True):
        np.testing.assert_array_equal(bits, model.fit(trained[rows]).bits(scored))
        np.testing.assert_array_equal(
            bits, model.fit(trained, np.bincount(rows, minlength=50).astype(float)).bits(scored)
        )
    reals = rng.random((3, 50))
    for bits, weights in zip(model.fit_many(trained, weights=reals).bits(scored), reals, strict=True):
        np.testing.assert_allclose(bits, model.fit(trained, weights).bits(scored), rtol=1e-12)
    per_byte = together.bits_per_byte(scored)
    np.testing.assert_allclose(per_byte, together.bits(scored).sum(axis=1) / len(scored.data))
    assert model.fit(trained).bits_per_byte(scored) == model.fit_many(trained).bits_per_byte(scored)[0]


def test_counts_are_changed_only_where_that_is_exact_and_less(monkeypatch: pytest.MonkeyPatch) -> None:
    trained, add, added = Texts.of(sentences(30, 0)), Grams.add, list[int]()

    def watched(self: Grams, counts: np.ndarray, weights: np.ndarray) -> None:
        added.append(int(np.count_nonzero(weights)))
        add(self, counts, weights)

    monkeypatch.setattr(Grams, "add", watched)
    model = load_model("ngram_lm")
    model.fit_many(trained, subsets=[np.arange(30), np.arange(28), np.arange(2, 30), np.arange(3)]).bits(trained)
    assert added == [30, 2, 4, 3]
    added.clear()
    model.fit_many(trained, weights=np.array([[0.1] * 30, [0.1] * 29 + [0.2]])).bits(trained)
    assert added == [30, 30]


def test_order_copies_and_company_change_no_bit() -> None:
    trained, scored = Texts.of(sentences(50, 0)), Texts.of(sentences(20, 1))
    model = load_model("ngram_lm")
    bits = model.fit(trained).bits(scored)
    shuffled = np.random.default_rng(0).permutation(50)
    np.testing.assert_array_equal(model.fit(trained[shuffled]).bits(scored), bits)
    np.testing.assert_array_equal(model.fit(trained).bits(scored[7:9]), bits[7:9])
    twice = np.concatenate([np.arange(50), [3, 3, 8]])
    weights = np.bincount(twice).astype(float)
    np.testing.assert_array_equal(model.fit(trained[twice]).bits(scored), model.fit(trained, weights).bits(scored))
    assert (model.fit(trained, weights).bits(scored) != bits).any()


@pytest.mark.parametrize("piece", [1, 7, 100])
def test_pieces_of_any_size_count_the_same(piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    trained, scored = Texts.of([*sentences(12, 0), "x" * 40]), Texts.of(sentences(9, 1))
    subsets = [np.arange(5), np.array([12, 12]), np.arange(13)]
    usual = load_model("ngram_lm").fit_many(trained, subsets=subsets).bits(scored)
    alone = load_model("ngram_lm").fit(trained).bits(scored)
    monkeypatch.setattr(grams, "PIECE", piece)
    monkeypatch.setattr(ngram_lm, "SCORED_AT_ONCE", piece)
    fitted = load_model("ngram_lm").fit_many(trained, subsets=subsets)
    np.testing.assert_allclose(fitted.bits(scored), usual, rtol=1e-12)
    np.testing.assert_allclose(load_model("ngram_lm").fit(trained).bits(scored), alone, rtol=1e-12)


def test_what_an_empty_document_costs_and_a_model_of_none_says() -> None:
    trained = Texts.of(["", "ab", ""])
    fitted = load_model("ngram_lm", order=2).fit_many(trained, subsets=[np.arange(3), np.empty(0, np.int64)])
    # after the boundary: 2 ends and an a, T = 2; of all symbols: 3 ends, a, b, T = 3
    end = (2 + 2 * (3 + 3 / 257) / 8) / 5
    np.testing.assert_allclose(fitted.bits(Texts.of([""]))[0], -np.log2(end))
    np.testing.assert_allclose(fitted.bits(Texts.of(["", "xyz"]))[1], np.log2(257) * np.array([1, 4]))
    assert fitted.bits(Texts.of([])).shape == (2, 0)


def test_all_bytes_and_only_the_end() -> None:
    every = Texts(np.arange(256, dtype=np.uint8), np.array([0, 256]))
    assert np.isfinite(load_model("ngram_lm", order=7).fit(every).bits(every)).all()
    assert load_model("ngram_lm").fit(Texts.of([""] * 1000)).bits(Texts.of([""]))[0] < 0.01


def test_a_model_of_one_fit_keeps_no_row_per_document() -> None:
    fitted = load_model("ngram_lm").fit(Texts.of(sentences(50, 0)))
    assert isinstance(fitted, FittedNgrams)
    assert [piece.counts.shape[0] for piece in fitted.grams.pieces] == [1]


def test_longer_contexts_say_more_of_real_text(films: Texts) -> None:
    per_byte = [load_model("ngram_lm", order=k).fit(films[:50]).bits_per_byte(films[50:]) for k in (1, 2, 3, 4, 6)]
    assert per_byte == sorted(per_byte, reverse=True)
    assert 4.2 < per_byte[0] < 4.5  # entropy of English letters and blanks
    assert 2.2 < per_byte[-1] < 2.7
