"""Rank sets against the published procedure by brute force, and their coverage."""

from __future__ import annotations

from itertools import permutations
from typing import Literal

import numpy as np
import pytest
from scipy import stats

from harness.statistics import rank_sets as module
from harness.statistics.rank_sets import rank_sets
from tests.statistics.simulation import binomial_bounds, ranks_covered, rows_of

NAMES = ("a", "b", "c", "d", "e")


def board() -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Eight seeds of five methods: two close ones on top, two in the middle, one that varies much."""
    shared = np.random.default_rng(3).normal(0, 0.05, (8, 1))
    own = np.random.default_rng(4).normal(0, [0.02, 0.02, 0.02, 0.03, 0.1], (8, 5))
    return np.array([0.9, 0.89, 0.8, 0.77, 0.7]) + shared + own


def by_hand(Y: np.ndarray[tuple[int, ...], np.dtype[np.float64]], sign: int) -> list[tuple[int, int]]:
    """Mogstad et al., step by step: test the hypotheses left at the 95 % quantile of their largest |t|, drop, repeat.

    The quantile is over whole random orthogonal matrices, one scipy t test for each pair and rotation.
    """
    left = {(i, j) for i, j in permutations(range(5), 2) if i < j}
    turned = np.einsum("rst,tk->rsk", stats.ortho_group.rvs(8, 4000, random_state=1), Y)
    null = {(i, j): np.abs(stats.ttest_rel(turned[:, :, i], turned[:, :, j], axis=1).statistic) for i, j in left}
    t = {(i, j): stats.ttest_rel(Y[:, i], Y[:, j]).statistic for i, j in left}
    above: set[tuple[int, int]] = set()
    while left:
        bound = np.quantile(np.max([null[pair] for pair in left], axis=0), 0.95)
        rejected = {pair for pair in left if abs(t[pair]) > bound}
        above |= {(i, j) if sign * t[i, j] > 0 else (j, i) for i, j in rejected}
        left -= rejected
        if not rejected:
            break
    return [(1 + sum(j == k for _, j in above), 5 - sum(i == k for i, _ in above)) for k in range(5)]


@pytest.mark.parametrize(("direction", "sign"), [("max", 1), ("min", -1)])
def test_sets_are_those_of_the_published_procedure(direction: str, sign: int) -> None:
    Y = board()
    found = rank_sets(dict(zip(NAMES, rows_of(Y).values(), strict=True)), direction)  # type: ignore[arg-type]
    assert [found[name] for name in NAMES] == by_hand(Y, sign)
    assert len(set(found.values())) > 2, "the example separates some and not others"
    assert any(1 < worst - best + 1 < 5 for best, worst in found.values())


def test_sets_of_equal_rows_cover_with_95_percent_from_both_sides() -> None:
    low, high = binomial_bounds(0.95, 500)
    assert high < 0.985
    assert low <= ranks_covered(np.zeros(5), 6, 500, np.random.default_rng(0))[0] <= high


def test_sets_cover_where_some_rows_differ_and_are_not_the_whole_board() -> None:
    share, width = ranks_covered(np.array([0.0, 0.0, 3.0, 6.0, 6.0]), 10, 300, np.random.default_rng(1))
    assert share >= binomial_bounds(0.95, 300)[0]
    assert width < 2


def test_one_seed_ranks_nobody_apart_and_small_boards_are_boards() -> None:
    assert rank_sets({"a": {0: 0.9}, "b": {0: 0.1}, "c": {0: 0.2}}, "max") == dict.fromkeys("abc", (1, 3))
    assert rank_sets({"a": {0: 0.9}}, "max") == {"a": (1, 1)}
    assert rank_sets({}, "min") == {}
    with pytest.raises(ValueError, match="max or min"):
        rank_sets({}, "up")  # type: ignore[arg-type]


def test_rows_added_leave_the_order_of_others() -> None:
    """Sets are of a board and may widen; no set ever puts a better mean surely behind a worse one."""
    rows = dict(zip(NAMES, rows_of(board()).values(), strict=True))
    more = rows | rows_of(np.random.default_rng(5).normal(0.8, 0.1, (8, 6)))
    for sets in (rank_sets(rows, "max"), rank_sets(more, "max")):
        for one in rows:
            for other in rows:
                if np.mean(list(rows[one].values())) > np.mean(list(rows[other].values())):
                    assert sets[one][0] <= sets[other][1]


@pytest.mark.parametrize("direction", ["max", "min"])
def test_many_rows_are_paired_t_tests_corrected_after_bonferroni(
    direction: Literal["max", "min"], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a loop over scipy's tests has it; a board of many rows is held in blocks."""
    monkeypatch.setattr(module, "_BLOCK", 7)
    rng = np.random.default_rng(7)
    k = 30
    scores = rng.normal(np.arange(k)[:, None] * 0.3, 0.3, (k, 6))
    scores[3] = scores[4]  # a copy
    scores[5] = scores[6] + 0.5  # the same difference on every seed proves nothing by itself
    rows = {f"r{i:02}": dict(enumerate(row)) for i, row in enumerate(scores)}
    expected = {}
    for name, row in rows.items():
        better = worse = 0
        for other in rows.values():
            d = np.array([row[seed] - other[seed] for seed in row])
            if np.ptp(d) > 1e-9 and stats.ttest_1samp(d, 0).pvalue < 0.05 / (k * (k - 1) / 2):
                ahead = (d.mean() > 0) == (direction == "max")
                better, worse = better + (not ahead), worse + ahead
        expected[name] = (1 + better, k - worse)
    found = module._many(rows, direction, 0.05)
    assert found == expected
    assert len(set(expected.values())) > 5
