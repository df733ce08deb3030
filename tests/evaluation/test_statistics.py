"""Bootstrap, tests and ranks against independent computations and simulation."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.api import FloatArray
from harness.errors import ProtocolError
from harness.evaluation.statistics import (
    holm,
    interval,
    item_weights,
    paired_p_value,
    ranks,
    replicates,
    separated,
)
from harness.tracks.base import Arrays


def mean_x(items: Arrays, weights: FloatArray) -> FloatArray:
    """Weighted mean of items["x"] [m]: [r]."""
    mean: FloatArray = weights @ np.asarray(items["x"], np.float64) / weights.sum(axis=1)
    return mean


def items_of(x: FloatArray) -> list[dict[str, FloatArray]]:
    """x [S, m] -> items per seed."""
    return [{"x": row} for row in x]


def test_replicates_are_those_of_a_plain_double_loop() -> None:
    """A loop that draws seeds, then items, by index and with another generator has the same distribution."""
    rng = np.random.default_rng(0)
    x = rng.normal(0, 1, (4, 30)) + rng.normal(0, 1, (4, 1))
    ours = replicates(items_of(x), mean_x, "f", n=20_000)
    loop = []
    for _ in range(20_000):
        drawn = rng.integers(0, 4, 4)
        loop.append(np.mean([x[s][rng.integers(0, 30, 30)].mean() for s in drawn]))
    assert ours.mean() == pytest.approx(x.mean(), abs=4 * ours.std() / np.sqrt(20_000))
    assert ours.std() == pytest.approx(np.std(loop), rel=0.03)
    assert stats.ks_2samp(ours, loop).pvalue > 1e-4


def test_spread_has_its_closed_form() -> None:
    """Variance of a nested resample of means: seeds' population variance over S plus items' mean variance over S m."""
    rng = np.random.default_rng(1)
    x = rng.normal(0, 1, (6, 50)) + np.arange(6)[:, None] * 0.1
    expected = x.mean(axis=1).var() / 6 + x.var(axis=1).mean() / (6 * 50)
    assert replicates(items_of(x), mean_x, "f", n=50_000).var() == pytest.approx(expected, rel=0.03)


def test_one_seed_resamples_its_items_only() -> None:
    x = np.random.default_rng(2).normal(3, 2, (1, 200))
    sample = replicates(items_of(x), mean_x, "f", n=20_000)
    assert sample.std() == pytest.approx(x.std() / np.sqrt(200), rel=0.03)
    low, high = interval(sample, seeds=1)
    assert (low, high) == interval(sample)
    assert low < x.mean() < high


def test_draws_depend_on_the_fingerprint_alone() -> None:
    x = np.random.default_rng(3).normal(0, 1, (3, 40))
    a = replicates(items_of(x), mean_x, "f", n=500)
    np.testing.assert_array_equal(a, replicates(items_of(x), mean_x, "f", n=500))
    assert not np.array_equal(a, replicates(items_of(x), mean_x, "g", n=500))
    np.testing.assert_allclose(replicates(items_of(x + 0.25), mean_x, "f", n=500) - a, 0.25, atol=1e-12)


def test_undefined_seeds_leave_the_mean() -> None:
    def second_undefined(items: Arrays, weights: FloatArray) -> FloatArray:
        return mean_x(items, weights) if items["x"][0] else np.full(len(weights), np.nan)

    items = items_of(np.array([[1.0] * 5, [0.0] * 5]))
    sample = replicates(items, second_undefined, "f", n=2000)
    assert np.isnan(sample).mean() == pytest.approx(0.25, abs=0.05)  # both draws fell on the undefined seed
    assert (sample[np.isfinite(sample)] == 1.0).all()
    assert interval(sample) == (1.0, 1.0)
    with pytest.raises(ValueError, match="at least one"):
        replicates([], mean_x, "f")


@settings(max_examples=30, deadline=None)
@given(rows=st.integers(1, 50), m=st.integers(1, 60))
def test_item_weights_count_m_draws(rows: int, m: int) -> None:
    weights = item_weights(np.random.default_rng(0), rows, m)
    assert weights.shape == (rows, m)
    assert weights.dtype == np.float32
    assert (weights.sum(axis=1) == m).all()
    drawn = np.random.default_rng(0).integers(0, m, (rows, m))
    np.testing.assert_array_equal(weights[-1], [np.sum(drawn[-1] == item) for item in range(m)])


def test_expanded_interval_is_students() -> None:
    """Over normal replicates whose spread is the plug-in error of S means, it is the t interval of those means."""
    means = np.random.default_rng(4).normal(0, 1, 10)
    exact = stats.t.interval(0.95, 9, means.mean(), stats.sem(means))
    normal = means.mean() + means.std() / np.sqrt(10) * stats.norm.ppf((np.arange(100_000) + 0.5) / 100_000)
    assert interval(normal, seeds=10) == pytest.approx(exact, abs=2e-3)


def test_intervals_cover_and_tests_keep_their_level() -> None:
    """500 boards of two methods with one expected score, seeds differing more than items: 95 % and 5 %, within error."""
    rng = np.random.default_rng(5)
    covered = rejected = 0
    for board in range(500):
        shared = rng.normal(0, 1, (8, 1))
        a, b = (shared + rng.normal(0, 0.7, (8, 1)) + rng.normal(0, 1, (8, 40)) for _ in "ab")
        ra, rb = (replicates(items_of(x), mean_x, f"f{board}", n=400) for x in (a, b))
        low, high = interval(ra, seeds=8)
        covered += low <= 0 <= high
        rejected += paired_p_value(ra, rb, seeds=8) < 0.05
    assert covered / 500 == pytest.approx(0.95, abs=0.039)  # four standard errors
    assert rejected / 500 == pytest.approx(0.05, abs=0.039)


@pytest.mark.parametrize("shift", [0.0, 0.2, 0.6])
def test_p_value_is_the_paired_t_test_where_items_add_nothing(shift: float) -> None:
    rng = np.random.default_rng(6)
    base = rng.normal(0, 3, 12)
    other = base + rng.normal(shift, 0.5, 12)
    a, b = (replicates(items_of(np.tile(v[:, None], 5)), mean_x, "f", n=20_000) for v in (other, base))
    p = stats.ttest_rel(other, base).pvalue
    assert paired_p_value(a, b, seeds=12) == pytest.approx(p, rel=0.12, abs=1e-3)
    assert paired_p_value(b, a, seeds=12) == paired_p_value(a, b, seeds=12)


def test_p_value_at_the_edges() -> None:
    a = np.random.default_rng(7).normal(0, 1, 100)
    assert paired_p_value(a, a, 5) == 1.0
    assert paired_p_value(a, a + 1e-17, 5) == 1.0
    assert paired_p_value(a, a - 0.5, 5) == 0.0
    assert paired_p_value(np.full(100, np.nan), a, 5) == 1.0
    with pytest.raises(ProtocolError, match="not paired"):
        paired_p_value(a, a[:50], 5)


def test_holm_on_a_worked_example() -> None:
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    assert holm([]).shape == (0,)


@settings(max_examples=100, deadline=None)
@given(p=st.lists(st.floats(0, 1), min_size=1, max_size=12), level=st.floats(0.001, 0.5))
def test_holm_rejects_as_the_step_down_procedure(p: list[float], level: float) -> None:
    left, rejected = sorted(range(len(p)), key=p.__getitem__), set()
    while left and p[left[0]] * len(left) < level:
        rejected.add(left.pop(0))
    assert {i for i, adjusted in enumerate(holm(p)) if adjusted < level} == rejected


def test_ranks_share_and_skip() -> None:
    """Two methods that cannot be told apart, then one that is plainly worse, in either direction."""
    rng = np.random.default_rng(8)
    noise = rng.normal(0, 0.02, (5, 200))
    skill = {"a": 0.8, "b": 0.799, "c": 0.5}
    x = {name: s + noise + rng.normal(0, 0.05, (5, 200)) for name, s in skill.items()}
    rows = {name: replicates(items_of(v), mean_x, "f") for name, v in x.items()}
    scores = {name: float(v.mean()) for name, v in x.items()}
    assert set(separated(rows, 5)) == {("a", "c"), ("b", "c")}
    assert ranks(rows, scores, "max", 5) == {"a": 1, "b": 1, "c": 3}
    assert ranks(rows, scores, "min", 5) == {"c": 1, "b": 2, "a": 2}
    assert ranks({"a": rows["a"]}, scores, "max", 5) == {"a": 1}
    assert ranks({}, {}, "max", 5) == {}


def test_a_better_score_never_ranks_lower_and_separated_rows_never_share() -> None:
    """A wide row ties with rows that are separated from each other: being tied is not transitive."""
    rng = np.random.default_rng(3)
    spread = {"a": 0.01, "b": 0.2, "c": 0.01, "d": 0.2, "e": 0.01}
    x = {name: 0.9 - 0.03 * i + rng.normal(0, sd, (10, 50)) for i, (name, sd) in enumerate(spread.items())}
    rows = {name: replicates(items_of(v), mean_x, "f") for name, v in x.items()}
    scores = {name: float(v.mean()) for name, v in x.items()}
    apart = separated(rows, 10)
    placed = ranks(rows, scores, "max", 10)
    assert 0 < len(apart) < 10, "some pairs are separated and some are not"
    for one, other in combinations(sorted(rows, key=lambda name: -scores[name]), 2):
        assert placed[one] <= placed[other]
        assert placed[one] < placed[other] or tuple(sorted((one, other))) not in apart


def test_a_board_of_twenty_can_still_be_told_apart() -> None:
    """190 pairs: counting 2000 replicates could not go below .001 x 190; the test statistic can."""
    rng = np.random.default_rng(9)
    x = {f"m{i:02}": i * 0.1 + rng.normal(0, 0.1, (10, 100)) for i in range(20)}
    rows = {name: replicates(items_of(v), mean_x, "f") for name, v in x.items()}
    placed = ranks(rows, {name: float(v.mean()) for name, v in x.items()}, "max", 10)
    assert [placed[f"m{i:02}"] for i in range(20)] == list(range(20, 0, -1))
