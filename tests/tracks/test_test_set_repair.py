"""Test-set repair against accuracies counted in loops and by scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score

from harness.errors import NothingToMeasure, ProtocolError, SubmissionError
from harness.protocol.compose import load_challenge
from harness.tracks.test_set_repair import TestSetRepair, TestSetRepairSettings


@pytest.fixture(scope="module")
def track() -> TestSetRepair:
    challenge = load_challenge("test_set_repair_digits")
    track = challenge.load_track(challenge.load_dataset(), "cpu")
    assert isinstance(track, TestSetRepair)
    return track


def changed(track: TestSetRepair, **changes: Any) -> TestSetRepair:
    given = TestSetRepairSettings(**(track.settings.model_dump() | changes))
    return TestSetRepair(given, track.dataset, track.model, "secret")


def test_view_is_as_wrong_as_settings_say_and_key_is_not_in_it(track: TestSetRepair) -> None:
    view, key = track.prepare(0)
    assert (view.arrays["y"] != key.y).sum() == 120
    truth = {row.tobytes(): label for row, label in zip(track.dataset.X, track.dataset.y, strict=True)}
    assert [truth[row.tobytes()] for row in view.arrays["X"]] == list(key.y)
    assert set(view.arrays) == {"X", "y", "public_proba"}
    assert view.arrays["public_proba"].shape == (1, 600, 10)
    accuracy = [accuracy_score(key.y, predicted) for predicted in key.hidden]
    assert accuracy[0] < accuracy[-1]  # 50 rows, 400 rows


def test_score_against_scikit_learn(track: TestSetRepair) -> None:
    view, key = track.prepare(1)
    rng = np.random.default_rng(0)
    rows = rng.permutation(600)[:100]
    labels = np.where(rng.random(100) < 0.7, key.y[rows], rng.integers(10, size=100))
    score = track.score(track.read_output({"indices": rows, "labels": labels}, view), view, key, 1)
    repaired = view.arrays["y"].copy()
    for row, label in zip(rows, labels, strict=True):
        repaired[row] = label
    error = [abs(accuracy_score(repaired, p) - accuracy_score(key.y, p)) for p in key.hidden]
    before = [abs(accuracy_score(view.arrays["y"], p) - accuracy_score(key.y, p)) for p in key.hidden]
    assert score.value == pytest.approx(np.mean(error))
    assert score.metrics["error_before"] == pytest.approx(np.mean(before))
    assert score.metrics["reduction"] == pytest.approx(1 - np.mean(error) / np.mean(before))
    assert score.metrics["labels_wrong_after"] == (repaired != key.y).sum()
    assert track.statistic(score.items, np.ones((1, 600)))[0] == score.value
    weights = rng.integers(0, 3, size=(3, 600)).astype(float)
    wanted = [
        np.mean(
            [
                abs(accuracy_score(repaired, p, sample_weight=w) - accuracy_score(key.y, p, sample_weight=w))
                for p in key.hidden
            ]
        )
        for w in weights
    ]
    assert track.statistic(score.items, weights) == pytest.approx(wanted)


def test_references_and_direction(track: TestSetRepair) -> None:
    assert track.direction == "min"
    view, key = track.prepare(0)
    random, skyline = (track.reference(which, view, key, 0) for which in ("random", "skyline"))
    assert skyline.value == 0
    assert skyline.metrics["repaired_share"] == 1
    assert 0 < random.value < random.metrics["error_before"]
    assert track.suspicious_above(skyline.value) == 0


def test_skyline_within_a_small_budget_only_mends(track: TestSetRepair) -> None:
    small = changed(track, budget=30)
    view, key = small.prepare(0)
    skyline = small.reference("skyline", view, key, 0)
    assert skyline.metrics["repaired_share"] == pytest.approx(30 / 120)
    assert skyline.metrics["harmed"] == 0
    assert 0 < skyline.value < small.reference("random", view, key, 0).value
    assert small.suspicious_above(skyline.value) == 0


@settings(deadline=None)
@given(st.data())
def test_valid_repairs_pass_and_faults_are_named(track: TestSetRepair, data: Any) -> None:
    view, _ = track.prepare(0)
    rows = np.array(data.draw(st.lists(st.integers(0, 599), min_size=1, max_size=120, unique=True)))
    labels = np.array(data.draw(st.lists(st.integers(0, 9), min_size=len(rows), max_size=len(rows))))
    got = track.read_output({"indices": rows, "labels": labels}, view)
    assert np.array_equal(got["indices"], rows)
    assert np.array_equal(got["labels"], labels)
    at = data.draw(st.integers(0, len(rows) - 1))
    bad = labels.copy()
    bad[at] = data.draw(st.sampled_from([-1, 10, 1000]))
    with pytest.raises(SubmissionError, match=rf"labels\[{at}\] is {bad[at]}"):
        track.read_output({"indices": rows, "labels": bad}, view)
    worse = rows.copy()
    worse[at] = data.draw(st.sampled_from([-1, 600]))
    with pytest.raises(SubmissionError, match=rf"indices\[{at}\] is {worse[at]}"):
        track.read_output({"indices": worse, "labels": labels}, view)


def test_over_budget_and_empty(track: TestSetRepair) -> None:
    view, _ = track.prepare(0)
    with pytest.raises(SubmissionError, match="121 rows, over the budget of 120"):
        track.read_output({"indices": np.arange(121), "labels": np.zeros(121, int)}, view)
    with pytest.raises(SubmissionError, match="indices is empty"):
        track.read_output({"indices": np.arange(0), "labels": np.arange(0)}, view)


def test_impossible_settings(track: TestSetRepair) -> None:
    with pytest.raises(ValueError, match="budget 700 is more than"):
        changed(track, budget=700)
    with pytest.raises(ValueError, match="4 hidden models, but 1 numbers"):
        changed(track, hidden_rows=(50,))
    with pytest.raises(ProtocolError, match="rows, the data have"):
        changed(track, test=1700, noise=0.5).prepare(0)
    with pytest.raises(NothingToMeasure, match="change no measured accuracy"):
        changed(track, noise=0.0001).prepare(0)
