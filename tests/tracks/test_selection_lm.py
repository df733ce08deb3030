"""Selection for language models: what is shown and hidden, what is trained on, and the score against a plain computation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.api import Texts
from harness.data.base import Dataset
from harness.errors import ProtocolError
from harness.models import load_model
from harness.tracks.base import Track
from harness.tracks.language import within_budget
from harness.tracks.leaks import LeakGate
from harness.tracks.selection_lm import in_turn
from tests.tracks.helpers import bind, make_task
from tests.tracks.languages import DOMAINS, bound, documents

SMALL: dict[str, Any] = {
    "pool": 100,
    "test": 8,
    "samples": 5,
    "budget": 4000,
    "targets": 2,
    "sampled": 2,
    "domains": ("north", "south"),
}


def small(**settings: Any) -> Track[Any, Any]:
    return bound("selection_lm", **(SMALL | settings))


def test_nothing_hidden_is_shown_and_rows_lead_back_to_the_data() -> None:
    track = small()
    texts = track.dataset.texts
    assert texts is not None
    for seed in range(3):
        view, key = track.prepare(seed)
        assert list(view.texts["texts"]) == list(texts[track.rows(seed)])
        shown = [*view.texts["texts"], *view.texts["samples"]]
        assert len(set(shown)) == 110
        assert not set(shown) & set(key.hidden)
        assert len(key.hidden) == 16
        of = {text: int(domain) for text, domain in zip(texts, track.dataset.y, strict=True)}
        domains = [DOMAINS[of[text]] for text in key.hidden]
        assert domains == [key.groups[t] for t in key.domain]
        named = [DOMAINS[of[text]] for text in view.texts["samples"]]
        assert named == [key.groups[t] for t in view.arrays["sample_target"]]
        known = [DOMAINS[of[text]] for text in view.texts["texts"]]
        assert [key.groups[kind] if kind >= 0 else "" for kind in key.kind] == [
            d if d in key.groups else "" for d in known
        ]
    assert set(make_task(track, view).__dict__) >= {"texts", "samples", "sample_target", "budget", "model"}


def test_the_blind_variant_draws_targets_and_names_none_of_those_without_samples() -> None:
    track = small(domains=DOMAINS, targets=3, sampled=1)
    seen = set()
    for seed in range(12):
        view, key = track.prepare(seed)
        assert set(view.arrays["sample_target"]) == {0}
        assert len(view.texts["samples"]) == 5
        assert key.groups == ("sampled", "unsampled", "unsampled")
        of = {text: int(domain) for text, domain in zip(track.dataset.texts or [], track.dataset.y, strict=True)}
        seen.add(tuple(of[key.hidden[8 * t]] for t in range(3)))
        assert {of[text] for text in view.texts["samples"]} == {of[key.hidden[0]]}
    assert len(seen) > 6
    score = track.reference("skyline", view, key, 11)
    assert not any(name in metric for metric in score.metrics for name in DOMAINS)
    assert score.metrics["bits_per_byte_unsampled"] > 0


def test_the_score_is_that_of_a_model_fitted_and_asked_by_hand() -> None:
    track = small(budgets=(1000, 2500))
    view, key = track.prepare(0)
    order = np.random.default_rng(0).permutation(100)
    score = track.score({"indices": order}, view, key, 0)
    for budget, value in ((1000, score.curve[0, 1]), (2500, score.curve[1, 1]), (4000, score.value)):  # type: ignore[index]
        taken: list[str] = []
        for i in order:
            if sum(len(text.encode()) for text in taken) + len(view.texts["texts"][int(i)].encode()) > budget:
                break
            taken.append(view.texts["texts"][int(i)])
        fitted = load_model("ngram_lm", order=3).fit(Texts.of(taken))
        by_hand = [fitted.bits_per_byte(key.hidden[np.flatnonzero(key.domain == t)]) for t in range(2)]
        assert value == pytest.approx(np.mean(by_hand), rel=1e-12)
    assert score.metrics["bits_per_byte_at_1000"] == pytest.approx(score.curve[0, 1])  # type: ignore[index]
    assert [score.metrics[f"bits_per_byte_{name}"] for name in key.groups] == pytest.approx(by_hand)
    assert score.metrics["bytes"] == sum(len(text.encode()) for text in taken)
    assert score.metrics["documents"] == len(taken)
    share = [sum(len(t) for t, k in zip(taken, key.kind[order], strict=False) if k == i) for i in (0, 1)]
    assert [score.metrics[f"share_{name}"] * score.metrics["bytes"] for name in key.groups] == pytest.approx(share)


def test_the_statistic_recomputes_the_mean_of_ratios() -> None:
    track = small()
    view, key = track.prepare(0)
    score = track.reference("random", view, key, 0)
    assert track.statistic(score.items, np.ones((1, 16)))[0] == pytest.approx(score.value, rel=1e-12)
    weights = np.random.default_rng(0).integers(0, 4, (5, 16)).astype(float)
    for row, value in zip(weights, track.statistic(score.items, weights), strict=True):
        rates = []
        for t in (0, 1):
            of = np.repeat(np.arange(16), row.astype(int))
            of = of[score.items["domain"][of] == t]
            rates.append(score.items["bits"][of].sum() / score.items["bytes"][of].sum())
        assert value == pytest.approx(np.mean(rates))
    one = (score.items["domain"] == 1).astype(float)[None]  # no document of the other domain is drawn
    assert track.statistic(score.items, one)[0] == pytest.approx(score.metrics[f"bits_per_byte_{key.groups[1]}"])


def test_documents_are_taken_until_the_first_that_does_not_fit() -> None:
    texts = Texts.of(["aaaa", "bb", "cccccc", "", "d"])
    assert within_budget(np.array([0, 1, 2, 4]), texts, 6).tolist() == [0, 1]
    assert within_budget(np.array([0, 2, 4]), texts, 6).tolist() == [0]
    assert within_budget(np.array([2, 3, 4]), texts, 6).tolist() == [2, 3]
    assert within_budget(np.array([2]), texts, 5).tolist() == []
    assert within_budget(np.array([4, 3, 1, 0, 2]), texts, 1000).tolist() == [4, 3, 1, 0, 2]


def test_the_oracle_takes_the_targets_in_turn_and_beats_chance() -> None:
    kind = np.array([0, -1, 1, 1, 0, -1, 1])
    order = in_turn(kind, np.random.default_rng(0))
    assert kind[order].tolist() == [0, 1, 0, 1, 1]
    track = small()
    for seed in range(3):
        view, key = track.prepare(seed)
        floor, skyline = (track.reference(which, view, key, seed) for which in ("random", "skyline"))
        assert skyline.value < floor.value - 0.1
        assert skyline.metrics["share_targets"] == 1
        assert track.suspicious_above(skyline.value) < skyline.value


def test_the_pool_holds_no_document_that_repeats_a_hidden_one() -> None:
    data = documents()
    assert data.texts is not None
    every = list(data.texts)
    copies = [text.upper() for text in every[:120]] + [" ".join(text.split()[2:]) for text in every[:120]]
    y = np.concatenate([data.y, np.full(240, 2)])
    dirty = replace(data, X=np.zeros((len(y), 1), np.float32), y=y, texts=Texts.of([*every, *copies]))
    for seed in range(3):
        track = bound("selection_lm", dirty, **(SMALL | {"pool": 300}))
        view, key = track.prepare(seed)
        gate = LeakGate(key.hidden)
        assert not len(gate.leaks(view.texts["texts"]))
        assert not len(gate.leaks(view.texts["samples"]))
        assert key.dropped > 10
        assert len(view.texts["texts"]) == 300
        assert track.reference("random", view, key, seed).metrics["pool_leaks"] == key.dropped


def test_blank_documents_are_neither_shown_nor_tested_on() -> None:
    data = documents()
    assert data.texts is not None
    blanks = np.concatenate([data.y, np.repeat(np.arange(4), 20)])
    texts = Texts.of([*data.texts, *[" \n", ""] * 40])
    track = bound(
        "selection_lm", replace(data, X=np.zeros((len(blanks), 1)), y=blanks, texts=texts), **(SMALL | {"pool": 150})
    )
    view, key = track.prepare(0)
    assert all(text.strip() for text in (*view.texts["texts"], *view.texts["samples"], *key.hidden))


def test_documents_that_are_no_utf_8_are_chosen_and_paid_for_as_bytes() -> None:
    data = documents()
    assert data.texts is not None
    raw = data.texts.data.copy()
    raw[::7] = 0xFF
    track = bound("selection_lm", replace(data, texts=Texts(raw, data.texts.offsets)), **SMALL)
    view, key = track.prepare(0)
    score = track.score({"indices": np.arange(100)}, view, key, 0)
    assert np.isfinite(score.value)
    assert score.items["bytes"].sum() == len(key.hidden.data)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"domains": ("north", "nowhere")}, "no domain 'nowhere'; it has north, south, east, west"),
        ({"pool": 5000}, "documents are left for the pool, 5000 are asked for"),
        ({"test": 61}, "60 documents of domain"),
        ({"pool": 1, "domains": ("north",), "targets": 1, "sampled": 1}, "nothing to find"),
        ({"domains": (), "targets": 5}, "4 domains, 5 targets are asked for"),
    ],
)
def test_what_the_data_cannot_do_is_said(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ProtocolError, match=says):
        small(**settings).prepare(0)


def test_data_without_documents_are_refused() -> None:
    with pytest.raises(ProtocolError, match="has no documents; language models learn from text"):
        bound(
            "selection_lm", Dataset("x", np.zeros((9, 1)), np.zeros(9, int), ("a",)), **(SMALL | {"domains": ()})
        ).prepare(0)


def test_a_document_of_a_hundred_megabytes_is_refused_by_name() -> None:
    data = documents()
    assert data.texts is not None
    ends = np.append(data.texts.offsets[:-1], data.texts.offsets[-2] + 100_000_000)
    texts = Texts(np.zeros(ends[-1], np.uint8), ends)
    with pytest.raises(ProtocolError, match="Document 239 of made has 100 MB; documents of up to 10 MB"):
        bound("selection_lm", replace(data, texts=texts), **SMALL).prepare(0)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"budget": 0}, "greater than or equal to 1"),
        ({"budgets": (2000, 1000)}, "budgets must rise"),
        ({"budgets": (4000,)}, "lie below budget 4000"),
        ({"domains": ("north", "north")}, "domains must be different ones"),
        ({"sampled": 3}, "sampled 3 is more than the 2 target domains"),
        ({"targets": 3}, "targets 3 is more than the 2 domains"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        small(**settings)


@pytest.mark.parametrize("challenge", ["selection_lm", "selection_lm_blind"])
def test_the_shipped_challenges_measure_what_they_say(challenge: str, real_folder: Callable[[str], Path]) -> None:
    real_folder("nltk_text")
    track = bind(challenge)
    view, key = track.prepare(0)
    assert len(view.texts["texts"]) == 2500
    assert len(key.hidden) == 160
    assert len(view.texts["samples"]) == (60 if "blind" in challenge else 120)
    floor, skyline = (track.reference(which, view, key, 0) for which in ("random", "skyline"))
    assert skyline.value < floor.value - 0.15
