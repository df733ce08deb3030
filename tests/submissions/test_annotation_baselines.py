"""Annotation baselines against slow loops, a brute-force likelihood, SciPy and the harness's own consensus."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from scipy.special import digamma

from harness import api
from harness.data.workers import Workers
from harness.models import load_model
from harness.paths import SUBMISSIONS_DIR
from harness.protocol.catalogue import baseline_names
from harness.protocol.compose import load_challenge
from harness.protocol.manifest import MANIFEST
from harness.randomness import generator
from tests.tracks.helpers import baseline, bind, cell, run

NAMES = sorted(p.parent.name for p in (SUBMISSIONS_DIR / "annotation").glob(f"*/{MANIFEST}"))


def crowd(n: int = 120, c: int = 3, seed: int = 0, **fields: Any) -> tuple[Any, np.ndarray]:
    """Three clouds under the votes of eight simulated workers, and the truth."""
    rng = np.random.default_rng(seed)
    y = rng.integers(c, size=n)
    X = (rng.normal(size=(n, 4)) + 2 * np.eye(c, 4)[y]).astype(np.float32)
    workers = Workers(count=8, votes=(2, 5), accuracy=(0.5, 0.9), spammers=0.25)
    votes = workers.vote(y, c, rng).shuffled(rng)
    given: dict[str, Any] = {
        "X": X, "item": votes.item, "annotator": votes.annotator, "label": votes.label, "gold": np.arange(0),
        "y_gold": y[:0], "n_items": n, "n_annotators": votes.annotators, "soft": False,
    }  # fmt: skip
    model = load_model("logistic", device="cpu", n_classes=c)
    return api.AnnotationTask(c, generator("test", seed, "algorithm"), model, **(given | fields)), y


def test_the_baselines_that_researchers_expect_are_there() -> None:
    assert {"random", "majority", "wawa", "one_coin", "dawid_skene", "ibcc", "glad", "classifier_em"} <= set(NAMES)
    unseen = baseline_names("annotation", load_challenge("annotation_digits_votes").left_out())
    assert set(NAMES) - set(unseen) == {"classifier_em"}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("challenge", ["annotation_digits", "annotation_digits_soft"])
def test_answers_are_valid_repeat_themselves_and_keep_what_is_known(name: str, challenge: str) -> None:
    track = bind(challenge)
    view, key = track.prepare(0)
    first, second = (run(track, view, key, baseline("annotation", name))["labels"] for _ in range(2))
    assert np.array_equal(first, second)
    known = first[view.arrays["gold"]]
    assert name == "random" or np.array_equal(known.argmax(axis=1) if known.ndim == 2 else known, view.arrays["y_gold"])


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"random", "majority"}))
def test_better_than_the_majority_where_workers_differ(name: str) -> None:
    gain = []
    for seed in range(8):
        task, y = crowd(n=400, seed=seed)
        gain.append(
            np.mean(baseline("annotation", name)(task) == y) - np.mean(baseline("annotation", "majority")(task) == y)
        )
    assert np.mean(gain) > 0.01, gain


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"classifier_em", "random"}))
def test_neither_order_nor_names_of_annotators_matter(name: str) -> None:
    """Votes in another order under other numbers give the same shares: nothing is learnt from either."""
    task, _ = crowd(soft=True)
    order, number = np.random.default_rng(1).permutation(len(task.item)), np.random.default_rng(2).permutation(8)
    moved, _ = crowd(soft=True, item=task.item[order], annotator=number[task.annotator[order]], label=task.label[order])
    assert baseline("annotation", name)(moved) == pytest.approx(baseline("annotation", name)(task), abs=1e-5)


def test_majority_is_a_count() -> None:
    task, _ = crowd(soft=True)
    counts = np.array([[np.sum(task.label[task.item == i] == c) for c in range(3)] for i in range(120)])
    assert baseline("annotation", "majority")(task) == pytest.approx(counts / counts.sum(axis=1, keepdims=True))
    hard, _ = crowd()
    labels = baseline("annotation", "majority")(hard)
    assert (counts[np.arange(120), labels] == counts.max(axis=1)).all()
    tied = [i for i in range(120) if np.sum(counts[i] == counts[i].max()) > 1]
    assert {labels[i] == counts[i].argmax() for i in tied} == {True, False}  # by chance, not by order


def test_dawid_skene_is_a_loop_over_the_papers_formulas() -> None:
    task, _ = crowd(n=40, soft=True)
    counts = np.array([[np.sum(task.label[task.item == i] == c) for c in range(3)] for i in range(40)])
    share = counts / counts.sum(axis=1, keepdims=True)
    votes = list(zip(task.item, task.annotator, task.label, strict=True))
    for _ in range(100):
        before, prior = share, share.mean(axis=0)
        pi = np.full((8, 3, 3), 1e-10)
        for i, a, c in votes:
            pi[a, :, c] += share[i]
        pi /= pi.sum(axis=2, keepdims=True)
        new = np.tile(prior, (40, 1))
        for i, a, c in votes:
            new[i] *= pi[a, :, c]
        share = new / new.sum(axis=1, keepdims=True)
        if np.abs(share - before).max() < 1e-4:
            break
    assert baseline("annotation", "dawid_skene")(task) == pytest.approx(share, abs=1e-6)


def test_dawid_skene_finds_the_likeliest_truth_by_brute_force() -> None:
    """Of all labellings of five items by four annotators, one of whom always says no: the one of the highest likelihood."""
    table = np.array([[1, 1, 0, 0], [0, 0, 1, 0], [1, 1, 1, 0], [0, 0, 0, 0], [1, 1, 0, 0]])
    item, annotator = (a.ravel() for a in np.meshgrid(np.arange(5), np.arange(4), indexing="ij"))
    task, _ = crowd(n=5, c=2, item=item, annotator=annotator, label=table.ravel(), n_annotators=4)

    def likelihood(truth: np.ndarray) -> float:
        total = 0.0
        for a in range(4):
            for t in (0, 1):
                said = table[truth == t, a]
                for c in (0, 1):
                    k = np.sum(said == c)
                    total += k * np.log(k / len(said)) if k else 0.0
        shares = np.bincount(truth, minlength=2) / 5
        return total + 5 * float(sum(s * np.log(s) for s in shares if s))

    best = max(
        (np.array(t) for t in product((0, 1), repeat=5)),
        key=lambda t: (round(likelihood(t), 9), np.sum(t == table[:, 0])),
    )
    assert np.array_equal(baseline("annotation", "dawid_skene")(task), best)


def test_ibccs_digamma_is_scipys() -> None:
    x = np.array([1e-3, 0.3, 1.0, 2.5, 40.0, 1e4])
    assert baseline("annotation", "ibcc").__globals__["digamma"](x) == pytest.approx(digamma(x), abs=1e-6)


def test_one_coin_sets_accuracy_by_expected_agreement() -> None:
    """At its fixed point, shares follow from accuracies and accuracies from shares."""
    task, _ = crowd(n=60, soft=True)
    share = baseline("annotation", "one_coin")(task)
    accuracy = np.array([
        (share[task.item[task.annotator == a], task.label[task.annotator == a]].sum() + 1) / (np.sum(task.annotator == a) + 2)
        for a in range(8)
    ])  # fmt: skip
    for i in range(60):
        p = np.ones(3)
        for a, c in zip(task.annotator[task.item == i], task.label[task.item == i], strict=True):
            p *= np.where(np.arange(3) == c, accuracy[a], (1 - accuracy[a]) / 2)
        assert share[i] == pytest.approx(p / p.sum(), abs=1e-3)


def test_glad_tells_hard_items_and_bad_annotators() -> None:
    """Two coins among eight annotators are outvoted where three good ones disagree with five votes of the others."""
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=300)
    skill = np.array([0.95, 0.95, 0.95, 0.5, 0.5, 0.5, 0.5, 0.5])
    table = np.where(rng.random((300, 8)) < skill, y[:, None], 1 - y[:, None])
    item, annotator = (a.ravel() for a in np.meshgrid(np.arange(300), np.arange(8), indexing="ij"))
    task, _ = crowd(n=300, c=2, item=item, annotator=annotator, label=table.ravel())
    assert np.mean(baseline("annotation", "glad")(task) == y) > 0.97
    assert np.mean(baseline("annotation", "majority")(task) == y) < 0.93


def test_features_help_where_an_item_has_one_vote() -> None:
    gains = []
    for seed in range(4):
        task, y = crowd(n=300, seed=seed)
        first = np.unique(task.item, return_index=True)[1]
        few, _ = crowd(
            n=300, seed=seed, item=task.item[first], annotator=task.annotator[first], label=task.label[first]
        )
        gains.append(np.mean(baseline("annotation", "classifier_em")(few) == y) - np.mean(few.label == y[few.item]))
    assert np.mean(gains) > 0.1


def test_the_quick_challenge_tells_methods_apart() -> None:
    track = bind("annotation_digits")
    names = ("majority", "dawid_skene", "classifier_em")
    values = np.array([[cell(track, name, seed).value for name in names] for seed in range(10)])
    for gap in np.diff(values, axis=1).T:
        assert gap.mean() >= 3 * gap.std(ddof=1) / np.sqrt(10)
