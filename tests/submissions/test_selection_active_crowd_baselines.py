"""Crowd baselines against closed forms, and where it is known whom to ask."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from scipy import stats

from harness import api
from harness.models import load_model
from tests.tracks.helpers import baseline

C, N = 3, 90
NAMES = ("random", "cheapest", "proactive", "repeated_labelling", "iethresh")


def task_with(prices: list[int], money: int, asked: list[tuple[int, int, int]] = []) -> Any:  # noqa: B006 - read only
    """Three clouds; rows 0..8 are gold; questions (row, annotator, vote) asked so far, a row labelled by its last vote."""
    rng = np.random.default_rng(0)
    y = np.arange(N) % C
    X = (3 * np.eye(C, 4)[y] + rng.normal(scale=0.7, size=(N, 4))).astype(np.float32)
    gold, said = np.arange(9), {row: vote for row, _, vote in asked if row >= 9}
    rows = np.array([row for row, _, _ in asked], np.int64)
    people = np.array([who for _, who, _ in asked], np.int64)
    votes = np.array([vote for _, _, vote in asked], np.int64)
    labelled = np.r_[gold, np.array(sorted(said), np.int64)]
    labels = np.r_[y[:9], np.array([said[row] for row in sorted(said)], np.int64)]
    model = load_model("logistic", device="cpu", n_classes=C)
    return api.SelectionActiveCrowdTask(
        C, np.random.default_rng(1), model, X, gold, y[:9], np.array(prices), rows, people, votes, labelled, labels, money, 4
    )  # fmt: skip


def on_gold(right: dict[int, int], of: int = 9) -> list[tuple[int, int, int]]:
    """Everybody was asked about the gold rows and got so many of them right."""
    return [(row, who, row % C if row < hits else (row + 1) % C) for who, hits in right.items() for row in range(of)]


@pytest.mark.parametrize("name", NAMES)
def test_the_money_is_spent_and_no_question_is_asked_twice(name: str) -> None:
    for task in (task_with([1, 2, 3], 12), task_with([1, 2, 3], 12, on_gold({0: 3, 1: 6, 2: 9}))):
        rows, people = baseline("selection_active_crowd", name)(task)
        asked = [*zip(task.asked, task.asked_of, strict=True), *zip(rows, people, strict=True)]
        assert len(set(asked)) == len(asked)
        assert 9 <= task.prices[people].sum() <= 12


def test_cheapest_asks_only_the_cheapest_and_every_row_once() -> None:
    rows, people = baseline("selection_active_crowd", "cheapest")(task_with([2, 1, 1], 12))
    assert set(people) == {1, 2}
    assert len(set(rows)) == 12
    assert (rows >= 9).all()


def test_an_answer_s_information_is_the_mutual_information_of_class_and_vote() -> None:
    information = baseline("selection_active_crowd", "proactive").__globals__["information"]
    for p in (0.2, 1 / 3, 0.7, 0.95):
        channel = np.full((C, C), (1 - p) / (C - 1))
        np.fill_diagonal(channel, p)
        vote = channel.mean(axis=0)
        mutual = stats.entropy(vote) - np.mean([stats.entropy(row) for row in channel])
        assert information(p, C) == pytest.approx(mutual)


def test_proactive_weighs_accuracy_against_price() -> None:
    """Equally cheap, the accurate are asked first; where accuracy is equal, the cheap."""
    ask = baseline("selection_active_crowd", "proactive")
    ask.__globals__["AT_ONCE"] = 1
    assert set(ask(task_with([2, 2, 2], 12, on_gold({0: 3, 1: 9, 2: 3})))[1]) == {1}
    assert set(ask(task_with([1, 4, 4], 12, on_gold({0: 8, 1: 8, 2: 8})))[1]) == {0}
    number = ask.__globals__["reliability"](task_with([1, 1, 1], 12, on_gold({0: 3, 1: 9, 2: 6})))
    assert number[0] == pytest.approx([4 / 11, 10 / 11, 7 / 11])


def test_iethresh_asks_all_whose_upper_end_is_near_the_highest() -> None:
    ask = baseline("selection_active_crowd", "iethresh")
    task = task_with([1, 1, 1], 12, on_gold({0: 2, 1: 9, 2: 9}))
    mean = np.array([3, 10, 10]) / 11
    upper = mean + 2 * np.sqrt(mean * (1 - mean) / 11)
    assert ask.__globals__["interval"](task) == pytest.approx(upper)
    rows, people = ask(task)
    assert set(people) == {1, 2}
    assert np.unique(rows, return_counts=True)[1].tolist() == [2] * 6


def test_iethresh_learns_nothing_from_an_annotator_who_agrees_with_himself() -> None:
    alone = task_with([1, 1], 4, [(row, 0, 1) for row in range(20, 30)])
    ends = baseline("selection_active_crowd", "iethresh").__globals__["interval"](alone)
    assert ends[0] == ends[1]


def test_repeated_labelling_asks_again_where_votes_are_split() -> None:
    """Rows 20 to 29 have three votes; on two of them they are split, and these come first."""
    votes = [(row, who, row % C) for row in range(20, 30) for who in range(3)]
    votes = [(row, who, (row + who) % C if row in (24, 27) else vote) for row, who, vote in votes]
    task = dataclasses.replace(task_with([1] * 4, 4, votes), rng=np.random.default_rng(5))
    rows, people = baseline("selection_active_crowd", "repeated_labelling")(task)
    assert set(rows[:2]) == {24, 27}
    assert people[:2].tolist() == [3, 3]  # the only one not asked yet
    assert len(set(rows[2:]) & {*range(20, 30)}) == 0  # the other half goes to new rows
