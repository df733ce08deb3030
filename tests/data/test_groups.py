"""Parts made of whole groups: exact sizes, nothing shared, classes as even as the groups allow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.data import groups, splits
from harness.errors import ProtocolError


def data(seed: int, n_groups: int, largest: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels and groups of shuffled rows; a group leans to a class of its own."""
    rng = np.random.default_rng(seed)
    group = rng.permutation(np.repeat(np.arange(n_groups), rng.integers(1, largest + 1, n_groups)))
    y = np.where(rng.random(len(group)) < 0.6, group % 3, rng.integers(0, 3, len(group)))
    return y, group


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.integers(12, 60), st.integers(1, 12), st.booleans())
def test_whole_groups_and_exact_sizes(seed: int, n_groups: int, largest: int, rest: bool) -> None:
    y, group = data(seed, n_groups, largest)
    n = len(y)
    sizes = [n // 3, n // 10, None if rest else n // 10]
    parts = groups.grouped(y, group, sizes, np.random.default_rng(seed))
    assert [len(p) for p in parts[:2]] == sizes[:2]
    shown = [set(group[p].tolist()) for p in parts]
    assert not shown[0] & shown[1]
    assert not (shown[0] | shown[1]) & shown[2]
    assert len(np.unique(np.concatenate(parts))) == sum(map(len, parts))
    if rest:
        assert set(parts[2].tolist()) == set(np.flatnonzero(np.isin(group, list(shown[2]))))  # whole groups
    else:
        assert len(parts[2]) == sizes[2]


def test_groups_of_one_row_are_drawn_like_rows() -> None:
    y = np.repeat([0, 1, 2], [60, 30, 10])
    for seed in range(5):
        rng = np.random.default_rng(seed)
        parts = groups.grouped(y, np.arange(100), [50, 20, 30], rng)
        for part, like in zip(parts, splits.stratified(y, [50, 20, 30], rng), strict=True):
            assert np.abs(np.bincount(y[part], minlength=3) - np.bincount(y[like], minlength=3)).max() <= 1


def test_classes_are_even_where_groups_allow_it() -> None:
    group = np.repeat(np.arange(200), 5)
    y = np.repeat(np.arange(200) % 4, 5)  # a group has one class
    for seed in range(5):
        parts = groups.grouped(y, group, [400, 200, None], np.random.default_rng(seed))
        for part in parts:
            assert np.abs(np.bincount(y[part]) / len(part) - 0.25).max() < 0.05


def test_seeds_draw_other_groups_and_every_group_is_drawn() -> None:
    y, group = data(1, 40, 6)
    first = [groups.grouped(y, group, [40, 20, None], np.random.default_rng(seed))[1] for seed in range(40)]
    assert len({tuple(sorted(rows)) for rows in first}) > 30
    assert set(group[np.concatenate(first)]) == set(range(40))


def test_groups_that_do_not_suffice_are_told() -> None:
    y, group = np.arange(60) % 2, np.repeat(np.arange(3), 20)
    with pytest.raises(ProtocolError, match=r"of 25, 25, 5 rows cannot .* 3 groups, the largest of 20 rows, 60 rows"):
        groups.grouped(y, group, [25, 25, 5], np.random.default_rng(0))
    with pytest.raises(ProtocolError, match="cannot be made of whole groups"):
        groups.grouped(y, group, [25, 15, None], np.random.default_rng(0))
    with pytest.raises(ProtocolError, match="70 rows, the data have 60"):
        groups.grouped(y, group, [60, 10], np.random.default_rng(0))


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.booleans())
@example(2, False)  # a share each of all rows is more than whole groups give
def test_by_time_a_group_goes_by_its_latest_row(seed: int, rest: bool) -> None:
    _, group = data(seed, 40, 6)
    rng = np.random.default_rng(seed)
    time = group * 2.0 + rng.integers(0, 6, len(group))  # groups overlap their neighbours
    n = len(group)
    sizes = [n // 3, n // 8, None if rest else n // 6]
    parts = groups.by_time(time, group, sizes, rng)
    assert [len(p) for p in parts[:2]] == sizes[:2]
    shown = [set(group[p].tolist()) for p in parts]
    assert not shown[0] & shown[1]
    assert not (shown[0] | shown[1]) & shown[2]
    assert time[parts[0]].max() <= time[parts[1]].min()
    assert time[parts[1]].max() <= time[parts[2]].min()
    latest = [[time[group == g].max() for g in names] for names in shown]
    assert max(latest[0]) <= min(latest[1])
    assert max(latest[1]) <= min(latest[2])


def test_by_time_without_enough_groups() -> None:
    time, group = np.arange(20.0), np.repeat([0, 1], 10)
    with pytest.raises(ProtocolError, match="Part 3 of 3 needs 1 rows"):
        groups.by_time(time, group, [9, 9, None], np.random.default_rng(0))
    time[3] = np.nan
    with pytest.raises(ProtocolError, match="Row 3 has no time"):
        groups.by_time(time, group, [9, None], np.random.default_rng(0))


def test_rows_apart_from_a_groups_rows() -> None:
    group = np.array([0, 0, 1, 1, 2, 2])
    assert groups.apart(np.arange(6), np.array([0]), group).tolist() == [2, 3, 4, 5]
    assert groups.apart(np.arange(6), np.array([0]), None).tolist() == [1, 2, 3, 4, 5]
