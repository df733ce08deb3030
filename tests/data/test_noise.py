from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare
from sklearn.metrics import confusion_matrix

from harness.data.noise import (
    SHARPNESS,
    boundary_flips,
    class_dependent_flips,
    confusion,
    one_class_flips,
    uniform_flips,
)
from harness.errors import ProtocolError

labels = st.lists(st.integers(0, 3), max_size=120).map(lambda y: np.array(y, dtype=np.int64))


@given(labels, st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_uniform_flips_exactly_that_many(y: np.ndarray, rate: float, seed: int) -> None:
    before = y.copy()
    noisy = uniform_flips(y, rate, 4, np.random.default_rng(seed))
    assert (noisy != y).sum() == round(rate * len(y))
    assert noisy.dtype == np.int64
    assert ((noisy >= 0) & (noisy < 4)).all()
    np.testing.assert_array_equal(y, before)


def test_uniform_flips_choose_rows_and_classes_evenly() -> None:
    y = np.repeat(np.arange(4), 2500)
    noisy = uniform_flips(y, 0.3, 4, np.random.default_rng(1))
    shift = (noisy - y)[noisy != y] % 4
    assert chisquare(np.bincount(shift, minlength=4)[1:]).pvalue > 1e-4
    assert chisquare(np.bincount(np.flatnonzero(noisy != y) // 1000)).pvalue > 1e-4


@given(labels, st.integers(0, 2**32 - 1))
def test_class_dependent_flips_meet_the_rates(y: np.ndarray, seed: int) -> None:
    rng = np.random.default_rng(seed)
    transition = rng.dirichlet(np.ones(4), size=4)
    noisy = class_dependent_flips(y, transition, rng)
    for a in range(4):
        counts = np.bincount(noisy[y == a], minlength=4)
        assert np.abs(counts - transition[a] * (y == a).sum()).max(initial=0) < 1


@given(labels, st.integers(0, 2**32 - 1))
def test_flips_like_people_copies_their_confusion(y: np.ndarray, seed: int) -> None:
    rng = np.random.default_rng(seed)
    human = rng.integers(0, 4, size=len(y))
    ours = class_dependent_flips(y, confusion(y, human, 4), rng)
    if len(y):
        expected = confusion_matrix(y, human, labels=range(4))
        np.testing.assert_array_equal(confusion_matrix(y, ours, labels=range(4)), expected)


def test_confusion_equals_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    y, human = rng.integers(0, 5, size=(2, 300))
    expected = confusion_matrix(y, human, normalize="true")
    np.testing.assert_allclose(confusion(y, human, 5), expected, atol=1e-12)
    np.testing.assert_array_equal(confusion(y, human, 6)[5], np.eye(6)[5])


def test_bad_input_is_refused() -> None:
    y, rng = np.array([0, 1, 1]), np.random.default_rng(0)
    with pytest.raises(ProtocolError, match=r"0\.\.1"):
        uniform_flips(y, 1.5, 2, rng)
    with pytest.raises(ProtocolError, match="two or more classes"):
        uniform_flips(y, 0.5, 1, rng)
    with pytest.raises(ProtocolError, match=r"Row 1 .* not a distribution"):
        class_dependent_flips(y, np.array([[1, 0], [0.5, 0.6]]), rng)
    with pytest.raises(ProtocolError, match="square"):
        class_dependent_flips(y, np.ones((2, 3)), rng)
    with pytest.raises(ProtocolError, match="Labels must lie"):
        class_dependent_flips(np.array([2]), np.eye(2), rng)


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.3])
def test_noise_of_one_class_is_in_one_class_that_the_generator_draws(rate: float) -> None:
    y, becomes = np.repeat(np.arange(3), [40, 40, 20]), np.array([1, 2, 0])
    drawn = set()
    for seed in range(20):
        noisy, of = one_class_flips(y, rate, becomes, np.random.default_rng(seed))
        wrong = noisy != y
        assert wrong.sum() == round(rate * 100)
        assert set(y[wrong]) <= {of}
        assert set(noisy[wrong]) <= {becomes[of]}
        drawn.add(of)
    assert drawn == ({0, 1} if rate == 0.3 else {0, 1, 2}), "a class must have rows enough"
    with pytest.raises(
        ProtocolError, match="50 wrong labels of one class are asked for, and the largest class has 40 rows"
    ):
        one_class_flips(y, 0.5, becomes, np.random.default_rng(0))


def test_boundary_noise_is_of_exact_rate_and_names_the_nearest_other_class() -> None:
    from scipy.spatial.distance import cdist

    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 200)
    X = (rng.normal(size=(200, 4)) + 2 * np.eye(3, 4)[y]).astype(np.float32)
    far = cdist(X, X)
    np.fill_diagonal(far, np.inf)
    alike = y[:, None] == y
    other = np.where(alike, np.inf, far)
    ratio = np.where(alike, far, np.inf).min(axis=1) / other.min(axis=1)
    counts = np.zeros(200)
    for seed in range(200):
        noisy = boundary_flips(X, y, 0.2, np.random.default_rng(seed))
        wrong = np.flatnonzero(noisy != y)
        assert len(wrong) == 40
        assert np.array_equal(noisy[wrong], y[other.argmin(axis=1)][wrong])
        counts[wrong] += 1
    by_ratio = counts[np.argsort(ratio)]
    assert by_ratio[:50].mean() < 0.5 * by_ratio[-50:].mean(), "far from another class a label is seldom wrong"


def test_boundary_noise_draws_by_the_stated_weights() -> None:
    """One flip among rows on a line, against the probabilities written out."""
    X, y = np.array([[0.0], [1.0], [3.0], [4.5], [5.0]]), np.array([0, 0, 1, 1, 1])
    ratio = np.array([1 / 3, 1 / 2, 1.5 / 2, 0.5 / 3.5, 0.5 / 4])
    expected = ratio**SHARPNESS / (ratio**SHARPNESS).sum()
    flipped = [
        int(np.flatnonzero(boundary_flips(X, y, 0.2, np.random.default_rng(seed)) != y)[0]) for seed in range(3000)
    ]
    seen = np.bincount(flipped, minlength=5)
    assert seen[2] / 3000 == pytest.approx(expected[2], abs=0.02)
    assert seen[1] / 3000 == pytest.approx(expected[1], abs=0.02)


@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_boundary_noise_on_equal_rows_and_lone_classes(rate: float) -> None:
    X, y = np.zeros((10, 2)), np.array([0] * 9 + [1])
    assert (boundary_flips(X, y, rate, np.random.default_rng(0)) != y).sum() == round(rate * 10)
    with pytest.raises(ProtocolError, match="these rows have one"):
        boundary_flips(X, np.zeros(10, int), rate, np.random.default_rng(0))
