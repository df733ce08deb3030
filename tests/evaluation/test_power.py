"""What a challenge can resolve, against scipy's paired t-test and a hand computation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from harness.evaluation.power import summary

RNG = np.random.default_rng(5)
SCORES = {
    "random": np.array([0.10, 0.20, 0.15, 0.25, 0.30]),
    "skyline": np.array([0.90, 0.95, 0.85, 0.99, 0.91]),
    "method": np.array([0.50, 0.52, 0.61, 0.70, 0.58]),
}


def test_separations_are_paired_t_statistics() -> None:
    facts = summary(SCORES, {})
    for a, b in (("random", "skyline"), ("random", "method"), ("skyline", "method")):
        expected = stats.ttest_rel(SCORES[b], SCORES[a]).statistic
        assert facts[f"{b} - {a}, standard errors"] == pytest.approx(expected, abs=0.051)
    assert facts["method, mean"] == pytest.approx(np.mean(SCORES["method"]), abs=1e-4)


def test_the_smallest_difference_resolved_has_power_80_percent() -> None:
    """By hand: differences with standard deviation 0.1 over 25 seeds resolve 2.8 standard errors of 0.02."""
    difference = np.tile([0.1, -0.1], 13)[:25]
    difference = (difference - difference.mean()) / difference.std(ddof=1) * 0.1
    resolved = summary({"random": np.zeros(25), "skyline": difference + 0.7}, {})["smallest difference resolved"]
    assert resolved == pytest.approx((stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) * 0.1 / math.sqrt(25), abs=1e-4)
    draws = RNG.normal(resolved, 0.1, (4000, 25))  # a method that much better, measured 4000 times
    z = draws.mean(axis=1) / (0.1 / math.sqrt(25))
    assert np.mean(np.abs(z) > stats.norm.ppf(0.975)) == pytest.approx(0.8, abs=0.03)


def test_seeds_with_nothing_to_measure_are_left_out() -> None:
    gone = {name: np.append(values, np.nan) for name, values in SCORES.items()}
    assert summary(gone, {}) == summary(SCORES, {})


def test_seconds_are_reported() -> None:
    assert summary(SCORES, {"method": 12.34})["method, seconds of work a run"] == 12.3


@pytest.mark.parametrize("seeds", [1, 3])
def test_where_nothing_varies_nothing_is_claimed(seeds: int) -> None:
    """One seed, or equal scores on all: no standard error exists, and no number is invented."""
    facts = summary({"random": np.zeros(seeds), "skyline": np.ones(seeds)}, {})
    assert facts["skyline - random, standard errors"] is None
    if seeds == 1:
        assert facts["smallest difference resolved"] is None
    else:
        assert facts["smallest difference resolved"] == 0
