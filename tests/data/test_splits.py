from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data.splits import by_time, stratified
from harness.errors import ProtocolError


@st.composite
def labels_and_sizes(draw: st.DrawFn) -> tuple[np.ndarray, list[int], int]:
    y = np.array(draw(st.lists(st.integers(0, 5), min_size=1, max_size=200)))
    left, sizes = len(y), []
    for _ in range(draw(st.integers(1, 4))):
        sizes.append(draw(st.integers(0, left)))
        left -= sizes[-1]
    return y, sizes, draw(st.integers(0, 2**32 - 1))


@given(labels_and_sizes())
def test_stratified_exact_disjoint_and_every_class(case: tuple[np.ndarray, list[int], int]) -> None:
    y, sizes, seed = case
    parts = stratified(y, sizes, np.random.default_rng(seed))
    assert [len(p) for p in parts] == sizes
    used = np.concatenate(parts)
    assert len(np.unique(used)) == len(used)
    assert all(p.dtype == np.int64 for p in parts)
    classes, counts = np.unique(y, return_counts=True)
    able = [s >= len(classes) for s in sizes]
    for c, count in zip(classes, counts, strict=True):
        for i, part in enumerate(parts):
            if able[i] and count > sum(able[:i]):  # rows left for it after the parts served earlier
                assert (y[part] == c).any()


@given(labels_and_sizes())
def test_stratified_draws_from_the_generator_alone(case: tuple[np.ndarray, list[int], int]) -> None:
    y, sizes, seed = case
    a = stratified(y, sizes, np.random.default_rng(seed))
    b = stratified(y, sizes, np.random.default_rng(seed))
    for left, right in zip(a, b, strict=True):
        np.testing.assert_array_equal(left, right)


def test_stratified_keeps_proportions_within_one_row() -> None:
    rng = np.random.default_rng(3)
    y = rng.choice(4, p=[0.1, 0.2, 0.3, 0.4], size=3000)
    counts = np.bincount(y)
    for size, part in zip((300, 40, 1000), stratified(y, (300, 40, 1000), rng), strict=True):
        assert np.abs(np.bincount(y[part], minlength=4) - size * counts / 3000).max() < 1


def test_every_row_is_as_likely_as_its_class_mates() -> None:
    y = np.repeat([0, 1], [10, 30])
    hits = np.zeros(40)
    for seed in range(2000):
        hits[stratified(y, [8], np.random.default_rng(seed))[0]] += 1
    np.testing.assert_allclose(hits / 2000, 0.2, atol=0.04)  # 4.5 standard errors


def test_too_few_rows_or_negative_sizes_are_refused() -> None:
    with pytest.raises(ProtocolError, match=r"6 \+ 5 = 11 rows, the data have 10"):
        stratified(np.zeros(10, dtype=int), [6, 5], np.random.default_rng(0))
    with pytest.raises(ProtocolError, match="0 or more"):
        by_time(np.arange(10), [-1, 5], np.random.default_rng(0))


@given(labels_and_sizes())
def test_by_time_never_looks_ahead(case: tuple[np.ndarray, list[int], int]) -> None:
    time, sizes, seed = case
    parts = by_time(time, sizes, np.random.default_rng(seed))
    assert [len(p) for p in parts] == sizes
    assert len(np.unique(np.concatenate(parts))) == sum(sizes)
    filled = [p for p in parts if len(p)]
    for earlier, later in itertools.pairwise(filled):
        assert time[earlier].max() <= time[later].min()


def test_by_time_takes_dates_and_refuses_missing_ones() -> None:
    time = np.array(["2020-03-01", "2020-01-01", "2020-02-01", "2020-04-01"], dtype="datetime64[D]")
    early, late = by_time(time, [2, 2], np.random.default_rng(0))
    assert (sorted(early), sorted(late)) == ([1, 2], [0, 3])
    time[2] = "NaT"
    with pytest.raises(ProtocolError, match="Row 2 has no time"):
        by_time(time, [2, 2], np.random.default_rng(0))
