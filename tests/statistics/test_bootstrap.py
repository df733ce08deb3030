"""Item bootstrap against plain loops and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.api import FloatArray
from harness.statistics.bootstrap import item_weights, replicates
from harness.tracks.base import Arrays
from tests.statistics.simulation import mean_x


def items_of(x: FloatArray) -> list[dict[str, FloatArray]]:
    return [{"x": row} for row in x]


def test_replicates_are_those_of_a_plain_loop() -> None:
    """A loop that draws items by index and with another generator has the same distribution."""
    rng = np.random.default_rng(0)
    x = rng.normal(0, 1, (4, 30)) + rng.normal(0, 1, (4, 1))
    ours = replicates(items_of(x), mean_x, "f", n=20_000)
    loop = [np.mean([row[rng.integers(0, 30, 30)].mean() for row in x]) for _ in range(20_000)]
    assert ours.mean() == pytest.approx(x.mean(), abs=4 * ours.std() / np.sqrt(20_000))
    assert ours.std() == pytest.approx(np.std(loop), rel=0.03)
    assert stats.ks_2samp(ours, loop).pvalue > 1e-4


def test_spread_has_its_closed_form_and_none_between_seeds() -> None:
    """Items' mean variance over S m, however far seeds lie apart."""
    x = np.random.default_rng(1).normal(0, 1, (6, 50)) + 10 * np.arange(6)[:, None]
    assert replicates(items_of(x), mean_x, "f", n=50_000).var() == pytest.approx(x.var(axis=1).mean() / 300, rel=0.03)


def test_draws_depend_on_the_fingerprint_alone() -> None:
    x = np.random.default_rng(3).normal(0, 1, (3, 40))
    a = replicates(items_of(x), mean_x, "f", n=500)
    np.testing.assert_array_equal(a, replicates(items_of(x), mean_x, "f", n=500))
    assert not np.array_equal(a, replicates(items_of(x), mean_x, "g", n=500))
    np.testing.assert_allclose(replicates(items_of(x + 0.25), mean_x, "f", n=500) - a, 0.25, atol=1e-12)


def test_undefined_seeds_leave_the_mean() -> None:
    def second_undefined(items: Arrays, weights: FloatArray) -> FloatArray:
        return mean_x(items, weights) if items["x"][0] else np.full(len(weights), np.nan)

    sample = replicates(items_of(np.array([[1.0] * 5, [0.0] * 5])), second_undefined, "f", n=100)
    np.testing.assert_array_equal(sample, 1.0)
    assert np.isnan(replicates(items_of(np.zeros((2, 5))), second_undefined, "f", n=100)).all()
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
