"""Baselines that order documents: against counts in dictionaries, models fitted one by one, and plain loops."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.utils import murmurhash3_32

from harness import api
from harness.models import load_model
from harness.paths import SUBMISSIONS_DIR
from harness.tracks import checks
from tests.tracks.helpers import baseline, run
from tests.tracks.languages import bound, documents

NAMES = sorted(path.parent.name for path in (SUBMISSIONS_DIR / "selection_lm").glob("*/algorithm.py"))
SMALL: dict[str, Any] = {
    "pool": 120,
    "test": 8,
    "samples": 10,
    "budget": 8000,
    "targets": 2,
    "sampled": 2,
    "domains": ("north", "south"),
}


def part(name: str, function: str) -> Any:
    """A helper function inside a baseline's file."""
    return baseline("selection_lm", name).__globals__[function]


def task(texts: list[str], samples: list[str], target: list[int], seed: int = 0) -> api.SelectionLmTask:
    model: Any = load_model("ngram_lm", order=3)
    return api.SelectionLmTask(
        n_classes=3,
        rng=np.random.default_rng(seed),
        model=model,
        texts=api.Texts.of(texts),
        samples=api.Texts.of(samples),
        sample_target=np.array(target, np.int64),
        budget=10_000,
    )


def made(seed: int = 0) -> api.SelectionLmTask:
    """A pool of all four domains, samples of the first two."""
    texts = documents(per_domain=20, seed=seed).texts
    assert texts is not None
    every = list(texts)
    return task(
        [t for d in range(4) for t in every[20 * d + 4 : 20 * d + 20]], every[:4] + every[20:24], [0] * 4 + [1] * 4
    )


def grams(text: str) -> list[str]:
    words = re.findall(r"\w+|[^\w\s]", text.lower())
    return words + [f"{a} {b}" for a, b in pairwise(words)]


def weights_by_hand(pool: list[str], samples: list[str]) -> list[float]:
    def bucket(gram: str) -> int:
        return int(abs(murmurhash3_32(gram.encode(), seed=0)) % 10_000)

    inside, outside = (Counter(bucket(gram) for text in texts for gram in grams(text)) for texts in (samples, pool))
    total, every = sum(inside.values()), sum(outside.values())
    return [
        sum(
            np.log(inside[b] / total + 1e-8) - np.log(outside[b] / every + 1e-8)
            for gram in grams(text)
            for b in [bucket(gram)]
        )
        for text in pool
    ]


def test_the_baselines_that_researchers_expect_are_there() -> None:
    assert set(NAMES) == {
        "random", "uniform_clusters", "dsir", "dsir_per_target", "moore_lewis", "low_perplexity", "quality_classifier", "hedged"
    }  # fmt: skip


def test_dsir_weights_are_those_of_counts_in_dictionaries() -> None:
    t = made()
    pool, samples = list(t.texts or []), list(t.samples)
    for name in ("dsir", "dsir_per_target"):
        counted, log_weights = part(name, "counted"), part(name, "log_weights")
        found = log_weights(counted(pool), counted(samples))
        assert found == pytest.approx(weights_by_hand(pool, samples), rel=1e-9)


def test_dsir_draws_without_replacement_by_these_weights() -> None:
    first: Counter[int] = Counter()
    texts = ["red red green", "red blue blue", "blue green"]
    for seed in range(800):
        first[int(baseline("selection_lm", "dsir")(task(texts, ["red green", "red blue"], [0, 0], seed))[0])] += 1
    weights = np.exp(weights_by_hand(texts, ["red green", "red blue"]))
    expected = weights / weights.sum()
    for i in range(3):
        assert first[i] / 800 == pytest.approx(
            expected[i], abs=4 * np.sqrt(expected[i] * (1 - expected[i]) / 800) + 1e-3
        )


def test_dsir_per_target_takes_the_best_document_left_of_each_ranking_in_turn() -> None:
    in_turn = part("dsir_per_target", "in_turn")
    rng = np.random.default_rng(0)
    for _ in range(20):
        rankings = [rng.permutation(12) for _ in range(3)]
        # Place j of every ranking before place j + 1 of any, a document where it comes first.
        by_hand: list[int] = []
        for place in range(12):
            by_hand += [int(ranking[place]) for ranking in rankings if ranking[place] not in by_hand]
        seen: list[int] = []
        for i in by_hand:
            if i not in seen:
                seen.append(i)
        assert in_turn(rankings).tolist() == seen


def test_hedged_takes_from_the_classifier_and_from_the_clusters_in_turn() -> None:
    wanted, every = (baseline("selection_lm", name)(made()) for name in ("quality_classifier", "uniform_clusters"))
    by_hand: list[int] = []
    for pair in zip(wanted, every, strict=True):
        for i in pair:
            if i not in by_hand:
                by_hand.append(int(i))
    assert baseline("selection_lm", "hedged")(made()).tolist() == by_hand


def test_moore_lewis_is_the_difference_of_costs_of_models_fitted_one_by_one() -> None:
    t = made()
    texts, rng = t.texts, np.random.default_rng(0)
    assert texts is not None
    budget = len(t.samples.data)
    order = rng.permutation(64)
    halves = []
    for half in (order[:32], order[32:]):
        taken: list[int] = []
        while sum(len(texts.encoded(int(i))) for i in taken) < budget and len(taken) < len(half):
            taken.append(int(half[len(taken)]))
        if sum(len(texts.encoded(int(i))) for i in taken) > budget:
            taken = taken[:-1]
        halves.append(taken)
    inside = t.model.fit(t.samples)
    outside = [t.model.fit(texts[np.array(half)]) for half in halves]
    cost = []
    for i in range(64):
        one = api.Texts.of([texts[i]])
        judge = outside[1 if i in halves[0] else 0]
        cost.append((inside.bits(one)[0] - judge.bits(one)[0]) / len(texts.encoded(i)))
    assert baseline("selection_lm", "moore_lewis")(t).tolist() == np.argsort(cost, kind="stable").tolist()


def test_low_perplexity_is_the_cost_a_byte_under_a_model_of_the_other_half() -> None:
    t = made()
    texts = t.texts
    assert texts is not None
    halves = np.array_split(np.random.default_rng(0).permutation(64), 2)
    fitted = [t.model.fit(texts[half]) for half in halves]
    cost = [
        fitted[1 if i in halves[0] else 0].bits(api.Texts.of([texts[i]]))[0] / len(texts.encoded(i)) for i in range(64)
    ]
    assert baseline("selection_lm", "low_perplexity")(t).tolist() == np.argsort(cost, kind="stable").tolist()


def test_the_classifier_is_a_logistic_regression_of_words_counted_by_hand() -> None:
    t = made()
    pool, samples = list(t.texts or []), list(t.samples)
    words = [re.findall(r"\w+|[^\w\s]", text.lower()) for text in (*pool, *samples)]
    bucket = {w: abs(murmurhash3_32(w.encode(), seed=0)) % 2**16 for one in words for w in one}
    column = {w: sorted(set(bucket.values())).index(b) for w, b in bucket.items()}
    X = np.zeros((len(words), len(column)))
    for i, one in enumerate(words):
        for word in one:
            X[i, column[word]] += 1
    X /= np.sqrt((X**2).sum(axis=1, keepdims=True))
    y = np.repeat([0, 1], [len(pool), len(samples)])
    model = LogisticRegression(C=10.0, class_weight="balanced", solver="newton-cholesky", tol=1e-10).fit(X, y)
    by_hand = model.decision_function(X[: len(pool)])
    order = baseline("selection_lm", "quality_classifier")(t)
    assert spearmanr(by_hand[order], -np.arange(64)).statistic > 0.9999
    assert set(order[:20].tolist()) <= set(range(32))


def test_clusters_give_a_document_in_turn() -> None:
    turn = part("uniform_clusters", "turn")
    assert turn(np.array([2, 0, 2, 2, 0, 1])).tolist() == [0, 0, 1, 2, 1, 0]
    t = made()
    order = baseline("selection_lm", "uniform_clusters")(t)
    groups = part("uniform_clusters", "clustered")(
        list(t.texts or []), 64, seed=int(np.random.default_rng(0).integers(2**31))
    )
    place = Counter[int]()
    reached = []
    for i in order:
        reached.append(place[groups[i]])
        place[groups[i]] += 1
    assert reached == sorted(reached)
    eight = part("uniform_clusters", "clustered")(list(t.texts or []), 8, seed=0)
    for cluster in np.unique(eight):  # of one domain each, most of them
        shares = np.bincount(np.flatnonzero(eight == cluster) // 16, minlength=4) / (eight == cluster).sum()
        assert shares.max() > 0.6


@pytest.mark.parametrize("name", ["dsir", "dsir_per_target", "moore_lewis", "quality_classifier"])
def test_what_looks_like_the_samples_comes_first_and_scores_better_than_chance(name: str) -> None:
    track = bound("selection_lm", **SMALL)
    for seed in range(2):
        view, key = track.prepare(seed)
        score = track.score(run(track, view, key, baseline("selection_lm", name), seed), view, key, seed)
        assert score.metrics["share_targets"] > 0.9
        assert score.value < track.reference("random", view, key, seed).value - 0.05


@pytest.mark.parametrize("name", NAMES)
def test_awkward_documents_get_a_valid_and_repeatable_order(name: str) -> None:
    broken = api.Texts(np.frombuffer(b"\xff\xfeab\x80 c" * 9, np.uint8), np.arange(0, 64, 7))
    pools: list[Any] = [
        ["one document of some words"],
        ["the same words"] * 7,
        ["", " ", "words", "!!! ???", "\n"],
        ["a" * 100_000, "b c d", "\u4e2d\u6587 \u0645\u0631\u062d\u0628\u0627"],
        [str(i) for i in range(40)],
        broken,
    ]
    for texts in pools:
        for samples in (["one sample of words"], ["", "a b", "c"]):
            answers = []
            for _ in range(2):
                t = task(list(texts), samples, list(range(len(samples))))
                if texts is broken:
                    object.__setattr__(t, "texts", broken)
                answers.append(np.asarray(baseline("selection_lm", name)(t)))
            checked = checks.indices(answers[0], name="indices", n=len(texts), at_most=len(texts), exactly=True)
            assert np.array_equal(checked, answers[1])
