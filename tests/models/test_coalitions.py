"""Accumulators against brute force on 8 rows, and their independence of order."""

from __future__ import annotations

from itertools import permutations
from math import comb

import numpy as np
import pytest

from harness.errors import ProtocolError
from harness.models import load_model
from harness.models.coalitions import Banzhaf, OutOfBag, Permutations, beta_weights, prefixes, utilities
from tests.models.conftest import Split

N = 8
MASKS = (np.arange(2**N)[:, None] >> np.arange(N)) & 1


@pytest.fixture(scope="module")
def game(digits: Split) -> np.ndarray:
    """Utility of each of the 256 coalitions of 8 rows: accuracy of the fixed model, all fitted in one call."""
    X, y, X_val, y_val = digits
    rows = np.flatnonzero(y < 4)[:N]
    model = load_model("logistic", device="cpu", n_classes=10)
    return utilities(model, X[rows], y[rows], MASKS.astype(float), X_val, y_val, chunk=100)


def semivalue(game: np.ndarray, weight_of_size: np.ndarray) -> np.ndarray:
    """From the definition: marginals over all coalitions of the others, weighted by their size."""
    values = np.zeros(N)
    for i in range(N):
        without = np.flatnonzero(MASKS[:, i] == 0)
        values[i] = (weight_of_size[MASKS[without].sum(1)] * (game[without | (1 << i)] - game[without])).sum()
    return values


def test_utilities_are_accuracies_of_single_fits(game: np.ndarray, digits: Split) -> None:
    X, y, X_val, y_val = digits
    rows = np.flatnonzero(y < 4)[:N]
    model = load_model("logistic", device="cpu", n_classes=10)
    for code in (255, 19):
        alone = model.fit(X[rows], y[rows], weights=MASKS[code].astype(float))
        assert game[code] == pytest.approx((alone.predict(X_val) == y_val).mean(), abs=2 / len(y_val))


@pytest.mark.parametrize("ab", [(1.0, 1.0), (16.0, 1.0), (1.0, 4.0)])
def test_all_permutations_give_the_semivalue(game: np.ndarray, ab: tuple[float, float]) -> None:
    n = 6  # 720 permutations of the first 6 rows; the other two stay out
    weights = beta_weights(n, *ab)
    assert weights.mean() == pytest.approx(1)
    sums = Permutations(n, weights)
    for order in permutations(range(n)):
        codes = np.concatenate([[0], np.cumsum(1 << np.array(order))])
        sums.add(np.array(order), game[codes])
    small = game[: 2**n]
    expected = np.zeros(n)
    for i in range(n):
        for code in range(2**n):
            if not code >> i & 1:
                size = bin(code).count("1")
                expected[i] += weights[size] / (n * comb(n - 1, size)) * (small[code | 1 << i] - small[code])
    np.testing.assert_allclose(sums.values(), expected, atol=1e-9)


def test_shapley_weights_are_flat_and_sampling_comes_near_brute_force(game: np.ndarray) -> None:
    np.testing.assert_allclose(beta_weights(N, 1, 1), 1)
    exact = semivalue(game, 1 / (N * np.array([comb(N - 1, s) for s in range(N)])))
    rng, sums = np.random.default_rng(0), Permutations(N)
    for _ in range(3000):
        order = rng.permutation(N)
        np.testing.assert_array_equal(prefixes(order) @ (1 << np.arange(N)), np.cumsum(1 << order))
        sums.add(order, game[np.concatenate([[0], np.cumsum(1 << order)])])
    assert sums.values().sum() == pytest.approx(game[-1] - game[0], abs=1e-9)
    np.testing.assert_allclose(sums.values(), exact, atol=0.01)


def test_all_coalitions_give_the_banzhaf_value(game: np.ndarray) -> None:
    sums = Banzhaf(N)
    sums.add(MASKS.astype(bool), game)
    np.testing.assert_allclose(sums.values(), semivalue(game, np.full(N, 1 / 2 ** (N - 1))), atol=1e-9)


def test_out_of_bag_by_hand() -> None:
    sums = OutOfBag(3)
    sums.add(np.array([[0, 1, 2], [0, 0, 3]]), np.array([[True, False, True], [False, True, False]]))
    np.testing.assert_allclose(sums.values(), [0.5, 1.0, 0.0])


def test_order_of_arrival_changes_no_bit() -> None:
    rng = np.random.default_rng(1)
    masks, u = rng.random((500, 40)) < 0.5, rng.random(500)
    orders = [rng.permutation(40) for _ in range(50)]
    curves = rng.random((50, 41))
    answers = []
    for shuffle in (np.arange(500), rng.permutation(500)):
        banzhaf, shapley = Banzhaf(40), Permutations(40)
        for part in np.array_split(shuffle, 7 if shuffle[0] else 3):
            banzhaf.add(masks[part], u[part])
        for i in shuffle[shuffle < 50]:
            shapley.add(orders[i], curves[i])
        answers.append((banzhaf.values(), shapley.values()))
    np.testing.assert_array_equal(answers[0][0], answers[1][0])
    np.testing.assert_array_equal(answers[0][1], answers[1][1])


def test_a_utility_that_is_no_number_is_refused() -> None:
    with pytest.raises(ProtocolError, match="not finite"):
        Banzhaf(3).add(np.ones((1, 3), bool), np.array([np.nan]))
