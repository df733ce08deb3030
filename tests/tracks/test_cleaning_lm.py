"""Cleaning for language models: what is planted, what counts as dirt, and that hidden documents stay hidden."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.api import Texts
from harness.data.text_dirt import BOILERPLATE, CLEAN, EXACT, FOREIGN, GARBLED, KINDS, NEAR
from harness.models import load_model
from harness.tracks.base import Track
from harness.tracks.cleaning_lm import what_is_dirt
from harness.tracks.leaks import LeakGate
from tests.tracks.helpers import bind, make_task
from tests.tracks.languages import bound

SMALL: dict[str, Any] = {"pool": 60, "test": 8, "budget": 12_000, "domains": ("north", "south"), "foreign": ("west",)}


def small(**settings: Any) -> Track[Any, Any]:
    return bound("cleaning_lm", **(SMALL | settings))


def test_the_pool_is_clean_documents_and_the_dirt_that_was_asked_for() -> None:
    track = small()
    view, key = track.prepare(0)
    texts = list(view.texts["texts"])
    assert np.bincount(key.kind).tolist() == [60, 24, 48, 12, 6, 6]
    assert track.dataset.texts is not None
    data = list(track.dataset.texts)
    clean = {i: text for i, text in enumerate(texts) if key.kind[i] == CLEAN}
    assert {data.index(text) // 60 for text in clean.values()} == {0, 1}
    by_origin = {key.origin[i]: text for i, text in clean.items()}
    for i, text in enumerate(texts):
        match key.kind[i]:
            case 1:
                assert text == by_origin[key.origin[i]]
            case 2:
                original = by_origin[key.origin[i]]
                assert text != original
                assert len(set(text.split()) & set(original.split())) > 0.7 * len(set(original.split()))
            case 3 | 4:
                assert text not in data
            case 5:
                assert data.index(text) // 60 == 3
    assert set(make_task(track, view).__dict__) >= {"texts", "budget", "model"}
    assert set(view.scalars) == {"n_classes", "budget"}
    assert not view.arrays


def test_hidden_documents_and_their_copies_are_not_in_the_pool() -> None:
    track = small()
    for seed in range(3):
        view, key = track.prepare(seed)
        copied = [i for i, kind in enumerate(key.kind) if kind in (CLEAN, EXACT, NEAR)]
        assert not len(LeakGate(key.hidden).leaks(view.texts["texts"][np.array(copied)]))
        again, _ = track.prepare(seed)
        assert list(again.texts["texts"]) == list(view.texts["texts"])
    other, _ = bound("cleaning_lm", secret="t", **SMALL).prepare(2)
    assert list(other.texts["texts"]) != list(view.texts["texts"])


def test_the_first_of_a_document_and_its_copies_is_clean_whichever_it_is() -> None:
    kind = np.array([CLEAN, EXACT, NEAR, NEAR, CLEAN, GARBLED, BOILERPLATE, FOREIGN])
    origin = np.array([0, 0, 0, 0, 1, -1, -1, -1])

    def dirt(*kept: int) -> list[str]:
        return [KINDS[k] for k in what_is_dirt(np.array(kept, np.int64), kind, origin)]

    assert dirt(0, 1, 2, 4) == ["clean", "exact", "near", "clean"]
    assert dirt(1, 0) == ["clean", "exact"]
    assert dirt(2, 0, 1, 3) == ["clean", "near", "exact", "near"]
    assert dirt(4, 5, 6, 7) == ["clean", "garbled", "boilerplate", "foreign"]
    assert dirt(2) == dirt(1) == ["clean"]
    assert dirt(5, 7) == ["garbled", "foreign"]


def test_the_score_and_the_shares_are_those_computed_by_hand() -> None:
    track = small(budgets=(5000,))
    view, key = track.prepare(1)
    order = np.random.default_rng(0).permutation(len(key.kind))
    score = track.score({"indices": order}, view, key, 1)
    texts = view.texts["texts"]
    taken: list[int] = []
    for i in order:
        if sum(len(texts.encoded(int(j))) for j in (*taken, int(i))) > 12_000:
            break
        taken.append(int(i))
    fitted = load_model("ngram_lm", order=3).fit(texts[np.array(taken)])
    by_hand = [fitted.bits_per_byte(key.hidden[np.flatnonzero(key.domain == t)]) for t in range(2)]
    assert score.value == pytest.approx(np.mean(by_hand), rel=1e-12)
    assert [score.metrics[f"bits_per_byte_{name}"] for name in ("north", "south")] == pytest.approx(by_hand)
    sizes = {i: len(texts.encoded(i)) for i in taken}
    for name, kinds in (("garbled", GARBLED), ("boilerplate", BOILERPLATE), ("foreign", FOREIGN)):
        share = sum(sizes[i] for i in taken if key.kind[i] == kinds) / sum(sizes.values())
        assert score.metrics[f"share_{name}"] == pytest.approx(share)
    seen: set[int] = set()
    clean = 0
    for i in taken:
        if key.origin[i] >= 0 and key.origin[i] not in seen:
            seen.add(int(key.origin[i]))
            clean += sizes[i]
    assert score.metrics["share_dirt"] == pytest.approx(1 - clean / sum(sizes.values()))
    assert score.metrics["originals_kept"] == pytest.approx(len(seen) / 60)


def test_clean_documents_beat_the_dirty_pool_and_bear_no_dirt() -> None:
    track = small()
    for seed in range(3):
        view, key = track.prepare(seed)
        floor, skyline = (track.reference(which, view, key, seed) for which in ("random", "skyline"))
        assert skyline.value < floor.value - 0.02
        assert skyline.metrics["share_dirt"] == 0
        assert track.statistic(floor.items, np.ones((1, 16)))[0] == pytest.approx(floor.value, rel=1e-12)


def test_without_foreign_domains_and_dirt_there_is_none() -> None:
    none = dict.fromkeys(("exact", "near", "garbled", "boilerplate"), 0.0)
    view, key = small(foreign=(), planted=none).prepare(0)
    assert (key.kind == CLEAN).all()
    assert len(view.texts["texts"]) == 60
    assert isinstance(view.texts["texts"], Texts)


def test_a_domain_is_clean_or_foreign() -> None:
    with pytest.raises(ValueError, match="north cannot be among domains and foreign as well"):
        small(foreign=("north",))
    view, key = small(domains=(), pool=60).prepare(0)
    assert key.groups == ("north", "south", "east")
    assert int(view.scalars["n_classes"]) == 3


def test_the_shipped_challenge_measures_what_it_says(real_folder: Callable[[str], Path]) -> None:
    real_folder("nltk_text")
    track = bind("cleaning_lm")
    view, key = track.prepare(0)
    assert np.bincount(key.kind).tolist() == [240, 96, 192, 48, 24, 24]
    floor, skyline = (track.reference(which, view, key, 0) for which in ("random", "skyline"))
    assert skyline.value < floor.value - 0.1
