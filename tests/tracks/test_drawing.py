"""Which rows become training, validation and test rows."""

from __future__ import annotations

import numpy as np
import pytest

from harness.data.base import Dataset
from harness.errors import ProtocolError
from harness.tracks.drawing import apart, draw, draw_parts


def rows(n: int = 40, *, timed: bool = True) -> Dataset:
    """n rows of two classes that take turns; their times run against their order."""
    time = np.datetime64("2020-01-01") + np.arange(n)[::-1]
    return Dataset("made", np.zeros((n, 2), np.float32), np.arange(n) % 2, ("a", "b"), {"time": time} if timed else {})


@pytest.mark.parametrize(("test", "tested"), [(5, 5), (0, 25)])
def test_parts_of_time_never_look_ahead(test: int, tested: int) -> None:
    data = rows()
    drawn = [draw_parts(data, 10, 5, test, np.random.default_rng(seed), "time") for seed in range(2)]
    for parts in drawn:
        assert [len(part) for part in parts] == [10, 5, tested]
        assert len(np.unique(np.concatenate(parts))) == 15 + tested
        first, second, third = (data.extras["time"][part] for part in parts)
        assert first.max() < second.min()
        assert second.max() < third.min()
    used = [sorted(np.concatenate(parts)) for parts in drawn]
    assert (used[0] == used[1]) == (test == 0)  # seeds draw other rows where some are left over


def test_times_that_are_not_there_are_named() -> None:
    with pytest.raises(ProtocolError, match="made has no times of its rows"):
        draw_parts(rows(timed=False), 10, 5, 5, np.random.default_rng(0), "time")
    with pytest.raises(ProtocolError, match="leave none to test on"):
        draw_parts(rows(), 30, 10, 0, np.random.default_rng(0), "time")


def grouped(**more: np.ndarray) -> Dataset:
    """120 rows of two classes in 30 groups of four."""
    extras = {"group": np.array([f"g{i // 4}" for i in range(120)]), **more}
    return Dataset("made", np.zeros((120, 2), np.float32), np.arange(120) % 2, ("a", "b"), extras)


@pytest.mark.parametrize("parts", ["random", "official", "time"])
@pytest.mark.parametrize(("test", "least"), [(20, 20), (0, 1)])
def test_no_group_is_in_two_parts(parts: str, test: int, least: int) -> None:
    official = np.repeat([0, 2], [80, 40])
    data = grouped(part=official, time=np.arange(120.0))
    for seed in range(5):
        drawn = draw_parts(data, 30, 10, test, np.random.default_rng(seed), parts)  # type: ignore[arg-type]
        assert [len(rows) for rows in drawn[:2]] == [30, 10]
        assert len(drawn[2]) == test if test else len(drawn[2]) >= least
        shown = [set(data.extras["group"][rows]) for rows in drawn]
        assert not shown[0] & shown[1]
        assert not (shown[0] | shown[1]) & shown[2]
        if parts == "official":
            assert [set(official[rows]) for rows in drawn] == [{0}, {0}, {2}]


def test_what_is_drawn_one_after_the_other_shares_no_group_either() -> None:
    data = grouped()
    (first,) = draw(data, np.arange(120), (18,), np.random.default_rng(0))
    left = apart(data, np.arange(120), first)
    assert len(first) == 18
    assert not set(data.extras["group"][first]) & set(data.extras["group"][left])
    assert len(left) == 100  # five groups were begun
