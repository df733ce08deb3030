"""What a board resolves, against scipy and against simulated boards."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from harness.statistics.resolution import critical_value, resolved, seeds_for
from tests.statistics.simulation import power_of_pair, power_of_t


def test_two_rows_have_students_critical_value_and_power() -> None:
    assert critical_value(2, 8) == pytest.approx(stats.t.ppf(0.975, 7))
    for seeds in (3, 8, 40):
        assert power_of_t(seeds, resolved(1.0, 2, seeds)) == pytest.approx(0.8, abs=0.003)
        assert power_of_t(seeds, resolved(1.0, 2, seeds, power=0.5)) == pytest.approx(0.5, abs=0.003)


def test_many_seeds_have_tukeys_critical_value() -> None:
    """The largest of all pairwise t with known variance is the studentised range over the square root of two."""
    expected = stats.studentized_range.ppf(0.95, 12, np.inf) / np.sqrt(2)
    assert critical_value(12, 1000) == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(("rows", "seeds"), [(4, 3), (4, 7), (20, 6)])
def test_the_critical_value_is_that_of_simulated_boards(rows: int, seeds: int) -> None:
    """Plain t tests on boards drawn as scores, on both sides of the two ways in which it is simulated."""
    Y = np.random.default_rng(0).normal(0, 1, (4000, seeds, rows))
    largest = np.max(
        [np.abs(stats.ttest_rel(Y[:, :, i], Y[:, :, j], axis=1).statistic) for i in range(rows) for j in range(i)],
        axis=0,
    )
    assert np.mean(largest > critical_value(rows, seeds)) == pytest.approx(0.05, abs=0.015)


@pytest.mark.parametrize(("rows", "seeds"), [(2, 10), (6, 3), (6, 10), (16, 5)])
def test_boards_resolve_what_is_promised(rows: int, seeds: int) -> None:
    """One of K rows better by just that much: the tests of the board tell it from each other with 80 to 90 %."""
    shift = resolved(1.0, rows, seeds)
    boards = {2: 1000, 6: 300, 16: 100}[rows]
    assert 0.75 <= power_of_pair(seeds, shift, rows, boards, np.random.default_rng(0)) <= 0.93
    assert power_of_pair(seeds, shift / 2, rows, 50, np.random.default_rng(1)) < 0.6


def test_seeds_for_is_the_fewest() -> None:
    for difference in (0.4, 1.0, 5.0):
        seeds = seeds_for(difference, 1.0, 10)
        assert seeds is not None
        assert resolved(1.0, 10, seeds) <= difference < resolved(1.0, 10, seeds - 1)
    assert seeds_for(0.01, 1.0, 10) is None
    assert resolved(0.02, 10, 6) == pytest.approx(0.02 * resolved(1.0, 10, 6))
    assert resolved(1.0, 10, 1) == np.inf
    with pytest.raises(ValueError, match="two rows and two seeds"):
        critical_value(1, 5)
