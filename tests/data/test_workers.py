"""Simulated workers against what their settings state; votes as extras against the tally of an organiser's file."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from harness.data.base import Dataset
from harness.data.own.votes import tally
from harness.data.workers import Votes, Workers, kept, packed
from harness.errors import ProtocolError


def test_confusion_is_what_the_settings_state() -> None:
    workers = Workers(count=1000, accuracy=(0.5, 0.7), spread=0.1, confused=0.6, spammers=0.2)
    matrix = workers.confusion(5, np.random.default_rng(0))
    assert matrix.sum(axis=2) == pytest.approx(np.ones((1000, 5)))
    assert matrix.min() >= 0
    honest, spam = matrix[:800], matrix[800:]
    right = np.einsum("wcc->wc", honest)
    assert 0.4 <= right.min() <= right.max() <= 0.8
    assert right.mean() == pytest.approx(0.6, abs=0.01)
    errors = honest - np.eye(5) * right[:, None, :]
    assert errors.max(axis=2) == pytest.approx((1 - right) * (0.6 + 0.4 / 4))  # the class it is mistaken for
    assert np.sort(errors, axis=2)[:, :, 1:-1] == pytest.approx(np.repeat((1 - right)[:, :, None] * 0.1, 3, axis=2))
    assert np.allclose(spam[::2], 0.2)
    assert sorted(np.unique(spam[1::2])) == [0, 1]
    assert (spam[1::2].max(axis=1) == spam[1::2].min(axis=1)).all()  # the same whatever the class


def test_votes_follow_the_matrices_and_the_numbers_of_votes() -> None:
    workers = Workers(count=6, votes=(2, 4), accuracy=(0.7, 0.9), spread=0.0, spammers=0.0, activity=0.0)
    y = np.arange(30_000) % 3
    votes = workers.vote(y, 3, np.random.default_rng(1))
    of_item = np.bincount(votes.item)
    assert np.bincount(of_item)[2:] / 30_000 == pytest.approx([1 / 3] * 3, abs=0.01)
    assert len(np.unique(votes.item * 6 + votes.annotator)) == len(votes.item)  # nobody votes twice on an item
    assert np.bincount(votes.annotator) / len(votes.item) == pytest.approx([1 / 6] * 6, abs=0.01)
    counts = np.zeros((6, 3, 3))
    np.add.at(counts, (votes.annotator, y[votes.item], votes.label), 1)
    stated = workers.confusion(3, np.random.default_rng(1))
    assert np.abs(counts / counts.sum(axis=2, keepdims=True) - stated).max() < 0.02


def test_the_active_vote_more() -> None:
    y = np.zeros(3000, np.int64)
    shares = [
        np.sort(np.bincount(Workers(activity=a).vote(y, 2, np.random.default_rng(0)).annotator))[-1] for a in (0.0, 2.0)
    ]
    assert shares[1] > 1.5 * shares[0]


@pytest.mark.parametrize(
    "wrong",
    [{"votes": (0, 2)}, {"votes": (3, 2)}, {"votes": (1, 13)}, {"accuracy": (0.9, 0.4)}, {"accuracy": (-1, 0.4)}, {"odd": 1}],
)  # fmt: skip
def test_settings_that_cannot_be(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Workers.model_validate(wrong)


def test_one_class_is_refused() -> None:
    with pytest.raises(ProtocolError, match="two classes or more"):
        Workers().vote(np.zeros(3, np.int64), 1, np.random.default_rng(0))


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 4), st.integers(0, 2)), unique_by=lambda v: v[:2]))
def test_packed_votes_are_those_an_organisers_file_gives_and_come_back(cast: list[tuple[int, int, int]]) -> None:
    item, person, label = (np.array([v[k] for v in cast], np.int64) for k in range(3))
    ours = packed(item, person, label, 7, 3)
    codes = {p: k for k, p in enumerate(sorted(set(person.tolist())))}
    theirs = tally([(i, str(p), str(c), "") for i, p, c in cast], 7, ("0", "1", "2"))
    assert np.array_equal(ours["votes"], theirs["votes"])
    assert np.array_equal(ours["vote_label"], theirs["vote_label"])
    assert [codes.get(p, -1) for p in ours["vote_annotator"].ravel()] == theirs["vote_annotator"].ravel().tolist()
    if cast:
        data = Dataset("made", np.zeros((7, 1), np.float32), np.zeros(7, np.int64), ("0", "1", "2"), ours)
        back = kept(data, np.arange(7))
        assert sorted(zip(back.item, back.annotator, back.label, strict=True)) == sorted(cast)


def test_data_without_votes_say_what_to_do() -> None:
    data = Dataset("made", np.zeros((2, 1), np.float32), np.zeros(2, np.int64), ("a", "b"))
    with pytest.raises(ProtocolError, match="no votes of single annotators"):
        kept(data, np.arange(2))
    none = packed(np.array([0]), np.array([0]), np.array([0]), 2, 2)
    with pytest.raises(ProtocolError, match="None of the 1 rows"):
        kept(Dataset("made", data.X, data.y, ("a", "b"), none), np.array([1]))


def test_shuffling_keeps_who_said_what_and_drops_who_said_nothing() -> None:
    votes = Votes(np.array([0, 0, 1, 2]), np.array([3, 7, 3, 9]), np.array([1, 0, 1, 2]), 12)
    new = votes.shuffled(np.random.default_rng(0))
    assert new.annotators == 3
    assert sorted(np.unique(new.annotator)) == [0, 1, 2]
    by_person = {
        frozenset(zip(new.item[new.annotator == a], new.label[new.annotator == a], strict=True)) for a in range(3)
    }
    assert by_person == {frozenset({(0, 1), (1, 1)}), frozenset({(0, 0)}), frozenset({(2, 2)})}
