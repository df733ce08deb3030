"""The feature extractor on made images: its sums are exact, so nothing about the machine or the batch shows."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from harness.data import features


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, size=(300, 8, 8, 3))
    fine = rng.integers(-20, 21, size=(300, 32, 32, 3))
    pixels: np.ndarray = np.clip(coarse.repeat(4, axis=1).repeat(4, axis=2) + fine, 0, 255).astype(np.uint8)
    return pixels


@pytest.fixture(scope="module")
def filters(images: np.ndarray) -> np.ndarray:
    return features._filters(images)


def test_filters_are_small_whole_numbers_that_ignore_brightness(filters: np.ndarray) -> None:
    assert filters.shape == (108, 256)
    np.testing.assert_array_equal(filters, np.rint(filters))
    np.testing.assert_array_equal(filters.sum(axis=0), 0)
    assert np.abs(filters).sum(axis=0).max() * 255 < 2**24  # so float32 adds products with pixels exactly


def test_pooling_equals_a_plain_loop_over_patches(images: np.ndarray, filters: np.ndarray) -> None:
    image = images[7]
    expected = np.zeros((2, 4, 256))
    for i, top in enumerate(range(0, 27, 2)):
        for j, left in enumerate(range(0, 27, 2)):
            patch = image[top : top + 6, left : left + 6].reshape(-1).astype(np.float64)
            response = patch @ filters / np.linalg.norm(filters.astype(np.float64), axis=0) / np.sqrt(patch.var() + 10)
            quadrant = 2 * (i >= 7) + (j >= 7)
            for k, sign in enumerate((1, -1)):
                expected[k, quadrant] += np.rint(np.maximum(sign * response - 0.4, 0) * 64)
    ours = features._pooled(images[7:8], filters)[0].reshape(2, 4, 256)
    assert np.abs(ours - expected).max() <= 1  # a response within float32 of a step may fall on its other side
    assert (ours != expected).mean() < 0.01


def test_a_flat_image_has_no_response(filters: np.ndarray) -> None:
    for level in (0, 97, 255):
        flat = np.full((1, 32, 32, 3), level, dtype=np.uint8)
        assert not features._pooled(flat, filters).any()


def test_same_bits_whatever_the_batch(images: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = features.extract(images)
    monkeypatch.setattr(features, "_BATCH", 17)
    np.testing.assert_array_equal(features.extract(images), whole)


def test_same_bits_on_another_processors_kernels_and_thread_count(tmp_path: object) -> None:
    code = (
        "import hashlib, numpy as np; from harness.data.features import extract;"
        "x = np.random.default_rng(1).integers(0, 256, size=(300, 8, 8, 3)).repeat(4, 1).repeat(4, 2);"
        "print(hashlib.sha256(extract(x.astype(np.uint8)).tobytes()).hexdigest())"
    )
    found = set()
    for threads, kernels in (("1", "Sandybridge"), ("2", "Haswell"), ("2", "")):
        env = {**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        if kernels:
            env["OPENBLAS_CORETYPE"] = kernels
        found.add(
            subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout
        )
    assert len(found) == 1


def test_components_are_centred_uncorrelated_and_of_mean_variance_one(images: np.ndarray) -> None:
    Z = features.extract(images).astype(np.float64)
    assert Z.shape == (300, features.COMPONENTS)
    np.testing.assert_allclose(Z.mean(axis=0), 0, atol=1e-4)
    assert Z.var(axis=0).mean() == pytest.approx(1, abs=1e-4)
    assert np.all(np.diff(Z.var(axis=0)) <= 0.02)
    leading = np.corrcoef(Z[:, :50].T) - np.eye(50)
    assert np.abs(leading).max() < 0.05  # not 0: the axes are rounded to a grid
