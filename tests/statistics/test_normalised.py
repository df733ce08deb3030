"""Normalised scores and Fieller's interval."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from harness.statistics.normalised import normalised
from tests.statistics.simulation import binomial_bounds, rows_of

Three = tuple[dict[int, float], dict[int, float], dict[int, float]]


def three(seeds: int, rng: np.random.Generator, skyline: float = 0.9) -> Three:
    """Score, floor .3 and skyline, with seed luck in common."""
    Y = np.array([0.6, 0.3, skyline]) + rng.normal(0, 0.05, (seeds, 1)) + rng.normal(0, 0.03, (seeds, 3))
    score, floor, top = rows_of(Y).values()
    return score, floor, top


def test_the_value_is_the_ratio_of_means_on_the_seeds_of_all_three() -> None:
    scores = {0: 0.5, 1: 0.7, 2: 0.9, 3: 0.0}
    found = normalised(scores, {0: 0.1, 1: 0.2, 2: 0.3, 9: 5.0}, {1: 1.0, 2: 0.9, 0: 1.1, 3: float("nan")})
    assert found is not None
    assert found.value == pytest.approx(0.5 / 0.8)


def test_the_interval_holds_exactly_the_ratios_that_a_t_test_does_not_reject() -> None:
    """At both ends of the interval the p-value of score - floor - theta (skyline - floor) is 5 %."""
    scores, floor, skyline = three(6, np.random.default_rng(0))
    found = normalised(scores, floor, skyline)
    assert found is not None
    assert found.ci95 is not None
    part, whole = (np.array([row[s] - floor[s] for s in range(6)]) for row in (scores, skyline))
    for end in found.ci95:
        assert stats.ttest_1samp(part - end * whole, 0).pvalue == pytest.approx(0.05, rel=1e-6)
    assert found.ci95[0] < found.value < found.ci95[1]


@pytest.mark.parametrize("seeds", [3, 10])
def test_the_interval_covers_95_percent_from_both_sides(seeds: int) -> None:
    rng = np.random.default_rng(seeds)
    found = [normalised(*three(seeds, rng)) for _ in range(1500)]
    held = [each is not None and each.ci95 is not None and each.ci95[0] <= 0.5 <= each.ci95[1] for each in found]
    low, high = binomial_bounds(0.95, 1500)
    assert low <= np.mean(held) <= high


def test_it_is_given_exactly_where_skyline_and_floor_differ_significantly() -> None:
    rng = np.random.default_rng(1)
    given = []
    for _ in range(200):
        scores, floor, skyline = three(4, rng, skyline=0.35)
        p = stats.ttest_rel([skyline[s] for s in range(4)], [floor[s] for s in range(4)]).pvalue
        given.append(normalised(scores, floor, skyline) is not None)
        assert given[-1] == (p < 0.05)
    assert 0 < sum(given) < 200


def test_one_seed_is_decided_by_the_caller() -> None:
    one = ({0: 0.6}, {0: 0.2}, {0: 1.0})
    assert normalised(*one) is None
    found = normalised(*one, apart=True)
    assert found is not None
    assert found.value == pytest.approx(0.5)
    assert found.ci95 is None
    assert normalised({0: 0.6}, {0: 0.2}, {0: 0.2}, apart=True) is None
    assert normalised({0: 0.6}, {1: 0.2}, {0: 0.9}, apart=True) is None


def test_a_metric_of_which_less_is_better_and_references_that_do_not_vary() -> None:
    found = normalised({0: 20.0, 1: 30.0, 2: 26.0}, dict.fromkeys(range(3), 40.0), dict.fromkeys(range(3), 0.0))
    assert found is not None
    low, high = stats.t.interval(0.95, 2, *(lambda x: (x.mean(), stats.sem(x)))(np.array([0.5, 0.25, 0.35])))
    assert found.ci95 == pytest.approx((low, high))
    same = normalised(dict.fromkeys(range(3), 30.0), dict.fromkeys(range(3), 40.0), dict.fromkeys(range(3), 0.0))
    assert same is not None
    assert (same.value, same.ci95) == (0.25, None)
