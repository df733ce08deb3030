"""What a challenge can resolve, against scipy's paired t-test, a hand computation and simulated boards."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from harness.api import FloatArray
from harness.evaluation.power import Board, summary
from harness.statistics.rank_sets import rank_sets

RNG = np.random.default_rng(5)
SCORES = {
    "random": np.array([0.10, 0.20, 0.15, 0.25, 0.30]),
    "skyline": np.array([0.90, 0.95, 0.85, 0.99, 0.91]),
    "method": np.array([0.50, 0.52, 0.61, 0.70, 0.58]),
}
BOARD = Board(teams=8, seeds=10)


def spread(sd: float, seeds: int, mean: float = 0.0) -> FloatArray:
    """Numbers [seeds] with exactly this mean and standard deviation."""
    values = RNG.standard_normal(seeds)
    scaled: FloatArray = mean + sd * (values - values.mean()) / values.std(ddof=1)
    return scaled


def test_separations_are_paired_t_statistics() -> None:
    facts = summary(SCORES, {}, BOARD)
    for a, b in (("random", "skyline"), ("random", "method"), ("skyline", "method")):
        expected = stats.ttest_rel(SCORES[b], SCORES[a]).statistic
        assert facts[f"{b} - {a}, standard errors"] == pytest.approx(expected, abs=0.051)
    assert facts["method, mean"] == pytest.approx(np.mean(SCORES["method"]), abs=1e-4)


def test_two_rows_are_resolved_as_by_a_paired_t_test() -> None:
    """By scipy's noncentral t: differences with standard deviation 0.1 over 25 seeds."""
    facts = summary({"random": np.zeros(25), "skyline": spread(0.1, 25, 0.7)}, {}, Board(teams=2, seeds=25))
    shift = facts["resolves"] / (0.1 / math.sqrt(25))
    assert stats.nct.sf(stats.t.ppf(0.975, 24), 24, shift) == pytest.approx(0.8, abs=0.002)


def test_the_board_that_the_verdict_promised() -> None:
    """Simulate it: one row better than all others by what is resolved is told apart from each four times in five.

    Somewhat more often is right: the bound falls once differences are there (harness/statistics/resolution.py).
    """
    teams, seeds, boards = 8, 10, 120
    rng = np.random.default_rng(11)
    common = spread(0.2, 10)  # what all rows have in common on a seed costs nothing
    measured = {"random": common, "skyline": common + spread(0.03 * math.sqrt(2), 10, 0.7)}
    promised = summary(measured, {}, Board(teams, seeds))["resolves"]
    told = 0
    for _ in range(boards):
        Y = rng.normal(0, 0.03, (teams, seeds)) + rng.normal(0, 0.2, seeds)
        Y[0] += promised
        best, worst = rank_sets({str(team): dict(enumerate(Y[team].tolist())) for team in range(teams)}, "max")["0"]
        assert best == 1
        told += teams - worst
    assert 0.75 <= told / (boards * (teams - 1)) <= 0.93


def test_the_seeds_for_half_resolve_half() -> None:
    measured = {"random": np.zeros(10), "skyline": spread(0.1, 10, 0.7)}
    facts = summary(measured, {}, BOARD)
    enough = facts["seeds_for_half"]
    there, short = (summary(measured, {}, Board(8, seeds))["resolves"] for seeds in (enough, enough - 1))
    assert there <= facts["resolves"] / 2 < short


def test_more_teams_or_fewer_seeds_resolve_less() -> None:
    few, many, long = (summary(SCORES, {}, board)["resolves"] for board in (Board(4, 10), Board(12, 10), Board(12, 30)))
    assert long < few < many


@pytest.mark.parametrize("direction", ["max", "min"])
def test_baselines_beat_random_by_the_bound_of_the_board(direction: str) -> None:
    """A paired t of 4 on 10 seeds is enough among two rows and not among twelve; a worse baseline never is."""
    sign = 1 if direction == "max" else -1
    floor: FloatArray = RNG.normal(0.3, 0.1, 10)
    scores = {"random": floor, "skyline": floor + sign * spread(0.01, 10, 0.6)}
    scores |= {
        "good": floor + sign * spread(0.1, 10, 4 * 0.1 / math.sqrt(10)),
        "bad": floor - sign * spread(0.01, 10, 0.1),
    }
    among_two, among_many = (summary(scores, {}, Board(teams, 10, direction)) for teams in (2, 12))
    assert among_two["baselines_beat_random"] == {"good": True, "bad": False}
    assert among_many["baselines_beat_random"] == {"good": False, "bad": False}
    assert "good beats random, bad does not;" in among_two["verdict"]
    assert "good and bad do not beat random;" in among_many["verdict"]


@pytest.mark.parametrize(("seeds", "beats"), [(5, False), (6, True)])
def test_a_baseline_that_is_better_by_the_same_on_every_seed(seeds: int, beats: bool) -> None:
    """Signs alone: 2 * 2^-5 is not below 5 %, 2 * 2^-6 is."""
    scores = {"random": np.zeros(seeds), "skyline": spread(0.1, seeds, 0.9), "method": np.full(seeds, 0.4)}
    assert summary(scores, {}, BOARD)["baselines_beat_random"] == {"method": beats}


def test_the_verdict_is_one_sentence_with_all_there_is_to_know() -> None:
    scores = {"random": np.zeros(10), "skyline": spread(0.1, 10, 2.0), "method": spread(0.1, 10, 0.8)}
    facts = summary(scores, {"method": 180.0}, Board(12, 20))
    assert facts["hours"] == pytest.approx(180 / 10 * 20 * 12 / 3600)
    x = facts["resolves"]
    assert facts["verdict"] == (
        f"With 12 teams and 20 seeds the board resolves a difference of {x:.2g} ({100 * x / 2:.0f} % of the way from random to "
        "skyline) four times in five, at about 1.2 hours of work on this machine; method beats random on the 10 seeds "
        f"measured; {facts['seeds_for_half']} seeds would resolve {x / 2:.2g}."
    )


@pytest.mark.parametrize("gap", [0.05, -0.9])
def test_a_board_too_weak_says_so_first(gap: float) -> None:
    scores = {"random": np.zeros(10), "skyline": spread(0.1, 10, gap), "method": spread(0.1, 10)}
    said = summary(scores, {}, BOARD)["verdict"]
    assert said.startswith(
        "Too weak to tell random from the skyline: with 8 teams and 10 seeds the board resolves only"
    )


def test_seeds_with_nothing_to_measure_are_left_out_of_the_board_as_well() -> None:
    """Half of the seeds measured: what is resolved is what half the seeds resolve, and twice as many are needed."""
    gone = {name: np.append(values, [np.nan] * 5) for name, values in SCORES.items()}
    facts, whole = summary(gone, {}, Board(8, 10)), summary(SCORES, {}, Board(8, 5))
    assert facts["seeds measured"] == 5
    assert facts["resolves"] == whole["resolves"]
    assert facts["seeds_for_half"] == 2 * whole["seeds_for_half"]
    assert "10 seeds, of which about 5 can be measured," in facts["verdict"]


def test_seconds_are_reported() -> None:
    assert summary(SCORES, {"method": 12.34}, BOARD)["method, seconds of work a run"] == 12.3


@pytest.mark.parametrize(
    ("seeds", "says"),
    [(0, "Nothing was measured"), (1, "One seed tells nothing apart"), (3, "No score varied over the 3")],
)
def test_where_nothing_varies_nothing_is_claimed(seeds: int, says: str) -> None:
    """No seed, one, or equal scores on all: no standard error exists, and no number is invented."""
    scores = {"random": np.full(3, np.nan), "skyline": np.full(3, np.nan), "method": np.full(3, np.nan)}
    for value, of_seed in enumerate(scores.values()):
        of_seed[:seeds] = value / 2
    facts = summary(scores, {"method": 30.0}, BOARD)
    assert facts.get("skyline - random, standard errors") is None
    assert (facts["resolves"], facts["seeds_for_half"]) == (None, None)
    assert facts["baselines_beat_random"] == {"method": False}
    assert facts["verdict"].startswith(says)
    assert facts["verdict"].endswith("8 teams and 10 seeds are about 0.22 hours of work on this machine.")


def test_a_protocol_that_ranks_by_the_score_alone_says_so() -> None:
    one = {name: values[:1] for name, values in SCORES.items()}
    said = summary(one, {}, Board(4, 1, score_alone=True))["verdict"]
    assert said == (
        "One seed tells nothing apart, and no more was measured, but this protocol has a rule of its own, the score alone."
    )
