"""Test-set creation against votes counted by hand and loops over slots."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.data.base import Dataset
from harness.errors import NothingToMeasure, ProtocolError, SubmissionError
from harness.models import load_model
from harness.protocol.compose import load_challenge
from harness.tracks.test_set import TestSet, TestSetSettings, repeats
from harness.tracks.unseen import probabilities


@pytest.fixture(scope="module")
def digits() -> TestSet:
    challenge = load_challenge("test_set_digits")
    track = challenge.load_track(challenge.load_dataset(), "cpu")
    assert isinstance(track, TestSet)
    return track


def made(spread: float = 1.5, with_votes: bool = False, **changes: Any) -> TestSet:
    """A track on three overlapping Gaussian blobs, voted on by ten people where asked for."""
    rng = np.random.default_rng(5)
    y = np.arange(300) % 3
    X = (np.eye(3)[y] * 3 + spread * rng.normal(size=(300, 3))).astype(np.float32)
    extras = {"votes": np.array([rng.multinomial(10, 0.15 + 0.55 * np.eye(3)[c]) for c in y])} if with_votes else {}
    if with_votes:
        extras["votes"][:20] = 0  # nobody voted
    given = {"name": "test_set", "pool": 150, "budget": 12, "public_rows": 20, "hidden_rows": 20, **changes}
    model = load_model("logistic", n_classes=3, device="cpu")
    return TestSet(TestSetSettings(**given), Dataset("made", X, y, ("a", "b", "c"), extras), model, "secret")


def output_of(track: TestSet, seed: int) -> dict[str, Any]:
    """Some rows, some of them under a wrong label, every class three times or more."""
    rng = np.random.default_rng(seed)
    rows = rng.permutation(track.settings.pool)[: track.settings.budget]
    return {"indices": rows, "labels": np.arange(len(rows)) % track.dataset.n_classes}


@pytest.mark.parametrize("with_votes", [False, True])
def test_score_against_a_loop_over_slots(with_votes: bool) -> None:
    track = made(with_votes=with_votes, near_duplicate=1.5)
    position = {row.tobytes(): i for i, row in enumerate(track.dataset.X)}
    hits = seen_repeats = 0
    for seed in range(12):
        view, key = track.prepare(seed)
        output = track.read_output(output_of(track, seed), view)
        score = track.score(output, view, key, seed)
        counted: list[int] = []
        for slot, (row, label) in enumerate(zip(output["indices"], output["labels"], strict=True)):
            at = position[view.arrays["X"][row].tobytes()]
            votes = track.dataset.extras["votes"][at] if with_votes else np.zeros(3)
            right = votes[label] / votes.sum() >= 0.5 if votes.sum() else label == track.dataset.y[at]
            broken = sum(int(model[row] != label) for model in key.hidden) >= 2
            near = any(
                np.linalg.norm(view.arrays["X"][row].astype(float) - view.arrays["X"][earlier]) <= key.radius
                for earlier in output["indices"][:slot]
            )
            seen_repeats += near
            if right and broken and not near:
                counted.append(row)
        assert score.value == pytest.approx(len(counted) / 12)
        assert set(np.flatnonzero(score.items["counts"])) == set(counted)
        hits += len(counted)
    assert hits > 0
    assert seen_repeats > 0


def test_hidden_models_are_trained_on_rows_of_their_own(digits: TestSet, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def noted(names: Any, fixed: Any, data: Dataset, trained_on: Any, X: np.ndarray) -> object:
        seen.append(trained_on)
        return probabilities(names, fixed, data, trained_on, X)

    monkeypatch.setattr("harness.tracks.test_set.probabilities", noted)
    view, key = digits.prepare(0)
    pool = {row.tobytes() for row in view.arrays["X"]}
    rows = np.concatenate(seen[0])
    assert [len(part) for part in seen[0]] == [125, 125, 150, 150, 150]
    assert len(np.unique(rows)) == 700
    assert not pool & {digits.dataset.X[row].tobytes() for row in rows}
    for part, predicted in zip(seen[0], [*key.public, *key.hidden], strict=True):
        alone = digits.model.fit(digits.dataset.X[part], digits.dataset.y[part]).predict(view.arrays["X"])
        assert np.mean(alone != predicted) < 0.002
    assert np.array_equal(view.arrays["public_proba"].argmax(axis=2), key.public)
    assert set(view.arrays) == {"X", "public_proba"}


def test_models_of_several_kinds_keep_their_order() -> None:
    track = made()
    rows = [np.arange(i * 20, i * 20 + 20) for i in range(3)]
    got = probabilities(["logistic", "fixed", "logistic"], track.model, track.dataset, rows, track.dataset.X)
    for part, proba in zip(rows, got, strict=True):
        alone = track.model.fit(track.dataset.X[part], track.dataset.y[part]).predict_proba(track.dataset.X)
        assert proba == pytest.approx(alone, abs=1e-3)


def test_lands_where_the_prototype_did(digits: TestSet) -> None:
    """Rows under their true labels, three hidden models of 150 rows: random .09, public margin .37, possible 1."""
    random, margin = [], []
    for seed in range(10):
        view, key = digits.prepare(seed)
        missed = (key.hidden != key.confirmed.argmax(axis=1)).sum(axis=0) >= 2
        best = np.sort(view.arrays["public_proba"][0], axis=1)
        random.append(missed.mean())
        margin.append(missed[np.argsort(best[:, -1] - best[:, -2])[:40]].mean())
        assert missed.sum() >= 40
    assert 0.05 < np.mean(random) < 0.13
    assert 0.25 < np.mean(margin) < 0.48


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 25), st.integers(1, 4), st.floats(0, 2), st.integers(0, 1000))
def test_near_duplicates_against_loops(k: int, d: int, radius: float, seed: int) -> None:
    X = np.random.default_rng(seed).integers(0, 3, size=(k, d)).astype(np.float32)
    wanted = [any(np.sqrt(((X[i].astype(float) - X[j]) ** 2).sum()) <= radius for j in range(i)) for i in range(k)]
    assert list(repeats(X, radius)) == wanted


def test_near_duplicate_slots_count_once() -> None:
    track = made()
    view, key = track.prepare(0)
    wrong = np.argwhere(key.confirmed & track._broken(key))
    first, label = wrong[0]
    X = view.arrays["X"].copy()
    twin = next(row for row in range(150) if row != first)
    X[twin] = X[first] + key.radius / 10
    key.confirmed[twin], key.hidden[:, twin] = key.confirmed[first], key.hidden[:, first]
    both = {"indices": np.array([first, twin]), "labels": np.array([label, label])}
    score = track.score(both, type(view)({**view.arrays, "X": X}, view.scalars), key, 0)
    assert score.value == pytest.approx(1 / 12)
    assert score.metrics["near_duplicates"] == pytest.approx(1 / 12)


def test_statistic_is_the_value_and_its_resamples(digits: TestSet) -> None:
    view, key = digits.prepare(0)
    for which in ("random", "skyline"):
        score = digits.reference(which, view, key, 0)
        chosen, counts = score.items["chosen"], score.items["counts"]
        assert digits.statistic(score.items, np.ones((1, 1097)))[0] == pytest.approx(score.value, abs=1e-15)
        weights = np.random.default_rng(0).integers(0, 3, size=(5, 1097)).astype(float)
        slots = np.flatnonzero(chosen)
        wanted = [np.average(counts[slots], weights=w[slots]) for w in weights]
        assert digits.statistic(score.items, weights) == pytest.approx(wanted)
    assert digits.statistic(score.items, np.zeros((1, 1097)))[0] == 0


def test_unused_slots_count_nothing() -> None:
    track = made()
    view, key = track.prepare(0)
    rows, labels = np.argwhere(key.confirmed & track._broken(key))[:3].T
    score = track.score({"indices": rows, "labels": labels}, view, key, 0)
    assert score.value == 3 / 12
    assert track.statistic(score.items, np.ones((1, 150)))[0] == pytest.approx(3 / 12)


def test_skyline_keeps_the_floors_and_is_best(digits: TestSet) -> None:
    for seed in range(3):
        view, key = digits.prepare(seed)
        skyline, random = (digits.reference(which, view, key, seed) for which in ("skyline", "random"))
        assert skyline.metrics["confirmed"] == 1
        assert skyline.metrics["near_duplicates"] == 0
        assert skyline.metrics["distinct_classes"] == 1
        labels = key.confirmed.argmax(axis=1)[skyline.items["chosen"] > 0]
        assert np.bincount(labels, minlength=10).min() >= 2
        missed = (key.confirmed & digits._broken(key)).any(axis=1)
        short = sum(max(0, 2 - (missed & key.confirmed[:, c]).sum()) for c in range(10))
        assert skyline.value == pytest.approx((40 - short) / 40)  # no pair of these digits is a near-duplicate
        assert random.value < 0.2


def test_votes_decide_where_people_voted() -> None:
    track = made(with_votes=True, vote_share=0.6)
    votes, y = track.dataset.extras["votes"], track.dataset.y
    got = track._confirmed(np.arange(300))
    for i in range(300):
        for c in range(3):
            assert got[i, c] == (votes[i, c] >= 6 if votes[i].sum() else y[i] == c)
    assert (got.argmax(axis=1) != y)[20:].any()
    ignored = made(with_votes=True, votes=False)._confirmed(np.arange(300))
    assert np.array_equal(ignored, y[:, None] == np.arange(3))


@pytest.mark.parametrize(
    ("indices", "labels", "message"),
    [
        ([0, 1, 2, 3, 4, 4], [0, 0, 1, 1, 2, 2], r"indices\[5\] repeats row 4"),
        ([0, 1, 2, 3, 4, 150], [0, 0, 1, 1, 2, 2], r"indices\[5\] is 150"),
        ([0, 1, 2, 3, 4, -1], [0, 0, 1, 1, 2, 2], r"indices\[5\] is -1"),
        ([0, 1, 2, 3, 4, 5], [0, 0, 1, 1, 2, 3], r"labels\[5\] is 3"),
        ([0, 1, 2, 3, 4, 5], [0, 0, 1, 1, 2], r"labels has shape \[5\]"),
        ([0, 1, 2, 3, 4, 5], [0, 0, 1, 1, 1, 2], r"claims class 2 \(c\) 1 times"),
        (list(range(13)), [0, 1, 2] * 4 + [0], "over the budget of 12; position 12"),
        ([], [], "indices is empty"),
        ([0.0, 1, 2, 3, 4, 5], [0, 0, 1, 1, 2, 2], "indices holds real numbers"),
        ([0, 1, 2, 3, 4, 5], [0.0, 0, 1, 1, 2, 2], "labels holds real numbers"),
        ([True] * 6, [0, 0, 1, 1, 2, 2], "indices holds True and False"),
    ],
)
def test_bad_outputs_name_position_and_rule(indices: Any, labels: Any, message: str) -> None:
    track = made()
    view, _ = track.prepare(0)
    with pytest.raises(SubmissionError, match=message):
        track.read_output({"indices": np.array(indices), "labels": np.array(labels)}, view)


@settings(deadline=None)
@given(st.data())
def test_what_is_valid_passes_and_a_short_class_is_named(data: Any) -> None:
    track = made()
    view, _ = track.prepare(0)
    rows = np.array(data.draw(st.lists(st.integers(0, 149), min_size=6, max_size=12, unique=True)))
    labels = np.array(data.draw(st.lists(st.integers(0, 2), min_size=len(rows), max_size=len(rows))))
    counts = np.bincount(labels, minlength=3)
    output = {"indices": rows, "labels": labels}
    if counts.min() >= 2:
        assert np.array_equal(track.read_output(output, view)["indices"], rows)
    else:
        with pytest.raises(SubmissionError, match=f"claims class {counts.argmin()}"):
            track.read_output(output, view)


def test_nothing_to_measure_where_hidden_models_never_err() -> None:
    with pytest.raises(NothingToMeasure, match="no row of the pool wrong"):
        made(spread=0.01).prepare(0)


def test_impossible_settings() -> None:
    with pytest.raises(ProtocolError, match="no official parts"):
        made(pool_from="test").prepare(0)
    with pytest.raises(ProtocolError, match="= 250 rows, the data have 150"):
        made(hidden_rows=70).prepare(0)
    with pytest.raises(ValueError, match="budget 200 is more than"):
        made(budget=200)
    with pytest.raises(ValueError, match="no fixed model named 'oracle'"):
        made(hidden_models=("fixed", "oracle"))
    with pytest.raises(ProtocolError, match="fewer than 60 rows"):
        made(class_floor=60).prepare(0)


@pytest.mark.slow
def test_cifar10h_votes_counted_by_hand(real_folder: Callable[[str], Path]) -> None:
    real_folder("cifar10_jpeg")
    votes = np.load(io.BytesIO(gzip.decompress((real_folder("cifar10h") / "cifar10h-counts.npy.gz").read_bytes())))
    challenge = load_challenge("test_set_cifar10h", ["dataset.features=false"])
    track = challenge.load_track(challenge.load_dataset(), "cpu")
    assert isinstance(track, TestSet)
    got = track._confirmed(np.arange(10_000))
    for i in range(0, 10_000, 7):
        assert [c for c in range(10) if 2 * votes[i, c] >= votes[i].sum()] == list(np.flatnonzero(got[i]))
    unclear = (~got.any(axis=1)).sum()
    assert unclear == sum(2 * max(row) < sum(row) for row in votes.tolist())
    assert 0 < unclear < 200
