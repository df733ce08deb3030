"""Dirt planted among documents: copies, near copies, garbled text, boilerplate; what crawls of the web are cleaned of.

The kinds are those that published pipelines filter: Raffel et al. (C4, JMLR 2020), Rae et al. (Gopher, 2021), Lee et al.
(*Deduplicating training data makes language models better*, ACL 2022).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from harness.api import IntArray

CLEAN, EXACT, NEAR, GARBLED, BOILERPLATE, FOREIGN = range(6)
KINDS = ("clean", "exact", "near", "garbled", "boilerplate", "foreign")


class DirtRates(BaseModel):
    """How many documents of each kind are planted, as a share of the clean ones; ``edits``: share of a near copy's words."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    exact: float = Field(0.4, ge=0, le=5)
    near: float = Field(0.8, ge=0, le=5)
    garbled: float = Field(0.2, ge=0, le=5)
    boilerplate: float = Field(0.1, ge=0, le=5)
    foreign: float = Field(0.1, ge=0, le=5)
    edits: float = Field(0.05, ge=0, le=0.5)


def planted(
    clean: Sequence[str], foreign: Sequence[str], rates: DirtRates, rng: np.random.Generator
) -> tuple[list[str], IntArray, IntArray]:
    """Clean documents [c] and dirt in random order: the documents [n], kind [n], and origin [n].

    ``origin`` is the clean document that one is or was copied from, -1 where there is none. ``foreign`` documents are
    taken one after the other; fewer than the rate asks for are all taken.
    """
    documents, kind, origin = list(clean), [CLEAN] * len(clean), list(range(len(clean)))

    def count(rate: float) -> int:
        return round(rate * len(clean))

    for i in rng.integers(len(clean), size=count(rates.exact)):
        documents.append(clean[i])
        kind.append(EXACT)
        origin.append(int(i))
    words = [word for text in clean for word in text.split()]
    for i in rng.integers(len(clean), size=count(rates.near)):
        documents.append(near_copy(clean[i], words, rates.edits, rng))
        kind.append(NEAR)
        origin.append(int(i))
    made = [(GARBLED, garbled(clean[i], rng)) for i in rng.integers(len(clean), size=count(rates.garbled))]
    made += [
        (BOILERPLATE, boilerplate(len(clean[i]), rng)) for i in rng.integers(len(clean), size=count(rates.boilerplate))
    ]
    made += [(FOREIGN, text) for text in foreign[: count(rates.foreign)]]
    documents += [text for _, text in made]
    kind += [which for which, _ in made]
    origin += [-1] * len(made)
    order = rng.permutation(len(documents))
    return [documents[i] for i in order], np.array(kind, np.int64)[order], np.array(origin, np.int64)[order]


def near_copy(text: str, words: Sequence[str], edits: float, rng: np.random.Generator) -> str:
    """A copy with a share of its words replaced by others, dropped or written in capitals; it differs in one at least."""
    tokens = text.split(" ")
    places = rng.permutation(len(tokens))[: max(1, round(edits * len(tokens)))]
    for place, manner in zip(places, rng.integers(3, size=len(places)), strict=True):
        other = words[int(rng.integers(len(words)))]
        tokens[place] = (other, "", tokens[place].upper() + " " + other)[manner]
    return " ".join(token for token in tokens if token)


def garbled(text: str, rng: np.random.Generator) -> str:
    """A text spoilt in one of three ways: a third of its characters exchanged, letters shuffled, or bytes in hexadecimal."""
    manner = rng.integers(3)
    letters = np.array(list(text))
    if manner == 0:
        spoilt = rng.random(len(letters)) < 1 / 3
        letters[spoilt] = np.array(list(_NOISE))[rng.integers(len(_NOISE), size=int(spoilt.sum()))]
        return "".join(letters)
    if manner == 1:
        return "".join(rng.permutation(letters))
    numbers = rng.integers(256, size=len(text) // 3)
    return " ".join(f"{number:02x}" for number in numbers)


def boilerplate(length: int, rng: np.random.Generator) -> str:
    """Lines of menus, notices and forms, put together until there are ``length`` characters."""
    lines: list[str] = []
    name = _NAMES[rng.integers(len(_NAMES))]
    while sum(map(len, lines)) + len(lines) < length:
        line = _LINES[rng.integers(len(_LINES))]
        lines.append(line.format(name=name, number=rng.integers(1, 2000), year=rng.integers(1998, 2026)))
    return "\n".join(lines)


_NOISE = "#@%&*{}[]|\\~^_=+<>0123456789\u00ef\u00bf\u00bd\u00c3\u20ac"
_NAMES = ("Example Store", "Daily Example", "My Example Page", "Example Forum", "ExampleSoft")
_LINES = (
    "Home | About us | Products | Contact | Sitemap | Log in",
    "Copyright (c) {year} {name}. All rights reserved.",
    "We use cookies to improve your experience on {name}. By continuing to browse you agree to our cookie policy.",
    "Click here to subscribe to our newsletter and never miss an offer!",
    "Terms of use | Privacy policy | Accessibility | Careers at {name}",
    "Share this page: Facebook Twitter Pinterest LinkedIn Email",
    "Please enable JavaScript in your browser to view this page.",
    "Page {number} of {number} | Previous | Next | Back to top",
    "Your shopping cart is empty. Sign in to see saved items.",
    "{number} comments. Log in or register to post a comment.",
    "Sorry, the page you are looking for cannot be found. Error {number}.",
    "Sponsored links. Advertise with {name}. Download our free app today!",
)
