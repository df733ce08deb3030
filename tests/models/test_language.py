"""What both language models take and refuse, and where a challenge may name them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.api import Texts
from harness.errors import ProtocolError
from harness.models import FixedLanguageModel, load_model
from harness.models.base import counting_fits
from harness.protocol.compose import load_challenge

TEXTS = Texts.of(["one", "two two", ""])


@pytest.fixture(params=["ngram_lm", "transformer_lm"])
def model(request: pytest.FixtureRequest) -> FixedLanguageModel:
    small = {"layers": 1, "width": 8, "heads": 1, "context": 8, "tokens": 64, "batch_size": 2}
    made: FixedLanguageModel = load_model(request.param, device="cpu", **(small if "former" in request.param else {}))
    return made


@pytest.mark.parametrize(
    ("documents", "said"),
    [
        (["one"], "must be harness.api.Texts, got list"),
        (np.ones((2, 2)), "must be harness.api.Texts, got ndarray"),
        (Texts.of([]), "no documents to learn from"),
        (Texts(np.zeros(3, np.uint8), np.array([0, 2])), "boundaries of documents do not fit"),
        (Texts(np.zeros(3, np.uint8), np.array([0, 4, 3])), "boundaries of documents do not fit"),
        (Texts(np.zeros(3, np.int64), np.array([0, 3])), "boundaries of documents do not fit"),
    ],
)
def test_documents_that_are_none(model: FixedLanguageModel, documents: Any, said: str) -> None:
    for work in (model.fit, model.fit_many):
        with pytest.raises(ProtocolError, match=said):
            work(documents)
    if "learn" not in said:
        with pytest.raises(ProtocolError, match=said):
            model.fit(TEXTS).bits(documents)


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ({"subsets": [[0], [1, 3]]}, r"subsets\[1\] names document 3, but there are documents 0..2"),
        ({"subsets": [[-1]]}, r"subsets\[0\] names document -1"),
        ({"subsets": [[0.0]]}, r"subsets\[0\] must be a one-dimensional array of row indices.*float64"),
        ({"subsets": [[[0]]]}, r"got shape \[1, 1\]"),
        ({"subsets": 3}, "subsets must be a list of index arrays, got int"),
        ({"subsets": [[0]], "weights": [[1, 1, 1]]}, "weights or subsets, not both"),
        ({"weights": [1, 1, 1]}, r"weights must have shape \[B, n\] with n = 3"),
        ({"weights": [[1, 1]]}, r"got \[1, 2\]"),
        ({"weights": [[1, 1], [1]]}, "their rows differ in length"),
        ({"weights": [["a", "b", "c"]]}, "weights must be numbers"),
        ({"weights": [[1, 1, 1], [1, -1, 1]]}, "got -1 for model 1, document 1"),
        ({"weights": [[1, 1, float("nan")]]}, "got nan for model 0, document 2"),
        ({"weights": [[1, float("inf"), 1]]}, "got inf for model 0, document 1"),
    ],
)
def test_subsets_and_weights_that_are_wrong(model: FixedLanguageModel, named: dict[str, Any], said: str) -> None:
    with pytest.raises(ProtocolError, match=said):
        model.fit_many(TEXTS, **named)


def test_weights_of_one_model(model: FixedLanguageModel) -> None:
    with pytest.raises(ProtocolError, match=r"weights of fit must have shape \[n\], got \[1, 3\]"):
        model.fit(TEXTS, np.ones((1, 3)))


def test_shapes_fits_and_what_has_no_byte(model: FixedLanguageModel) -> None:
    with counting_fits() as count:
        fitted = model.fit(TEXTS)
        many = model.fit_many(TEXTS, subsets=[np.array([0]), np.array([1, 1, 2])])
    assert (count.fits, model.fits) == (3, 3)
    model.reset()
    assert model.fits == 0
    assert fitted.bits(TEXTS).shape == (3,)
    assert many.bits(TEXTS).shape == (2, 3)
    assert many.bits(TEXTS).dtype == np.float64
    assert isinstance(fitted.bits_per_byte(TEXTS), float)
    assert many.bits_per_byte(TEXTS).shape == (2,)
    assert many.bits(Texts.of([])).shape == (2, 0)
    assert (fitted.bits(TEXTS) > 0).all()
    assert model.fit_many(TEXTS, subsets=[]).bits(TEXTS).shape == (0, 3)
    with pytest.raises(ProtocolError, match="no byte in these documents"):
        fitted.bits_per_byte(Texts.of(["", ""]))


def test_nothing_to_learn_from_is_one_in_257(model: FixedLanguageModel) -> None:
    fitted = model.fit_many(TEXTS, weights=np.array([[0.0, 0, 0], [1, 0, 0]]))
    np.testing.assert_allclose(fitted.bits(TEXTS)[0], np.log2(257) * np.array([4, 8, 1]))
    assert model.fit(TEXTS, np.zeros(3)).bits_per_byte(Texts.of(["ab"])) == pytest.approx(1.5 * np.log2(257))


def test_only_empty_documents(model: FixedLanguageModel) -> None:
    bits = model.fit(Texts.of(["", ""])).bits(Texts.of(["", "a"]))
    assert bits[0] < np.log2(257) < bits[1]


def test_read_only_documents_are_left_as_they_are(model: FixedLanguageModel) -> None:
    texts = Texts.of(["one", "two two", ""])
    texts.data.setflags(write=False)
    texts.offsets.setflags(write=False)
    fitted = model.fit_many(texts, subsets=[np.array([0, 1]), np.array([1])])
    np.testing.assert_array_equal(fitted.bits(texts), fitted.bits(TEXTS))


def test_a_protocol_of_rows_refuses_a_model_of_documents() -> None:
    with pytest.raises(ProtocolError, match=r"ngram_lm learns from documents alone, and the protocol debugging trains"):
        load_challenge("debugging_digits", overrides=["model=ngram_lm"])
    with pytest.raises(ProtocolError, match="the model 'transformer_lm' learns from documents"):
        load_challenge("test_set_digits", overrides=["track.hidden_models=[fixed,transformer_lm]"])
