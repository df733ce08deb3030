"""Baselines that clean documents: MinHash against exact Jaccard, filters against planted dirt and real languages."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import api
from harness.data import load_dataset, text_dirt
from harness.models import load_model
from harness.paths import SUBMISSIONS_DIR
from harness.tracks import checks
from tests.tracks.helpers import baseline, run
from tests.tracks.languages import bound

NAMES = sorted(path.parent.name for path in (SUBMISSIONS_DIR / "cleaning_lm").glob("*/algorithm.py"))
ENGLISH = 10  # the first ten domains of nltk_documents


def part(name: str, function: str) -> Any:
    """A helper function inside a baseline's file."""
    return baseline("cleaning_lm", name).__globals__[function]


def task(texts: list[str], seed: int = 0) -> api.CleaningLmTask:
    model: Any = load_model("ngram_lm", order=3)
    rng = np.random.default_rng(seed)
    return api.CleaningLmTask(n_classes=2, rng=rng, model=model, texts=api.Texts.of(texts), budget=10_000)


def edited(words: list[str], share: float, rng: np.random.Generator) -> str:
    return " ".join(f"new{rng.integers(10**6)}" if rng.random() < share else word for word in words)


def shingles(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[i : i + 3]) for i in range(len(words) - 2)}


def jaccard(a: str, b: str) -> float:
    one, other = shingles(a), shingles(b)
    return len(one & other) / len(one | other)


def test_the_baselines_that_researchers_expect_are_there() -> None:
    assert set(NAMES) == {"random", "exact_dedup", "near_dedup", "garble_filter", "language_filter", "pipeline"}


def test_exact_dedup_keeps_one_of_each() -> None:
    texts = ["a", "b", "a", "c", "b", "a ", "a"]
    kept = np.asarray(baseline("cleaning_lm", "exact_dedup")(task(texts)))
    assert sorted(texts[i] for i in kept) == ["a", "a ", "b", "c"]


@pytest.mark.parametrize("name", ["near_dedup", "pipeline"])
def test_minhash_estimates_exact_jaccard(name: str) -> None:
    rng, errors = np.random.default_rng(0), []
    for share in np.repeat([0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 1.0], 6):
        words = [f"w{i}" for i in rng.integers(5000, size=250)]
        pair = [" ".join(words), edited(words, share, rng)]
        signature = part(name, "signatures")(pair)
        exact = jaccard(*pair)
        estimate = (signature[0] == signature[1]).mean()
        assert abs(estimate - exact) < 4.5 * np.sqrt(exact * (1 - exact) / 128) + 0.02
        errors.append(estimate - exact)
    assert abs(np.mean(errors)) < 0.02  # no bias


@pytest.mark.parametrize("name", ["near_dedup", "pipeline"])
def test_groups_are_the_pairs_that_exact_jaccard_finds(name: str) -> None:
    rng = np.random.default_rng(1)
    texts = []
    for _ in range(15):
        words = [f"w{i}" for i in rng.integers(5000, size=250)]
        texts += [" ".join(words), edited(words, 0.03, rng), edited(words, 0.5, rng)]
    group = part(name, "groups")(part(name, "signatures")(texts))
    for i, j in combinations(range(len(texts)), 2):
        alike = jaccard(texts[i], texts[j])
        assert alike < 0.3 or alike > 0.6  # none is in doubt
        assert (group[i] == group[j]) == (alike > 0.5)


def test_near_dedup_of_planted_copies_keeps_one_of_each_group(real_folder: Callable[[str], Path]) -> None:
    real_folder("nltk_text")
    data = load_dataset("nltk_documents")
    assert data.texts is not None
    rng = np.random.default_rng(2)
    clean = list(data.texts[rng.permutation(np.flatnonzero(data.y < 2))[:100]])
    rates = text_dirt.DirtRates(exact=0.5, near=1.0, garbled=0, boilerplate=0, foreign=0)
    texts, _, origin = text_dirt.planted(clean, [], rates, rng)
    kept = np.asarray(baseline("cleaning_lm", "near_dedup")(task(texts)))
    assert sorted(origin[kept]) == list(range(100))


def test_filters_on_real_text_and_planted_dirt(real_folder: Callable[[str], Path]) -> None:
    real_folder("nltk_text")
    data = load_dataset("nltk_documents")
    assert data.texts is not None
    readable, english = part("garble_filter", "readable"), part("language_filter", "english")
    rng = np.random.default_rng(3)
    for domain, name in enumerate(data.class_names):
        some = list(data.texts[rng.permutation(np.flatnonzero(data.y == domain))[:40]])
        if domain < ENGLISH:
            assert np.mean([readable(text) for text in some]) > 0.95, name
            if name not in ("pros", "cons"):  # no sentences
                assert np.mean([english(text) for text in some]) > 0.95, name
        elif name != "genesis_lolcat":
            assert np.mean([english(text) for text in some]) < 0.05, name
    clean = list(data.texts[rng.permutation(np.flatnonzero(data.y < 4))[:150]])
    spoilt = [text_dirt.garbled(text, rng) for text in clean]
    assert np.mean([readable(text) for text in spoilt]) < 0.35
    assert np.mean([readable(text) and english(text) for text in spoilt]) < 0.05


def test_the_pipeline_drops_boilerplate_by_its_repeated_lines() -> None:
    rng = np.random.default_rng(4)
    letters = str.maketrans("0123456789", "abcdefghij")
    prose = [" ".join(map(str, rng.integers(5000, size=100))).translate(letters) + f"\nline {k}" for k in range(20)]
    menus = [text_dirt.boilerplate(800, rng) for _ in range(10)]
    often = part("pipeline", "repeated_lines")([*prose, *menus])
    assert not any(often(text) for text in prose)
    assert np.mean([often(text) for text in menus]) > 0.5


@pytest.mark.parametrize("name", ["exact_dedup", "near_dedup"])
def test_dedup_leaves_no_copies_of_its_kind(name: str) -> None:
    track = bound("cleaning_lm", pool=60, test=8, budget=100_000, domains=("north", "south"), foreign=("west",))
    for seed in range(2):
        view, key = track.prepare(seed)
        score = track.score(run(track, view, key, baseline("cleaning_lm", name), seed), view, key, seed)
        assert score.metrics["share_exact"] == 0
        assert (score.metrics["share_near"] == 0) == (name == "near_dedup")
        assert score.metrics["originals_kept"] == 1


@pytest.mark.parametrize("name", NAMES)
def test_awkward_documents_get_a_valid_and_repeatable_answer(name: str) -> None:
    broken = api.Texts(np.frombuffer(b"\xff\xfeab\x80 c" * 9, np.uint8), np.arange(0, 64, 7))
    pools: list[Any] = [
        ["one document of some words"],
        ["the same words"] * 7,
        ["", " ", "words", "!!! ???", "\n"],
        ["a" * 100_000, "b c d", "\u4e2d\u6587 \u0645\u0631\u062d\u0628\u0627"],
        broken,
    ]
    for texts in pools:
        answers = []
        for _ in range(2):
            t = task(list(texts))
            if texts is broken:
                object.__setattr__(t, "texts", broken)
            answers.append(np.asarray(baseline("cleaning_lm", name)(t)))
        checked = checks.indices(answers[0], name="indices", n=len(texts), at_most=len(texts))
        assert np.array_equal(checked, answers[1])
