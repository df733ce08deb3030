"""Intervals of a row: coverage from both sides, scipy, and scores that do not vary."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from harness.api import FloatArray
from harness.statistics.bootstrap import replicates
from harness.statistics.intervals import MEASUREMENT_NOISE_ONLY, basis, interval
from tests.statistics.simulation import Noise, binomial_bounds, covered, covered_of, mean_x, real_counts


def of(x: FloatArray) -> tuple[float, float]:
    """x [S, m] -> interval of its seeds' means."""
    return interval(dict(enumerate(x.mean(axis=1).tolist())), [{"x": row} for row in x], mean_x, "f")


@pytest.mark.parametrize("seeds", [3, 5, 10, 30])
@pytest.mark.parametrize("noise", ["seed", "item", "both"])
def test_intervals_cover_neither_less_nor_more_than_95_percent(seeds: int, noise: Noise) -> None:
    low, high = binomial_bounds(0.95, 1500)
    assert low > 0.92
    assert high < 0.98, "a method that covers 98 to 100 % fails here"
    assert low <= covered(seeds, noise, 1500, np.random.default_rng(seeds)) <= high


@pytest.mark.parametrize("seeds", [3, 5, 10, 30])
@pytest.mark.parametrize("submission", ["dense_margin", "lowest_margin"])
def test_intervals_cover_the_mean_of_300_real_seeds(submission: str, seeds: int) -> None:
    """Skewed scores in steps of 1 / 40; thirty of 300 without replacement are a point more precise than the interval says."""
    share = covered_of(real_counts()[submission], seeds, 1500, np.random.default_rng(seeds))
    low, high = binomial_bounds(0.95, 1500)
    assert low <= share <= high + 0.01 * (seeds == 30)


def test_three_seeds_or_more_give_scipys_t_interval_by_seed_and_not_by_position() -> None:
    scores = {7: 0.4, 2: 0.5, 11: 0.75, 3: float("nan")}
    values = np.array([0.4, 0.5, 0.75])
    expected = stats.t.interval(0.95, 2, values.mean(), stats.sem(values))
    assert interval(scores, [], mean_x, "f") == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("seeds", [1, 2])
def test_one_or_two_seeds_show_measurement_noise_only(seeds: int) -> None:
    x = (np.random.default_rng(0).random((seeds, 300)) < 0.6).astype(float)
    assert of(x) == pytest.approx(np.quantile(replicates([{"x": row} for row in x], mean_x, "f"), [0.025, 0.975]))
    low, high = of(x)
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(0.24 / 300 / seeds), rel=0.1)
    assert basis(seeds) == MEASUREMENT_NOISE_ONLY
    assert basis(3) != MEASUREMENT_NOISE_ONLY


@pytest.mark.parametrize("seeds", [1, 2, 3, 10])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_perfect_score_on_every_seed_has_the_exact_binomial_interval(seeds: int, value: float) -> None:
    """Of one seed's items however many seeds there are: they overlap."""
    exact = stats.binomtest(round(40 * value), 40).proportion_ci(0.95, "exact")
    assert of(np.full((seeds, 40), value)) == pytest.approx((exact.low, exact.high), abs=1e-12)


def test_the_exact_bound_rests_on_the_seed_with_the_fewest_items() -> None:
    items = [{"x": np.ones(m)} for m in (100, 20, 50)]
    low, high = interval({0: 1.0, 1: 1.0, 2: 1.0 - 1e-16}, items, mean_x, "f")
    assert low == pytest.approx(0.025 ** (1 / 20))
    assert high == 1.0


def test_equal_scores_of_items_that_vary_take_the_wider_interval() -> None:
    """One half on every seed: with 1,000 items the bootstrap is wider than the bound, with three items the bound is."""
    many = np.tile([0.0, 1.0], (3, 500))
    low, high = of(many)
    assert (low, high) == pytest.approx(
        np.quantile(replicates([{"x": row} for row in many], mean_x, "f"), [0.025, 0.975])
    )
    assert 0.03 < high - low < 0.05
    assert of(np.tile([0.0, 1.0], (10, 2))) == (0.0, 1.0)


def test_scores_outside_0_to_1_are_not_clipped() -> None:
    low, high = of(np.full((5, 30), -3.0))
    assert low < -3 < high
    assert high - low == pytest.approx(2 * (1 - 0.025 ** (1 / 30)))


def test_a_statistic_that_no_resample_defines_leaves_the_bound() -> None:
    low, high = interval({0: 0.5}, [{"x": np.ones(9)}], lambda _, weights: np.full(len(weights), np.nan), "f")
    assert (low, high) == pytest.approx((0.5 - (1 - 0.025 ** (1 / 9)), 0.5 + (1 - 0.025 ** (1 / 9))))


def test_an_interval_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one seed"):
        interval({0: float("nan")}, [], mean_x, "f")
