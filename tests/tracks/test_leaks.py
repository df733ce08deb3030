"""The leak gate: every planted copy is caught, exact or near, in any dress; no honest document is taken for one."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from harness.api import Texts
from harness.data import load_dataset
from harness.errors import Status, SubmissionError
from harness.tracks.leaks import CHARACTERS, WORDS, LeakGate, words

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
        try:
            gate.refuse(chosen, name="documents", say_which=True)
        except SubmissionError:
            refused += 1
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
            if len(short & long) > 8 + min(len("".join(a)) - CHARACTERS + 1, len(long)) / 4:
                return True
        return False

    assert LeakGate(Texts.of(hidden)).leaks(documents).tolist() == [i for i, d in enumerate(documents) if leaks(d)]


def test_a_document_is_named_only_where_that_gives_nothing_away() -> None:
    gate = LeakGate(Texts.of([" ".join(VOCABULARY[:50])]))
    documents = ["nothing of the kind", " ".join(VOCABULARY[:50]).upper()]
    with pytest.raises(SubmissionError, match=r"documents\[1\], first of 1, repeats a hidden document") as named:
        gate.refuse(documents, name="documents", say_which=True)
    with pytest.raises(SubmissionError, match="At least one document of documents") as unnamed:
        gate.refuse(documents, name="documents", say_which=False)
    assert named.value.status is unnamed.value.status is Status.CONTRACT_VIOLATION
    assert "[1]" not in str(unnamed.value)
    gate.refuse(documents[:1], name="documents", say_which=True)


def test_awkward_documents() -> None:
    broken = Texts(np.frombuffer(b"\xff\xfe\x80" * 40, np.uint8), np.array([0, 0, 60, 120]))  # empty, and no UTF-8
    gate = LeakGate(broken)
    assert gate.leaks(Texts.of(["", "  ", "!?", "words of a kind"])).tolist() == []
    assert LeakGate(Texts.of([])).leaks(broken).tolist() == []
    long = np.random.default_rng(5).choice(np.frombuffer(b"abcdefghij", np.uint8), 5_000_000).tobytes().decode()
    assert LeakGate(Texts.of([long])).leaks(["y" * 5_000_000, long[1_000_000:1_001_000]]).tolist() == [1]
