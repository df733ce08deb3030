"""Features of small images for linear models, made without any label: whitened random patches as filters.

After Coates, Ng and Lee (2011, "An analysis of single-layer networks in unsupervised feature learning") and Coates
and Ng (2011, "The importance of encoding versus training with sparse coding and vector quantization"): patches drawn
from the images and whitened serve as filters; responses are contrast-normalised, thresholded on both sides and summed
over quadrants. The 256 leading principal components are kept, each scaled by the root of its standard deviation.

A content digest needs the same result to the bit on every machine. So whatever is summed over many terms is a whole
number small enough to be exact in its format, in any order of summation; and what the two eigendecompositions give is
rounded to a grid far coarser (2^-10) than LAPACK builds differ (about 1e-13 here).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.api import FloatArray, IntArray
from harness.errors import ProtocolError

VERSION = 1  # raise whenever the output could change
COMPONENTS = 256
LEAST, MOST = 8, 160  # pixels of a side

_FIT = 10_000  # filters and components are made from the first training images
_SIDE, _STRIDE, _FILTERS = 6, 2, 256
_THRESHOLD, _LEVELS = 0.4, 64  # of a contrast-normalised response, and steps per unit above the threshold
_GRID = 1024
_BATCH = 50  # images at a time: small enough for a processor's cache


def extract(images: npt.NDArray[np.uint8], fit_on: IntArray | None = None) -> FloatArray:
    """Features of images uint8 [n, h, w, c]: float32 [n, 256], over the rows they are fitted on of mean 0 and, on average
    over the columns, variance 1.

    ``fit_on``: rows to make filters and components from, default the first 10,000, which is also the most. Fewer columns
    come back where those rows have fewer dimensions.

    Raises
    ------
    ProtocolError: images of a side below 8 or above 160, or flat ones only.
    """
    check_size(*images.shape[1:3])
    rows = np.arange(min(len(images), _FIT)) if fit_on is None else fit_on[:_FIT]
    filters = _filters(images[rows])
    fit = _pooled_all(images[rows], filters)
    axes = _axes(fit)
    # In pieces, because the pooled responses of all rows would fill half a gigabyte.
    pieces = [_pooled_all(images[i : i + 5000], filters) @ axes for i in range(0, len(images), 5000)]
    projected = np.concatenate(pieces)
    projected -= projected[rows].sum(axis=0) / len(fit)
    deviation = np.array([_deviation(column) for column in projected[rows].T])
    projected, deviation = projected[:, deviation > 0], deviation[deviation > 0]
    scale = np.sqrt(deviation) * math.sqrt(math.fsum(deviation) / len(deviation))
    scaled: FloatArray = (projected / scale).astype(np.float32)
    return scaled


def check_size(height: int, width: int) -> None:
    """Raise ProtocolError for images without a window in every quadrant, or so large that sums would not be exact."""
    if min(height, width) < LEAST or max(height, width) > MOST:
        raise ProtocolError(
            f"The images are {height} x {width}; patch features take sides of {LEAST} to {MOST} pixels.",
            "Set dataset.size and dataset.resize.",
        )


def _filters(images: npt.NDArray[np.uint8]) -> FloatArray:
    """Whitened patches, as whole numbers of at most about 100 that add up to 0 in each: float32 [36 * c, up to 256]."""
    rng = np.random.default_rng(0)
    n, height, width, _ = images.shape
    count, steps = 100_000, np.arange(_SIDE)
    image = rng.integers(n, size=(count, 1, 1))
    row = rng.integers(height - _SIDE + 1, size=(count, 1, 1)) + steps[:, None]
    column = rng.integers(width - _SIDE + 1, size=(count, 1, 1)) + steps
    patches = images[image, row, column].reshape(count, -1).astype(np.float64)
    patches -= patches.mean(axis=1, keepdims=True)
    patches /= np.sqrt((patches**2).mean(axis=1, keepdims=True) + 10)
    values, vectors = np.linalg.eigh(patches.T @ patches / count)
    zca = (vectors / np.sqrt(values + 0.1)) @ vectors.T
    patches = patches[np.ptp(patches, axis=1) > 1][:_FILTERS]  # nearly flat ones have no direction
    if not len(patches):
        raise ProtocolError("The images are flat, each of a single colour, so patches of them say nothing.")
    filters = zca @ (zca @ patches.T)  # a filter looks for its patch among whitened patches
    filters -= filters.mean(axis=0)
    whole = np.rint(filters * (100 / np.abs(filters).max(axis=0)))
    # So that brightness cancels exactly: the rest of the rounding goes to each filter's largest weight.
    whole[np.abs(whole).argmax(axis=0), np.arange(whole.shape[1])] -= whole.sum(axis=0)
    rounded: FloatArray = whole.astype(np.float32)
    return rounded


def _pooled_all(images: npt.NDArray[np.uint8], filters: FloatArray) -> FloatArray:
    pieces = [_pooled(images[i : i + _BATCH], filters) for i in range(0, len(images), _BATCH)]
    return np.concatenate(pieces).astype(np.float64)  # sums of products of these are beyond float32


def _pooled(images: npt.NDArray[np.uint8], filters: FloatArray) -> FloatArray:
    """Thresholded responses summed over quadrants: whole numbers, float32 [n, 4 * 2 * filters]."""
    windows = np.lib.stride_tricks.sliding_window_view(images, (_SIDE, _SIDE), axis=(1, 2))[:, ::_STRIDE, ::_STRIDE]
    n, height, width = windows.shape[:3]
    patches = windows.transpose(0, 1, 2, 4, 5, 3).reshape(n * height * width, -1).astype(np.float32)
    size = patches.shape[1]
    total, squares = patches.sum(axis=1, dtype=np.float64), np.einsum("ij,ij->i", patches, patches, dtype=np.float64)
    contrast = np.sqrt((squares - total**2 / size) / size + 10)
    norms = np.sqrt((filters.astype(np.float64) ** 2).sum(axis=0))
    response = patches @ filters
    response /= contrast.astype(np.float32)[:, None]
    response /= norms.astype(np.float32)
    excess = np.abs(response)
    excess -= np.float32(_THRESHOLD)
    np.maximum(excess, 0, out=excess)
    excess *= _LEVELS
    np.rint(excess, out=excess)
    shape = (n, height, width, -1)
    either = _quadrants(excess.reshape(shape))
    balance = _quadrants(np.copysign(excess, response).reshape(shape))
    return np.concatenate([(either + balance) / 2, (either - balance) / 2], axis=1)  # positive and negative part


def _quadrants(maps: FloatArray) -> FloatArray:
    """Sums of maps [n, h, w, k] over their quadrants: [n, 4 * k]."""
    height, width = maps.shape[1] // 2, maps.shape[2] // 2
    halves = [maps[:, rows] for rows in (slice(height), slice(height, None))]
    quarters = [half[:, :, columns] for half in halves for columns in (slice(width), slice(width, None))]
    return np.concatenate([quarter.sum(axis=(1, 2)) for quarter in quarters], axis=1)


def _axes(pooled: FloatArray) -> FloatArray:
    """Leading principal axes of whole numbers [n, d], on the grid: float64 [d, 256], each up to 1024 long."""
    mean = pooled.sum(axis=0) / len(pooled)
    covariance = pooled.T @ pooled / len(pooled) - np.outer(mean, mean)
    vectors = np.linalg.eigh(covariance)[1][:, ::-1][:, : min(COMPONENTS, len(pooled) - 1)]
    vectors *= np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(vectors.shape[1])])
    axes: FloatArray = np.rint(vectors * _GRID)
    return axes


def _deviation(column: npt.NDArray[Any]) -> float:
    """Standard deviation of a centred column, summed exactly."""
    return math.sqrt(math.fsum(column * column) / len(column))
