"""Density, coverage and copies against loops that follow the definitions, and against what the paper derives."""

from __future__ import annotations

import numpy as np
import pytest

from harness.tracks import fidelity
from harness.tracks.training_set import TrainingSet
from tests.tracks.helpers import baseline, bind, run


def by_hand(real: np.ndarray, made: np.ndarray, k: int) -> tuple[float, float]:
    """Density and coverage as the paper writes them, one pair of rows after the other."""
    density = covered = 0
    for i, x in enumerate(real):
        others = sorted(np.linalg.norm(x - z) for j, z in enumerate(real) if j != i)
        inside = [np.linalg.norm(x - z) <= others[k - 1] for z in made]
        density += sum(inside)
        covered += any(inside)
    return density / (k * len(made)), covered / len(real)


@pytest.mark.parametrize("shape", [(30, 4), (25, 3, 3)])
def test_density_and_coverage_as_defined(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    real, made = rng.normal(size=shape).astype(np.float32), 0.7 * rng.normal(size=(17, *shape[1:])).astype(np.float32)
    flat, flat_made = real.reshape(len(real), -1), made.reshape(len(made), -1)
    assert fidelity.density_and_coverage(real, made) == pytest.approx(by_hand(flat, flat_made, 5))


@pytest.mark.parametrize("d", [2, 20])
def test_fresh_real_rows_cover_as_much_as_the_formula_says(d: int) -> None:
    """Whatever the distribution, .969 for many rows."""
    n, rng = 200, np.random.default_rng(1)
    expected = 1 - np.prod([(n - i) / (2 * n - i) for i in range(1, 6)])
    assert expected == pytest.approx(0.969, abs=0.001)
    pairs = [fidelity.density_and_coverage(*rng.normal(size=(2, n, d))) for _ in range(40)]
    density, coverage = np.transpose(pairs)
    assert coverage.mean() == pytest.approx(expected, abs=4 * coverage.std() / np.sqrt(40))
    assert density.mean() == pytest.approx(1, abs=4 * density.std() / np.sqrt(40) + 0.02)


def test_mean_rows_buy_density_and_cover_little() -> None:
    """Why neither is ranked by: the mean, over and over, looks most real of all."""
    rng = np.random.default_rng(2)
    real = rng.normal(size=(300, 10))
    density, coverage = fidelity.density_and_coverage(real, 0.01 * rng.normal(size=(300, 10)))
    assert density > 3
    assert coverage < 0.9
    assert fidelity.density_and_coverage(real, real[:250])[1] > 0.99  # and copies cover everything


def test_nothing_made_is_like_nothing() -> None:
    real = np.eye(8)
    assert np.isnan(fidelity.density_and_coverage(real, real[:0])).all()
    assert np.isnan(fidelity.density_and_coverage(real[:5], real)).all()


def test_copies_equal_a_raw_row_or_nearly_do() -> None:
    raw = np.array([[0, 0], [0, 1], [1, 0], [1, 1], [1, 1]], np.float32)
    rows = np.array([[0, 0], [-0.0, 1], [0.09, 0], [0.11, 0], [0.5, 0.5]], np.float32)
    assert fidelity.known(rows, raw).tolist() == [True, True, False, False, False]
    assert fidelity.copies(rows, raw).tolist() == [True, True, True, False, False]
    assert fidelity.copies(rows, raw[:1]).tolist() == [True, False, False, False, False]


@pytest.fixture(scope="module")
def track() -> TrainingSet:
    found = bind("training_set_digits")
    assert isinstance(found, TrainingSet)
    return found


def test_the_score_shows_it_and_does_not_change(track: TrainingSet) -> None:
    view, key = track.prepare(0)
    for name in ("as_given", "augment", "mixup"):
        output = run(track, view, key, baseline("training_set", name))
        score = track.score(output, view, key, 0)
        X, y = output["X"], output["y"]
        assert score.value == track._train_and_test(X, y, key).value
        raw = {row.tobytes() for row in view.arrays["X"]}
        kept = np.array([row.tobytes() in raw for row in X])
        said = score.metrics
        assert said["synthetic_rows"] == (~kept).sum()
        assert said["copy_rate"] >= kept.mean()
        if kept.all():
            assert said["synthetic_gain"] == 0
            assert np.isnan([said["density"], said["coverage"]]).all()
        elif kept.any():
            alone = track._train_and_test(X[kept], y[kept], key).value
            assert said["synthetic_gain"] == score.value - alone
            assert 0 < said["coverage"] <= 1
        else:
            assert np.isnan(said["synthetic_gain"])
    assert track.score(output, view, key, 0).metrics["density"] == said["density"]
