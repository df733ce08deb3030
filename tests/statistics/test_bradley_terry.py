"""Abilities against scikit-learn's logistic regression and against the likelihood itself."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from harness.statistics.bradley_terry import PRIOR, bradley_terry, fit
from harness.statistics.overall import Panel
from tests.statistics.panels import gaussian, with_column

RNG = np.random.default_rng


def made(values: list[list[float]], name: str = "c") -> Panel:
    array = np.array(values, dtype=np.float64)
    return Panel(name, tuple(range(len(array))), array, np.zeros(array.shape[1], dtype=bool))


def brute_wins(panels: list[Panel]) -> np.ndarray:
    """Won shares, counted comparison by comparison."""
    k = len(panels[0].missing)
    wins = np.zeros((k, k))
    for one in panels:
        for i in range(k):
            for j in range(k):
                both = [(a, b) for a, b in one.values[:, [i, j]] if np.isfinite(a) and np.isfinite(b)]
                if i != j and both:
                    wins[i, j] += sum(1.0 if a > b else 0.5 if a == b else 0.0 for a, b in both) / len(both)
    return wins


def logistic_regression(wins: np.ndarray) -> np.ndarray:
    """The same model as a regression without intercept on differences of indicators, the prior's rows among them."""
    k = len(wins)
    eye = np.eye(k)
    rows = [(eye[i] - eye[j], wins[i, j]) for i in range(k) for j in range(k) if wins[i, j]]
    rows += [(eye[i], PRIOR) for i in range(k)] + [(-eye[i], PRIOR) for i in range(k)]
    X, w = np.array([x for x, _ in rows]), np.array([weight for _, weight in rows])
    X, y, w = np.vstack([X, -X]), np.repeat([1, 0], len(w)), np.concatenate([w, w]) / 2
    model = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-12, max_iter=100_000, solver="newton-cholesky")
    ability: np.ndarray = model.fit(X, y, sample_weight=w).coef_[0]
    centred: np.ndarray = ability - ability.mean()
    return centred


def random_panels(seed: int) -> list[Panel]:
    rng = RNG(seed)
    panels = gaussian(rng, [3, 1, 6], rng.normal(0, 1, 5).tolist())
    panels[0].values[0] = np.round(panels[0].values[0])  # ties
    panels[2].values[1:3, 2] = np.nan
    return panels


@pytest.mark.parametrize("seed", range(5))
def test_abilities_are_those_of_logistic_regression(seed: int) -> None:
    panels = random_panels(seed)
    ours = bradley_terry(panels, draws=2).ability
    np.testing.assert_allclose(ours, logistic_regression(brute_wins(panels)), atol=1e-5)
    assert np.ptp(ours) > 0.1


def test_abilities_are_most_likely() -> None:
    wins = RNG(0).random((4, 4)) * 3
    np.fill_diagonal(wins, 0)

    def loss(b: np.ndarray) -> float:
        pair = float((wins * np.logaddexp(0, b - b[:, None])).sum())
        return pair + PRIOR * float(np.logaddexp(0, b).sum() + np.logaddexp(0, -b).sum())

    best = minimize(loss, np.zeros(4), tol=1e-12).x
    np.testing.assert_allclose(fit(wins), best - best.mean(), atol=1e-4)


def test_two_entries_by_hand() -> None:
    """One win in one game: log odds b - a and the prior; by symmetry a = -b, 1 + 1/2 = s(2b) + s(b)."""
    low, high = fit(np.array([[0.0, 0.0], [1.0, 0.0]]))
    assert low == -high
    assert 1 / (1 + np.exp(-2 * high)) + 1 / (1 + np.exp(-high)) == pytest.approx(1.5)


def test_defined_when_one_beats_all_and_another_loses_always() -> None:
    found = bradley_terry([made([[3, 2, 1], [3, 1, 2], [9, 5, 4]]), made([[7, 2, 1]], "d")], draws=50)
    assert np.isfinite(found.ability).all()
    assert found.ability.argmax() == 0
    assert 0.5 < found.beats_average[0] < 1
    assert (found.low <= found.high).all()
    extreme = 1000.0 * np.triu(np.ones((30, 30)), 1)
    assert (np.diff(fit(extreme)) < 0).all()
    np.testing.assert_allclose(fit(extreme, start=-fit(extreme)), fit(extreme), atol=1e-6)


def test_only_ties_are_equal_and_a_challenge_of_many_seeds_weighs_no_more() -> None:
    assert bradley_terry([made([[1, 1, 1]] * 3)], draws=5).beats_average.tolist() == [0.5] * 3
    one, other = made([[1, 0]] * 50), made([[0, 1]], "d")
    assert bradley_terry([one, other], draws=2).ability == pytest.approx([0, 0])


def test_missing_counts_as_the_floor() -> None:
    (panel,) = gaussian(RNG(4), [5], [3.0, -9.0])
    found = bradley_terry([with_column(panel, np.zeros(5), missing=True)], draws=2)
    assert np.argsort(-found.ability).tolist() == [0, 2, 1]


def test_intervals_cover_what_many_seeds_would_give() -> None:
    """Drawing n - 1 of n seeds: intervals of ten seeds hold the abilities of a great many seeds 19 times in 20."""
    means = [0.0, 0.5, 1.0]
    truth = bradley_terry(gaussian(RNG(1), [20_000, 20_000], means), draws=2).beats_average
    rng, boards, covered = RNG(2), 150, 0.0
    for _ in range(boards):
        found = bradley_terry(gaussian(rng, [10, 10], means), draws=200)
        covered += float(((found.low <= truth) & (truth <= found.high)).mean())
    assert 0.9 <= covered / boards <= 0.985


def test_no_interval_from_single_seeds() -> None:
    found = bradley_terry([made([[1, 0]]), made([[1, 0]], "d")])
    assert np.isnan(found.low).all()
    assert found.beats_average[0] > 0.5
