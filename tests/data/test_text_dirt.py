"""Planted dirt: as much as asked for, of the kind that it is called."""

from __future__ import annotations

import re

import numpy as np
import pytest
from pydantic import ValidationError

from harness.data.text_dirt import GARBLED, KINDS, DirtRates, boilerplate, garbled, near_copy, planted

TEXT = "It is with a heavy heart that I stand before you, my friends and colleagues, in the Congress. " * 10


def test_as_many_of_each_kind_as_the_rates_say_and_copies_name_their_origin() -> None:
    clean = [f"document {i} " + TEXT for i in range(40)]
    rates = DirtRates(exact=0.5, near=1.5, garbled=0.25, boilerplate=0.1, foreign=0.2)
    documents, kind, origin = planted(clean, ["eins", "zwei", "drei"], rates, np.random.default_rng(0))
    assert dict(zip(KINDS, np.bincount(kind).tolist(), strict=True)) == {
        "clean": 40, "exact": 20, "near": 60, "garbled": 10, "boilerplate": 4, "foreign": 3
    }  # fmt: skip
    assert all(documents[i] == clean[origin[i]] for i in np.flatnonzero(kind < 2))
    assert (origin[kind >= GARBLED] == -1).all()
    assert not np.array_equal(kind, np.sort(kind))


@pytest.mark.parametrize("edits", [0.0, 0.05, 0.3])
def test_a_near_copy_differs_in_that_share_of_its_words_and_in_one_at_least(edits: float) -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        copy = near_copy(TEXT, ["zebra"], edits, rng)
        tokens = TEXT.split()
        kept = sum(copy.split().count(word) >= 1 for word in tokens) / len(tokens)
        assert copy != TEXT
        assert len(copy.split()) <= len(tokens) + max(1, round(edits * len(tokens)))
        assert len(copy.split()) >= len(tokens) - max(1, round(edits * len(tokens)))
        assert kept > 0.9 or edits > 0.05


def test_garbled_text_has_lost_most_of_its_words() -> None:
    rng, words = np.random.default_rng(2), set(TEXT.split())
    shares = []
    for _ in range(60):
        tokens = garbled(TEXT, rng).split()
        shares.append(np.mean([token in words and len(token) > 3 for token in tokens]))
    assert max(shares) < 0.2


def test_boilerplate_is_as_long_as_asked_for_and_made_of_its_lines() -> None:
    rng = np.random.default_rng(3)
    for length in (1, 500, 3000):
        text = boilerplate(length, rng)
        assert length <= len(text) < length + 200
        assert not re.search(r"[{}]", text)


def test_rates_that_cannot_be() -> None:
    for rates in ({"exact": -0.1}, {"edits": 0.9}, {"copies": 1}):
        with pytest.raises(ValidationError):
            DirtRates.model_validate(rates)
