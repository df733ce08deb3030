"""The leak gate: every planted copy is caught, exact or near, in any dress; no honest document is taken for one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from harness.api import Texts
from harness.data import load_dataset
from harness.errors import ProtocolError
from harness.models import load_model
from harness.protocol.compose import load_challenge
from harness.tracks.leaks import CHARACTERS, WORDS, LeakGate, unrepeated, words

Folder = Callable[[str], Path]
RNG = np.random.default_rng(0)
VOCABULARY = [f"w{i}" for i in range(2000)]


def made(length: int, rng: np.random.Generator) -> list[str]:
    return [VOCABULARY[i] for i in rng.integers(len(VOCABULARY), size=length)]


def replaced(text: str, share: float, rng: np.random.Generator) -> str:
    """A text with a share of its words, exactly, each in a place of its own, replaced by other ones."""
    tokens = text.split()
    for i in rng.permutation(len(tokens))[: round(share * len(tokens))]:
        tokens[i] = VOCABULARY[rng.integers(len(VOCABULARY))]
    return " ".join(tokens)


DRESSES: dict[str, Callable[[str], str]] = {
    "exact": lambda text: text,
    "upper": str.upper,
    "spaces": lambda text: "  \n\t ".join(text.split()),
    "no spaces": lambda text: "".join(text.split()),
    "punctuation": lambda text: "... ".join(text.split()),
    "hyphens": lambda text: "-".join(text),
    "accents": lambda text: text.replace("e", "é").replace("a", "à"),
    "wide letters": lambda text: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text),
    "among other words": lambda text: " ".join(made(500, RNG)) + " " + text + " " + " ".join(made(500, RNG)),
    "half of it": lambda text: text[len(text) // 2 :],
    "upside down": lambda text: "\n".join(reversed(text.split("\n"))),
}


@pytest.mark.parametrize("dress", DRESSES)
def test_every_copy_of_a_real_document_is_caught(real_folder: Folder, dress: str) -> None:
    real_folder("nltk_text")
    data = load_dataset("nltk_documents")
    assert data.texts is not None
    hidden = data.texts[np.random.default_rng(1).permutation(len(data.y))[:400]]
    copies = [DRESSES[dress](text) for text in hidden]
    assert LeakGate(hidden).leaks(copies).tolist() == list(range(400))


@pytest.mark.parametrize("share", [0.02, 0.1, 0.2])
def test_every_near_copy_up_to_a_fifth_of_the_words_is_caught(real_folder: Folder, share: float) -> None:
    real_folder("nltk_text")
    data = load_dataset("nltk_documents")
    assert data.texts is not None
    rng = np.random.default_rng(2)
    hidden = data.texts[rng.permutation(len(data.y))[:400]]
    assert len(LeakGate(hidden).leaks([replaced(text, share, rng) for text in hidden])) == 400


def test_none_of_a_thousand_honest_sets_is_refused(real_folder: Folder) -> None:
    """Sets of six documents from a gated pool: as they are, shortened, joined, and made by a chain of its words."""
    real_folder("nltk_text")
    data = load_dataset("nltk_documents")
    assert data.texts is not None
    rng = np.random.default_rng(3)
    order = rng.permutation(len(data.y))
    gate = LeakGate(data.texts[order[:300]])
    pool = order[300:3300]
    pool = np.delete(pool, gate.leaks(data.texts[pool]))
    assert len(pool) > 2900
    documents = list(data.texts[pool])
    following: dict[str, list[str]] = {}
    tokens = " ".join(documents[:300]).split()
    for a, b in pairwise(tokens):
        following.setdefault(a, []).append(b)
    refused = 0
    for _ in range(1000):
        a, b, c, d = rng.integers(len(documents), size=4)
        chain = ["the"]
        while len(chain) < 200:
            after = following.get(chain[-1], ["the"])
            chain.append(after[rng.integers(len(after))])
        chosen = [documents[a], documents[b][:300], documents[c] + "\n" + documents[d], " ".join(chain)]
        chosen += [documents[i] for i in rng.integers(len(documents), size=2)]
        refused += bool(len(gate.leaks(chosen)))
    assert refused == 0


def test_against_comparing_all_pairs_by_sets_of_strings() -> None:
    rng = np.random.default_rng(4)
    hidden = [" ".join(made(n, rng)) for n in (3, 12, 13, 40, 200)]
    documents = [*(replaced(text, share, rng) for text in hidden for share in (0, 0.1, 0.3, 0.5, 0.8)), "", "w1 w2"]

    def runs(items: str | list[str], k: int) -> set[tuple[str, ...]]:
        return {tuple(items[i : i + k]) for i in range(len(items) - k + 1)}

    def leaks(document: str) -> bool:
        for other in hidden:
            a, b = words(document), words(other)
            if "".join(a) == "".join(b) or runs(a, WORDS) & runs(b, WORDS):
                return True
            short, long = runs("".join(a), CHARACTERS), runs("".join(b), CHARACTERS)
            if len(short & long) > 8 + min(max(len("".join(a)) - CHARACTERS + 1, 600), len(long)) / 4:
                return True
        return False

    assert LeakGate(Texts.of(hidden)).leaks(documents).tolist() == [i for i, d in enumerate(documents) if leaks(d)]


@pytest.mark.parametrize("challenge", ["selection_digits", "selection_active_digits"])
def test_selection_is_tested_on_no_sentence_that_its_pool_repeats(challenge: str) -> None:
    """Every tenth document is planted three times more, in capitals, with a word more, and with words replaced."""
    rng = np.random.default_rng(6)
    digits = load_dataset("digits")
    documents = [" ".join(made(25, rng)) for _ in digits.y]
    source = np.arange(len(documents))
    for i in range(0, len(documents) - 3, 10):
        documents[i + 1 : i + 4] = [documents[i].upper(), f"and {documents[i]}", replaced(documents[i], 0.1, rng)]
        source[i + 1 : i + 4] = i
    data = replace(digits, name="written", texts=Texts.of(documents))
    bound = load_challenge(challenge, ["track.pool=600"])
    model = load_model(device="cpu", n_classes=data.n_classes, **bound.model.model_dump())
    view, key = bound.track_type(bound.track, data, model, bound.secret).prepare(0)
    place = {document: i for i, document in enumerate(documents)}
    pool = np.array([place[text] for text in view.texts["texts"]])
    rest = np.setdiff1d(np.arange(len(documents)), pool)
    clean = rest[~np.isin(source[rest], source[pool])]
    assert len(clean) < len(rest) - 100
    expected = np.unique(data.X[clean], axis=0)
    assert len(key.y_test) == len(clean)
    assert np.array_equal(np.unique(key.X_test, axis=0), expected)


def test_texts_that_have_boilerplate_in_common_are_refused_with_the_mending() -> None:
    footer = " ".join(VOCABULARY[:20])
    data = replace(load_dataset("digits"), texts=Texts.of([f"{i} {footer}" for i in range(1797)]))
    with pytest.raises(ProtocolError, match=r"797 of 797 hidden documents of digits repeat one .* footers") as refused:
        unrepeated(data, np.arange(1000, 1797), np.arange(1000))
    assert "dataset.group" in str(refused.value)
    assert unrepeated(load_dataset("digits"), np.arange(5), np.arange(5, 9)).tolist() == [0, 1, 2, 3, 4]


def test_awkward_documents() -> None:
    broken = Texts(np.frombuffer(b"\xff\xfe\x80" * 40, np.uint8), np.array([0, 0, 60, 120]))  # empty, and no UTF-8
    gate = LeakGate(broken)
    assert gate.leaks(Texts.of(["", "  ", "!?", "words of a kind"])).tolist() == []
    assert LeakGate(Texts.of([])).leaks(broken).tolist() == []
    long = np.random.default_rng(5).choice(np.frombuffer(b"abcdefghij", np.uint8), 5_000_000).tobytes().decode()
    assert LeakGate(Texts.of([long])).leaks(["y" * 5_000_000, long[1_000_000:1_001_000]]).tolist() == [1]
