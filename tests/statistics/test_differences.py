"""Comparisons: scipy, family-wise error and power from both sides, copies of rows."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.statistics import maxt
from harness.statistics.differences import adjusted, difference
from harness.statistics.rank_sets import rank_sets
from tests.statistics.simulation import (
    Kind,
    Rows,
    binomial_bounds,
    families,
    family_error,
    gaussian,
    holm,
    independent,
    power_of_pair,
    power_of_t,
    rows_of,
    uneven,
)


def noise(seeds: int, rows: int, seed: int = 0) -> Rows:
    return rows_of(np.random.default_rng(seed).normal(0, 1, (seeds, rows)))


@settings(max_examples=50, deadline=None)
@given(seeds=st.integers(2, 30), shift=st.floats(-3, 3), seed=st.integers(0, 1000))
def test_a_difference_is_scipys_paired_t_test(seeds: int, shift: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(shift, 1, seeds), rng.normal(0, 1, seeds)
    expected = stats.ttest_rel(a, b)
    found = difference(dict(enumerate(a)), dict(enumerate(b)))
    assert found.mean == pytest.approx(expected.statistic * stats.sem(a - b), rel=1e-9)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-9)
    assert found.ci95 == pytest.approx(tuple(expected.confidence_interval(0.95)), rel=1e-9)
    two = rows_of(np.stack([a, b], axis=1))
    assert adjusted(two)["r00", "r01"] == pytest.approx(expected.pvalue, rel=1e-9)


def test_rows_are_paired_by_seed_number_on_the_seeds_of_both() -> None:
    a = {3: 0.5, 1: 0.9, 7: 0.2, 5: float("nan"), 4: 0.5}
    b = {1: 0.8, 3: 0.3, 5: 0.1, 4: 0.5, 9: 0.0}
    found = difference(a, b)
    assert found.seeds == (1, 3, 4)
    assert found.mean == pytest.approx(0.1)
    assert found.p == pytest.approx(stats.ttest_rel([0.9, 0.5, 0.5], [0.8, 0.3, 0.5]).pvalue)


def test_few_seeds_and_differences_that_do_not_vary() -> None:
    none = difference({0: 1.0}, {1: 1.0})
    assert np.isnan(none.mean)
    assert (none.p, none.ci95, none.seeds) == (None, None, ())
    one = difference({0: 1.0}, {0: 0.25})
    assert (one.mean, one.p, one.ci95) == (0.75, None, None)
    same = dict.fromkeys(range(6), 0.7)
    assert difference(same, same).p == 1.0
    constant = difference(dict.fromkeys(range(6), 0.8), same)
    assert constant.p == pytest.approx(stats.binomtest(6, 6).pvalue)
    assert constant.ci95 is None


@pytest.mark.parametrize(
    ("seeds", "kind"), [(3, independent), (3, families), (4, families), (5, uneven), (10, families)]
)
def test_family_wise_error_is_neither_above_nor_far_below_5_percent(seeds: int, kind: Kind) -> None:
    low, high = binomial_bounds(0.05, 400)
    assert low > 0.015
    assert high < 0.095
    assert low <= family_error(seeds, 5, kind, 400, np.random.default_rng(seeds)) <= high


def test_the_same_simulation_shows_that_gaussian_draws_go_wrong_on_three_seeds() -> None:
    """So the test above can fail: the covariance of 45 differences cannot be estimated from three seeds."""
    error = family_error(3, 10, independent, 400, np.random.default_rng(0), p_values=gaussian)
    assert error > binomial_bounds(0.05, 400)[1] - 0.01


def test_error_among_equal_rows_is_kept_beside_rows_that_differ() -> None:
    """Strong control: three rows far better each leave the five equal ones their 5 %."""
    low, high = binomial_bounds(0.05, 400)
    assert low <= family_error(5, 7, independent, 400, np.random.default_rng(1), better=3) <= high


@pytest.mark.parametrize(("seeds", "shift"), [(3, 2.5), (5, 1.3), (10, 0.9), (30, 0.5)])
def test_power_for_two_rows_is_that_of_the_paired_t_test(seeds: int, shift: float) -> None:
    expected = power_of_t(seeds, shift)
    assert 0.3 < expected < 0.9
    assert power_of_pair(seeds, shift, 2, 2000, np.random.default_rng(seeds)) == pytest.approx(expected, abs=0.045)


@pytest.mark.parametrize("seeds", [3, 10])
def test_a_copy_of_any_row_changes_no_other_pair_at_all(seeds: int) -> None:
    rows = noise(seeds, 6)
    rows["r00"] = {s: v + 40 for s, v in rows["r00"].items()}
    alone = adjusted(rows)
    assert min(alone.values()) < 0.05 < max(alone.values())
    for name in rows:
        more = adjusted(rows | {"copy": dict(rows[name]), "zz": dict(rows[name])})
        assert {pair: more[pair] for pair in alone} == alone
        assert more["copy", "zz"] == 1.0
        for other in rows.keys() - {name}:
            assert more["copy", other] == alone[min(name, other), max(name, other)]


def test_a_copy_that_was_rounded_otherwise_is_a_copy() -> None:
    rows = noise(10, 6)
    rows["r00"] = {s: v + 40 for s, v in rows["r00"].items()}
    alone = adjusted(rows)
    more = adjusted(rows | {"copy": {s: v * (1 + 3e-16) for s, v in rows["r00"].items()}})
    assert more["copy", "r00"] == 1.0
    assert {pair: more[pair] for pair in alone} == pytest.approx(alone, abs=1e-4)


def test_thirty_copies_of_a_bad_row_do_not_tie_everybody() -> None:
    """Holm's correction, which counts pairs, does tie the first three on the same board."""
    rng = np.random.default_rng(0)
    rows = rows_of(rng.normal([0.9, 0.84, 0.78, 0.2], 0.03, (10, 4)))
    crowd = rows | {f"clone{k}": dict(rows["r03"]) for k in range(30)}
    sets = rank_sets(crowd, "max")
    assert [sets[name] for name in ("r00", "r01", "r02")] == [(1, 1), (2, 2), (3, 3)]
    assert sets["clone7"] == (4, 34)
    assert min(holm(crowd)["r00", "r01"], holm(crowd)["r01", "r02"]) > 0.05


def test_fifteen_random_rows_beside_the_best_are_told_from_it() -> None:
    """120 pairs on ten seeds, of the size that random permutations and the best baseline of test_set_digits have."""
    told = 0
    for board in range(20):
        Y = np.random.default_rng(board).normal([0.15] + 15 * [0.025], [0.04] + 15 * [0.02], (10, 16))
        told += rank_sets(rows_of(Y), "max")["r00"] == (1, 1)
    assert told >= 18


def test_no_adjusted_p_value_is_below_the_raw_one_and_the_last_is_the_raw_one() -> None:
    """Where two rows nearly agree, nothing is left to correct for, and only simulation error could make a difference."""
    for seed in range(20):
        rows = noise(8, 2, seed) | {"r01b": {}}
        rows["r01b"] = {s: v + 1e-3 * np.random.default_rng(s).normal() for s, v in rows["r01"].items()}
        told = adjusted(rows)
        single = {(a, b): difference(rows[a], rows[b]).p or 0.0 for a, b in told}
        assert list(told) == list(combinations(sorted(rows), 2))
        assert all(told[pair] >= single[pair] * (1 - 1e-12) for pair in told)
        last = max(single, key=lambda pair: single[pair])
        assert told[last] == pytest.approx(max(single[last], *(told[pair] for pair in told if pair != last)), rel=1e-9)


def test_order_of_p_values_is_kept() -> None:
    rows = noise(8, 12)
    rows["r00"] = {s: v + 2 for s, v in rows["r00"].items()}
    told = adjusted(rows)
    by_raw = [told[pair] for pair in sorted(told, key=lambda pair: difference(rows[pair[0]], rows[pair[1]]).p or 0.0)]
    assert by_raw == sorted(by_raw)
    assert len(set(by_raw)) > 10


def test_an_answer_depends_on_the_rows_alone() -> None:
    rows = noise(6, 8)
    backwards = {name: dict(reversed(rows[name].items())) for name in reversed(rows)}
    told = adjusted(rows)
    maxt._sphere.cache_clear()
    assert adjusted(backwards) == told


def test_pairs_with_other_common_seeds_are_groups_and_groups_pay() -> None:
    rows = {name: {s: v for s, v in row.items() if (name, s) != ("r03", 9)} for name, row in noise(10, 4).items()}
    whole = {name: rows[name] for name in ("r00", "r01", "r02")}
    short = {name: {s: v for s, v in row.items() if s != 9} for name, row in rows.items()}
    told, alone = adjusted(rows), adjusted(whole)
    for pair, p in alone.items():
        assert told[pair] == min(1.0, 2 * p)
    assert told["r00", "r03"] >= min(1.0, 2 * (difference(short["r00"], short["r03"]).p or 0))
    one = {"a": {0: 1.0, 1: 2.0}, "b": {1: 1.0, 2: 5.0}, "c": {7: 1.0}}
    assert set(adjusted(one).values()) == {1.0}
    assert adjusted({}) == {}


def test_a_copy_that_makes_a_group_of_identical_rows_costs_nothing() -> None:
    full = {"a": {0: 1.0, 1: 2.0, 2: 2.5, 3: 1.0}, "b": {0: 0.5, 1: 0.7, 2: 1.5}}
    assert adjusted(full | {"a2": full["a"]})["a", "b"] == adjusted(full)["a", "b"]


def test_rows_that_never_vary_are_tested_by_flips_of_seeds() -> None:
    """Ten seeds tell 1.0 from 0.0 on each whoever else is on the board; three cannot, and do not spoil the others."""
    for seeds in (3, 10):
        rows = noise(seeds, 5) | {"one": dict.fromkeys(range(seeds), 50.0), "two": dict.fromkeys(range(seeds), -50.0)}
        told = adjusted(rows)
        assert told["one", "two"] == 2.0 ** (1 - seeds)
        assert told["one", "r00"] < 0.05 if seeds == 10 else told["one", "r00"] < told["one", "two"]


@pytest.mark.parametrize("rows", [2, 5])
def test_constant_differences_of_chance_are_controlled(rows: int) -> None:
    """Scores of 0 or 1 by coin on six seeds: brute force over all flips gives the share of infinite t statistics."""
    rng = np.random.default_rng(0)
    Y = rng.integers(0, 2, (6, rows)).astype(float)
    Y[:, 0], Y[:, 1] = 1.0, 0.0
    Y[:, 3:4] = 1 - Y[:, 2:3]  # this pair differs by one on every seed, this way or that
    D = np.stack([Y[:, i] - Y[:, j] for i, j in combinations(range(rows), 2)], axis=1)
    flips = np.array(np.meshgrid(*[[-1, 1]] * 6)).reshape(6, -1).T
    infinite = np.mean([any(abs(d.sum()) == 6 * abs(d[0]) > 0 for d in (flip[:, None] * D).T) for flip in flips])
    assert adjusted(rows_of(Y))["r00", "r01"] == pytest.approx(infinite)
