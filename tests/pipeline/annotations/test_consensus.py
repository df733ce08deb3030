"""Majority and Dawid-Skene against published figures and plain loops."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.pipeline.annotations import consensus
from harness.pipeline.annotations.ballots import ballots
from tests.pipeline.annotations.conftest import Crowd


def of_crowd(crowd: Crowd, name: str, **how: Any) -> tuple[float, float]:
    """Error of the majority, accuracy of Dawid-Skene."""
    votes, truth = crowd(name)
    known = votes.coded(truth)
    assert votes.cast is not None
    model = consensus.dawid_skene(votes.cast, *votes.counts.shape, **how)
    return (
        1 - consensus.accuracy(consensus.majority(votes.counts), known, votes.voted),
        consensus.accuracy(consensus.most_probable(model.posterior), known, votes.voted),
    )


@pytest.mark.parametrize(
    ("name", "majority", "dawid_skene"),
    [
        ("bluebird", 0.2407, 0.898), ("rte", 0.1031, 0.9275), ("web", 0.2693, 0.828), ("trec", 0.3486, 0.7015),
        ("dog", None, 0.843), ("product", None, 0.940), ("labelme", 0.234, 0.789),
    ],
)  # fmt: skip
def test_published_crowds(crowd: Crowd, name: str, majority: float | None, dawid_skene: float) -> None:
    error, accuracy = of_crowd(crowd, name)
    assert accuracy == pytest.approx(dawid_skene, abs=5e-4)
    if majority is not None:
        assert error == pytest.approx(majority, abs=5e-5)


def test_smoothing_costs_five_points_on_labelme(crowd: Crowd) -> None:
    assert of_crowd(crowd, "labelme", smoothing=0.5)[1] == pytest.approx(0.743, abs=5e-4)


def by_loops(votes: list[tuple[int, int, int]], n: int, people: int, classes: int, steps: int) -> Any:
    """Dawid and Skene's equations 2.3 to 2.5, one term after the other."""
    T = [[0.0] * classes for _ in range(n)]
    for i, _, label in votes:
        T[i][label] += 1 / sum(vote[0] == i for vote in votes)
    for _ in range(steps):
        p = [sum(T[i][q] for i in range(n)) / n for q in range(classes)]
        pi = [[[1e-10] * classes for _ in range(classes)] for _ in range(people)]
        for i, k, label in votes:
            for q in range(classes):
                pi[k][q][label] += T[i][q]
        pi = [[[x / sum(row) for x in row] for row in matrix] for matrix in pi]
        for i in range(n):
            joint = [p[q] * math.prod(pi[k][q][label] for j, k, label in votes if j == i) for q in range(classes)]
            T[i] = [value / sum(joint) for value in joint]
    return np.array(T)


def drawn(seed: int, n: int = 25, people: int = 6, classes: int = 3) -> list[tuple[int, int, int]]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, n)
    return [
        (i, k, int(truth[i] if rng.random() < 0.4 + 0.1 * k else rng.integers(0, classes)))
        for i in range(n)
        for k in rng.permutation(people)[:4].tolist()
    ]


def put(votes: list[tuple[int, int, int]]) -> Any:
    return ballots([f"{i:03}" for i, _, _ in votes], [f"c{c}" for _, _, c in votes], [f"w{k}" for _, k, _ in votes])


def test_dawid_skene_against_loops() -> None:
    votes = drawn(0)
    ordered = put(votes)
    for steps in (1, 2, 7):
        model = consensus.dawid_skene(ordered.cast, *ordered.counts.shape, most=steps, tolerance=0)
        assert model.posterior == pytest.approx(by_loops(votes, 25, 6, 3, steps), abs=1e-9)
        assert model.iterations == steps
    assert model.confusion.sum(axis=2) == pytest.approx(np.ones((6, 3)))
    assert model.prior.sum() == pytest.approx(1)
    assert not model.converged
    assert consensus.dawid_skene(ordered.cast, *ordered.counts.shape, most=1000).converged


@given(st.integers(0, 1000), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=30)
def test_the_order_of_votes_changes_no_bit(seed: int, random: Any) -> None:
    votes = drawn(seed)
    first = put(votes)
    random.shuffle(votes)
    second = put(votes)
    both = [consensus.dawid_skene(each.cast, *each.counts.shape).posterior for each in (first, second)]
    assert both[0].tobytes() == both[1].tobytes()


def test_who_errs_always_the_same_way_is_understood() -> None:
    """Four who are right nine times in ten, and one who always swaps: his votes are as good as theirs, turned round."""
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 2, 300)
    votes = [(i, k, int(t if rng.random() < 0.9 else 1 - t)) for i, t in enumerate(truth) for k in range(4)]
    votes += [(i, 4, int(1 - t)) for i, t in enumerate(truth)]
    ordered = put(votes)
    model = consensus.dawid_skene(ordered.cast, *ordered.counts.shape)
    assert (model.posterior.argmax(axis=1) == truth).mean() > 0.98
    assert model.confusion[4][0, 1] > 0.95
    assert model.confusion[4][1, 0] > 0.95


def test_ties_are_shared_and_missing_votes_count_nowhere() -> None:
    counts = np.array([[2, 1, 0], [1, 1, 0], [1, 1, 1], [0, 0, 0], [0, 0, 4]])
    shares = consensus.majority(counts)
    assert shares.tolist() == [[1, 0, 0], [0.5, 0.5, 0], [1 / 3] * 3, [0, 0, 0], [0, 0, 1]]
    voted = counts.sum(axis=1)
    assert consensus.accuracy(shares, np.array([0, 1, 2, 0, 2]), voted) == pytest.approx((1 + 1 / 2 + 1 / 3 + 1) / 4)
    assert consensus.accuracy(shares, np.array([0, -1, -1, 0, -2]), voted) == pytest.approx(1 / 2)
    assert np.isnan(consensus.accuracy(shares, np.full(5, -1), voted))
    assert consensus.most_probable(np.array([[0.5, 0.5 + 1e-12, 0]])).tolist() == [[0.5, 0.5, 0]]


def test_the_others_leave_out_ones_own_vote() -> None:
    votes = put([(0, 0, 1), (0, 1, 1), (0, 2, 0), (1, 0, 0), (2, 0, 0), (2, 1, 1)])
    shares = consensus.with_others(votes.cast, votes.counts)
    # item 0: c1 against c0 and c1 tied; the same; c0 against two c1. item 1: nobody else. item 2: each other's opposite.
    assert shares.tolist()[:3] == [0.5, 0.5, 0]
    assert np.isnan(shares[3])
    assert shares.tolist()[4:] == [0, 0]
