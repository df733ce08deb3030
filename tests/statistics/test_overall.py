"""Overall scores against scipy and by simulation: coverage, family-wise error, clones, missing entries, constant differences."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from harness.statistics.overall import Entry, NoScale, Panel, Scale, overall, pairs, panel, rank_sets, scale
from tests.statistics.panels import gaussian, with_column

RNG = np.random.default_rng


def by_seed(*values: float) -> dict[int, float]:
    return dict(enumerate(values))


def test_a_scale_is_floor_to_skyline_in_either_direction() -> None:
    up = scale(by_seed(0.1, 0.2, 0.3), by_seed(0.8, 0.9, 1.0), "max")
    assert up(0.2) == pytest.approx(0.0)
    assert up(0.9) == pytest.approx(1.0)
    assert up(0.55) == pytest.approx(0.5)
    down = scale(by_seed(0.8, 0.9, 1.0), by_seed(0.1, 0.2, 0.3), "min")
    assert down(0.9) == pytest.approx(0.0)
    assert down(0.2) == pytest.approx(1.0)
    assert down(1.6) == pytest.approx(-1.0)


@pytest.mark.parametrize(
    ("floor", "skyline", "why"),
    [
        (by_seed(0.5, 0.5), by_seed(0.5, 0.5), "no better"),
        (by_seed(0.5, 0.6), by_seed(0.4, 0.5), "no better"),
        (by_seed(0.5, 0.9, 0.1), by_seed(0.6, 0.4, 0.8), "by more than chance"),
        (by_seed(0.5), {7: 0.9}, "no seed"),
        ({}, by_seed(0.9), "no seed"),
    ],
)
def test_no_scale_where_the_references_do_not_differ(floor: dict[int, float], skyline: dict[int, float], why: str):
    with pytest.raises(NoScale, match=why):
        scale(floor, skyline, "max")


def test_scales_are_told_apart_as_scipy_does() -> None:
    rng = RNG(3)
    verdicts = set()
    for _ in range(200):
        low, high = rng.normal(0.0, 1, 4), rng.normal(1.5, 1, 4)
        apart = high.mean() > low.mean() and stats.ttest_rel(low, high).pvalue < 0.05
        try:
            scale(by_seed(*low), by_seed(*high), "max")
            ours = True
        except NoScale:
            ours = False
        verdicts.add(ours)
        assert ours == apart
    assert verdicts == {True, False}


def test_one_or_constant_references_give_a_scale() -> None:
    assert scale(by_seed(0.2), by_seed(0.9), "max").skyline == 0.9
    assert scale(by_seed(0.25, 0.5), by_seed(0.75, 1.0), "max").floor == 0.375


def test_a_panel_aligns_seeds_by_number_and_fills_the_missing_with_the_floor() -> None:
    on = Scale(0.2, 0.7, (0, 1, 2))
    entries = [Entry("c", "a", {2: 0.7, 0: 0.2}), Entry("c", "b", {0: 0.7, 1: 0.2, 2: 0.45}), Entry("d", "m", {0: 9.0})]
    made = panel("c", entries, ["a", "b", "m"], on)
    assert made.seeds == (0, 1, 2)
    np.testing.assert_allclose(made.values, np.array([[0, 1, 0], [np.nan, 0, 0], [1, 0.5, 0]]))
    assert made.missing.tolist() == [False, False, True]
    empty = panel("e", entries, ["a", "b"], on)
    assert empty.seeds == on.seeds
    assert empty.missing.all()
    assert not empty.values.any()


def test_one_challenge_is_the_t_interval_and_the_paired_t_test() -> None:
    (one,) = gaussian(RNG(0), [7], [0.0, 1.2])
    a, b = one.values.T
    found = overall([one])
    low, high = stats.t.interval(0.95, 6, a.mean(), stats.sem(a))
    assert (found.score[0], found.low[0], found.high[0], found.df[0]) == pytest.approx((a.mean(), low, high, 6))
    pair = pairs([one], draws=20_000)
    test = stats.ttest_rel(a, b)
    assert pair.p[0] == pytest.approx(test.pvalue)
    assert pair.adjusted[0] == pytest.approx(test.pvalue, abs=0.006)
    interval = test.confidence_interval()
    assert (pair.low[0], pair.high[0]) == pytest.approx((interval.low, interval.high))


def test_two_challenges_are_the_welch_test() -> None:
    """The sum of two independent means, one of them with its sign turned, is what Welch's test compares."""
    first, second = gaussian(RNG(1), [5, 9], [0.4], spread=[1.0, 0.3])
    turned = Panel(second.challenge, second.seeds, -second.values, second.missing)
    found = overall([first, turned])
    test = stats.ttest_ind(first.values[:, 0], second.values[:, 0], equal_var=False)
    interval = test.confidence_interval()
    assert found.df[0] == pytest.approx(test.df)
    assert (2 * found.low[0], 2 * found.high[0]) == pytest.approx((interval.low, interval.high))
    none = Panel("x", (0, 1), np.zeros((2, 1)), np.ones(1, dtype=bool))
    missing = overall([first, turned, none])  # counts as 0 for certain: same degrees of freedom, a third of the sum
    assert (3 * missing.low[0], missing.df[0]) == pytest.approx((interval.low, test.df))


def test_pairs_use_the_seeds_that_both_measured() -> None:
    (one,) = gaussian(RNG(2), [8], [0.0, 0.5, 1.0])
    values = one.values.copy()
    values[:2, 0] = np.nan
    values[7, 1] = np.nan
    found = pairs([Panel("c0", one.seeds, values, one.missing)], draws=500)
    for i, (a, b) in enumerate(zip(found.first, found.second, strict=True)):
        both = np.isfinite(values[:, a]) & np.isfinite(values[:, b])
        assert found.p[i] == pytest.approx(stats.ttest_rel(values[both, a], values[both, b]).pvalue)
        assert found.difference[i] == pytest.approx((values[both, a] - values[both, b]).mean())


@pytest.mark.parametrize(
    ("seeds", "k", "spread", "shared", "mean_coverage"),
    [
        ([10], 4, None, 0.7, 0.95),
        ([3, 3, 3], 4, None, 0.7, 0.965),  # few degrees of freedom in few challenges: on the safe side
        ([10, 10, 5], 5, [1.0, 0.2, 0.2], 0.7, 0.95),
        ([5, 5], 12, None, 0.0, 0.95),  # more entries than seeds, each with luck of its own
    ],
)
def test_family_wise_error_and_coverage(
    seeds: list[int], k: int, spread: list[float] | None, shared: float, mean_coverage: float
) -> None:
    """Under equality about one board in twenty tells any two apart; intervals of the mean cover as they say."""
    rng, boards = RNG(11), 500
    false, covered = 0, 0.0
    for _ in range(boards):
        panels = gaussian(rng, seeds, [0.0] * k, spread, shared)
        false += bool((pairs(panels, draws=300).adjusted < 0.05).any())
        found = overall(panels)
        covered += float(((found.low < 0) & (found.high > 0)).mean())
    assert 0.02 <= false / boards <= 0.075  # .05 and two and a half standard errors
    assert covered / boards == pytest.approx(mean_coverage, abs=0.02)


def test_equal_overall_need_not_be_equal_on_each_challenge() -> None:
    """Who is better on one challenge by what the other loses on the next is told apart on one board in twenty."""
    rng, boards, false = RNG(13), 500, 0
    for _ in range(boards):
        up, down = gaussian(rng, [6, 6], [-3.0, -1.0, 1.0, 3.0])
        down = Panel(down.challenge, down.seeds, -down.values, down.missing)
        false += bool((pairs([up, down], draws=300).adjusted < 0.05).any())
    assert 0.02 <= false / boards <= 0.075


def test_false_directions_and_pairs_when_some_differ() -> None:
    """Two groups far apart: pairs within a group are still falsely told apart on one board in twenty."""
    rng, boards, false = RNG(5), 400, 0
    sets_right = 0
    for _ in range(boards):
        panels = gaussian(rng, [8, 8], [0.0, 0.0, 5.0, 5.0])
        found = pairs(panels, draws=300)
        told = {(int(a), int(b)) for a, b, p in zip(found.first, found.second, found.adjusted, strict=True) if p < 0.05}
        false += bool(told & {(0, 1), (2, 3)})
        sets = rank_sets(found, 4)
        sets_right += sets[0][1] == sets[1][1] == 4 and sets[2][0] == sets[3][0] == 1
    assert 0.015 <= false / boards <= 0.075
    assert sets_right / boards >= 0.93


def test_two_entries_have_the_power_of_the_paired_t_test() -> None:
    rng, boards, ours, theirs = RNG(6), 300, 0, 0
    for _ in range(boards):
        (one,) = gaussian(rng, [6], [0.0, 1.6])
        ours += bool(pairs([one], draws=1000).adjusted[0] < 0.05)
        theirs += bool(stats.ttest_rel(*one.values.T).pvalue < 0.05)
    assert 30 < theirs < 270
    assert ours == pytest.approx(theirs, rel=0.1)


def test_a_copy_of_an_entry_changes_no_verdict() -> None:
    panels = gaussian(RNG(7), [6, 6], [0.0, 0.8, 1.6, 2.4])
    before = pairs(panels, draws=400)
    many = panels
    for _ in range(5):
        many = [with_column(p, p.values[:, 1]) for p in many]
    after = pairs(many, draws=400)
    p = {(int(a), int(b)): v for a, b, v in zip(after.first, after.second, after.adjusted, strict=True)}
    assert [p[int(a), int(b)] for a, b in zip(before.first, before.second, strict=True)] == before.adjusted.tolist()
    assert p[1, 4] == 1.0
    assert (before.adjusted < 0.05).any()
    assert (before.adjusted >= 0.05).any()


def test_adjusted_is_never_below_its_own_p_and_keeps_its_order() -> None:
    found = pairs(gaussian(RNG(8), [5, 7, 4], np.linspace(0, 2, 6).tolist()), draws=400)
    order = np.argsort(found.p)
    assert (found.adjusted >= found.p).all()
    assert (np.diff(found.adjusted[order]) >= 0).all()


def test_what_does_not_vary_or_has_too_few_seeds() -> None:
    flat = Panel("c", (0, 1, 2, 3), np.tile([0.2, 0.2, 0.9], (4, 1)), np.zeros(3, dtype=bool))
    found = pairs([flat])
    assert found.p.tolist() == [1.0, 2.0**-3, 2.0**-3]  # the sign test: all four seeds on one side
    assert found.adjusted.tolist() == [1.0, 3 / 8, 3 / 8]
    assert np.isnan(overall([flat]).low).all()
    single = Panel("s", (0, 1), np.array([[0.1, 0.5, 0.9], [0.2, 0.5, 0.8]]), np.zeros(3, dtype=bool))
    (many,) = gaussian(RNG(9), [9], [0.0, 5.0, 10.0])
    assert np.isnan(overall([single, many]).high).all()
    assert pairs([single, many], draws=200).adjusted.tolist() == [1.0] * 3
    missing = Panel("s", (0,), np.zeros((1, 3)), np.ones(3, dtype=bool))  # nothing random in what nobody entered
    assert (pairs([missing, many], draws=200).adjusted < 0.05).all()


def test_one_entry_alone_has_rank_one() -> None:
    found = pairs(gaussian(RNG(10), [4], [0.3]))
    assert len(found.p) == 0
    assert rank_sets(found, 1) == [(1, 1)]


def test_rank_sets_count_who_is_better_and_worse_for_certain() -> None:
    panels = gaussian(RNG(12), [9, 9], [9.0, 0.0, 0.2, -9.0])
    assert rank_sets(pairs(panels, draws=500), 4) == [(1, 1), (2, 3), (2, 3), (4, 4)]
