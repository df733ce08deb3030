"""Alpha and kappa against published figures, another library and slow loops."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.pipeline.annotations import agreement, kappa
from harness.pipeline.annotations.ballots import Ballots, ballots
from tests.pipeline.annotations.conftest import Crowd, words

SMALL = st.lists(st.lists(st.integers(0, 4), min_size=3, max_size=3), min_size=1, max_size=12)
THREE_OBSERVERS = (  # Wikipedia's example of Krippendorff's alpha, three observers and fifteen units
    "* * * * * 3 4 1 2 1 1 3 3 * 3",
    "1 * 2 1 3 3 4 3 * * * * * * *",
    "* * 2 1 3 4 4 * 2 1 1 3 3 * 4",
)
FOURTEEN_RATERS = [  # Wikipedia's example of Fleiss' kappa, fourteen raters and ten subjects
    [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
]  # fmt: skip


def three_observers() -> Ballots:
    cells = [(f"u{u:02}", who, label) for who, row in zip("ABC", THREE_OBSERVERS, strict=True)
             for u, label in enumerate(row.split()) if label != "*"]  # fmt: skip
    items, people, labels = zip(*cells, strict=True)
    return ballots(items, labels, people)


def by_pairs(counts: Any, distance: Callable[[int, int], float]) -> float:
    """Alpha by its definition: every ordered pair of votes within an item, every ordered pair of all votes."""
    units = [[c for c, k in enumerate(row) for _ in range(k)] for row in counts]
    units = [unit for unit in units if len(unit) > 1]
    votes = [vote for unit in units for vote in unit]
    observed = sum(distance(a, b) / (len(unit) - 1) for unit in units for a, b in permutations(unit, 2))
    expected = sum(distance(a, b) for a, b in permutations(votes, 2)) / (len(votes) - 1) if votes else 0
    return 1 - observed / expected if expected else float("nan")


def test_krippendorffs_three_observers() -> None:
    votes = three_observers()
    assert round(agreement.alpha(votes.counts), 3) == 0.691
    values = [float(name) for name in votes.classes]
    assert round(agreement.alpha(votes.counts, agreement.interval(values)), 3) == 0.811


def test_textbook_examples_of_fleiss_and_cohen() -> None:
    assert round(agreement.fleiss(np.array(FOURTEEN_RATERS)), 3) == 0.210
    table = {("yes", "yes"): 20, ("yes", "no"): 5, ("no", "yes"): 10, ("no", "no"): 15}
    pairs = [pair for pair, count in table.items() for _ in range(count)]
    items = [f"{i:02}" for i in range(50)] * 2
    votes = ballots(items, [a for a, _ in pairs] + [b for _, b in pairs], ["A"] * 50 + ["B"] * 50)
    assert votes.cast is not None
    found = kappa.pairwise(votes.cast, 50, 2)
    assert found is not None
    assert found.kappa == pytest.approx([0.40])
    assert found.shared.tolist() == [50]


@given(SMALL, st.permutations([0.0, 1.0, 2.5]))
@settings(deadline=None)
def test_alpha_is_what_all_pairs_give(rows: list[list[int]], values: list[float]) -> None:
    counts = np.array(rows)
    wanted = by_pairs(counts, lambda a, b: float(a != b))
    assert agreement.alpha(counts) == pytest.approx(wanted, nan_ok=True)
    assert agreement.alpha(counts, agreement.nominal(3)) == pytest.approx(wanted, nan_ok=True)
    wanted = by_pairs(counts, lambda a, b: (values[a] - values[b]) ** 2)
    assert agreement.alpha(counts, agreement.interval(values)) == pytest.approx(wanted, nan_ok=True)


@given(st.integers(2, 5), st.lists(st.lists(st.integers(0, 2), min_size=5, max_size=5), min_size=1, max_size=10))
@settings(deadline=None)
def test_fleiss_is_what_a_loop_gives(m: int, labels: list[list[int]]) -> None:
    labels = [row[:m] for row in labels]
    counts = np.array([[row.count(c) for c in range(3)] for row in labels])
    agreed = [sum(a == b for a, b in permutations(row, 2)) / (m * (m - 1)) for row in labels]
    votes = [label for row in labels for label in row]
    chance = sum((votes.count(c) / len(votes)) ** 2 for c in range(3))
    wanted = (np.mean(agreed) - chance) / (1 - chance) if len(set(votes)) > 1 else float("nan")
    assert agreement.fleiss(counts) == pytest.approx(wanted, nan_ok=True)
    assert np.isnan(agreement.fleiss(np.vstack([counts, [[m + 1, 0, 0]]])))


def test_classes_against_loops() -> None:
    counts = np.random.default_rng(1).integers(0, 4, (40, 3))
    said, rest = agreement.per_class(counts)
    for c in range(3):
        pairs = [(a == c, b == c, len(unit)) for unit in _units(counts) for a, b in permutations(unit, 2)]
        both = sum(1 / (m - 1) for a, b, m in pairs if a and b)
        assert said[c] == pytest.approx(both / sum(1 / (m - 1) for a, _, m in pairs if a))
        one = np.column_stack([counts[:, c], counts.sum(axis=1) - counts[:, c]])
        assert rest[c] == pytest.approx(by_pairs(one, lambda a, b: float(a != b)))


def _units(counts: Any) -> list[list[int]]:
    units = [[c for c, k in enumerate(row) for _ in range(k)] for row in counts]
    return [unit for unit in units if len(unit) > 1]


def test_the_interval_is_that_of_a_plain_bootstrap_and_the_same_every_time() -> None:
    rng = np.random.default_rng(3)
    counts = np.array([np.bincount(rng.choice(3, 4, p=p), minlength=3) for p in rng.dirichlet([0.4] * 3, 150)])
    low, high = agreement.alpha_interval(counts) or (0, 0)
    assert (low, high) == agreement.alpha_interval(counts)
    assert (low, high) == pytest.approx(agreement.alpha_interval(counts[::-1]))
    plain = [agreement.alpha(counts[rng.integers(0, 150, 150)]) for _ in range(2000)]
    assert (low, high) == pytest.approx(np.percentile(plain, [2.5, 97.5]), abs=0.012)
    assert low < agreement.alpha(counts) < high


def test_what_is_undefined_is_nan() -> None:
    for counts in ([[1, 0], [0, 1]], [[3, 0], [2, 0]], [[0, 0], [0, 0]]):
        assert np.isnan(agreement.alpha(np.array(counts)))
        assert agreement.alpha_interval(np.array(counts)) is None
    assert np.isnan(agreement.fleiss(np.array([[1, 0], [0, 1]])))
    assert np.isnan(agreement.fleiss(np.array([[3, 0], [3, 0]])))


def test_every_pair_against_scikit_learn() -> None:
    from sklearn.metrics import cohen_kappa_score

    rng = np.random.default_rng(5)
    labels = np.where(rng.random((60, 7)) < 0.5, rng.integers(0, 3, (60, 7)), -1)
    labels[:, 5] = np.where(labels[:, 5] >= 0, 1, -1)  # two annotators who say one label alone
    labels[:, 6] = np.where(labels[:, 6] >= 0, 1, -1)
    item, who = np.nonzero(labels >= 0)
    votes = ballots(words(item), words(labels[item, who]), words(who))
    assert votes.cast is not None
    found = kappa.pairwise(votes.cast, len(votes.items), 3)
    assert found is not None
    assert len(found.kappa) == 21
    assert (np.diff(found.shared) <= 0).all()
    for a, b, shared, value in zip(found.first, found.second, found.shared, found.kappa, strict=True):
        both = (labels[:, a] >= 0) & (labels[:, b] >= 0)
        assert shared == both.sum()
        if {a, b} == {5, 6}:
            assert np.isnan(value)
        else:
            assert value == pytest.approx(cohen_kappa_score(labels[both, a], labels[both, b]))
    assert found.mean == pytest.approx(np.nanmean(found.kappa))


@pytest.mark.parametrize(
    ("name", "published"),
    [("labelme", 0.6774), ("sentiment_polarity", 0.4276), ("rte", 0.2415), ("bluebird", 0.1255)],
)
def test_alpha_of_published_crowds(crowd: Crowd, name: str, published: float) -> None:
    assert agreement.alpha(crowd(name)[0].counts) == pytest.approx(published, abs=5e-5)


def test_alpha_of_published_counts(cifar10h: Any, found: Callable[[str], Path]) -> None:
    assert agreement.alpha(cifar10h) == pytest.approx(0.9151, abs=5e-5)
    tweets = pd.read_csv(found("hate_offensive/labeled_data.csv.gz"))
    counts = tweets[["hate_speech", "offensive_language", "neither"]].to_numpy()
    assert agreement.alpha(counts) == pytest.approx(0.5428, abs=5e-5)


def test_three_workers_on_cifar10n(found: Callable[[str], Path]) -> None:
    with np.load(found("cifar10n/cifar10n_labels.npz")) as labels:
        three = np.stack([labels[f"random_label{k}"] for k in (1, 2, 3)], 1)
    votes = ballots(words(np.repeat(np.arange(50000), 3)), words(three.ravel()), words([1, 2, 3] * 50000))
    assert votes.cast is not None
    pairs = kappa.pairwise(votes.cast, 50000, 10)
    assert pairs is not None
    assert pairs.kappa == pytest.approx([0.6844, 0.6867, 0.6799], abs=5e-5)
    assert agreement.fleiss(votes.counts) == pytest.approx(0.6837, abs=5e-5)
    assert agreement.alpha(votes.counts) == pytest.approx(0.6837, abs=5e-5)
