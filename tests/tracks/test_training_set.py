"""Training-set creation against scikit-learn, brute-force distances and counts made by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays as np_arrays
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from harness.data.base import Dataset
from harness.errors import ProtocolError, SubmissionError
from harness.models import load_model
from harness.protocol.compose import load_challenge
from harness.tracks.distances import nearest, within
from harness.tracks.training_set import TrainingSet, TrainingSetSettings, class_counts, refuse_copies
from tests.tracks.helpers import baseline, make_task


@pytest.fixture(scope="module")
def digits() -> TrainingSet:
    challenge = load_challenge("training_set_digits")
    track = challenge.load_track(challenge.load_dataset(), "cpu")
    assert isinstance(track, TrainingSet)
    return track


def made(n: int = 200, classes: int = 2, parts: bool = False, **changes: Any) -> TrainingSet:
    """A track on Gaussian blobs of two features."""
    rng = np.random.default_rng(3)
    y = np.arange(n) % classes
    X = (y[:, None] * 2.0 + rng.normal(size=(n, 2))).astype(np.float32)
    extras = {"part": np.repeat([0, 1, 2], [n - 60, 20, 40])} if parts else {}
    data = Dataset("made", X, y, tuple(f"class {c}" for c in range(classes)), extras)
    track = TrainingSetSettings(**{"name": "training_set", "raw": 50, "test": 60, "cap": 80, **changes})
    return TrainingSet(track, data, load_model("logistic", n_classes=classes, device="cpu"), "secret")


def test_score_is_that_of_scikit_learn(digits: TrainingSet) -> None:
    fixed = load_model("logistic", C=1.0, n_classes=10, device="cpu")
    track = TrainingSet(digits.settings, digits.dataset, fixed, "secret")
    view, key = track.prepare(0)
    score = track.score({"X": view.arrays["X"], "y": view.arrays["y"]}, view, key, 0)
    model = LogisticRegression(C=1.0, tol=1e-8, max_iter=5000).fit(view.arrays["X"], view.arrays["y"])
    theirs = model.predict(key.X_test)
    assert np.mean(theirs != score.items["y_pred"]) < 0.005
    assert score.value == pytest.approx(f1_score(key.y_test, theirs, average="macro"), abs=0.005)
    assert score.value == pytest.approx(f1_score(key.y_test, score.items["y_pred"], average="macro"), abs=1e-12)
    one = f1_score(key.y_test, score.items["y_pred"], average=None)
    assert [score.metrics[f"f1_{c}"] for c in range(10)] == pytest.approx(one)


def test_view_tells_how_long_the_model_is_trained(digits: TrainingSet) -> None:
    assert digits.prepare(0)[0].scalars["updates"] == 200
    assert made().prepare(0)[0].scalars["updates"] == 0  # logistic regression goes to its optimum


def test_statistic_under_weights_is_f1_of_repeated_rows(digits: TrainingSet) -> None:
    view, key = digits.prepare(1)
    score = digits.reference("random", view, key, 1)
    weights = np.random.default_rng(0).integers(0, 3, size=(4, len(key.y_test))).astype(float)
    got = digits.statistic(score.items, weights)
    for row, value in zip(weights.astype(int), got, strict=True):
        y, p = (np.repeat(score.items[name], row) for name in ("y_true", "y_pred"))
        assert value == pytest.approx(f1_score(y, p, average="macro"))
    assert digits.statistic(score.items, np.ones((1, len(key.y_test))))[0] == score.value


def test_raw_rows_are_as_dirty_as_settings_say(digits: TrainingSet) -> None:
    s = digits.settings
    truth = {row.tobytes(): label for row, label in zip(digits.dataset.X, digits.dataset.y, strict=True)}
    assert len(truth) == len(digits.dataset.y)  # so a row tells its label
    scarcest = set()
    for seed in range(3):
        view, key = digits.prepare(seed)
        X, y = view.arrays["X"], view.arrays["y"]
        true = np.array([truth[row.tobytes()] for row in X])
        assert len(X) == s.raw
        assert abs((true != y).sum() - s.noise * s.raw) <= 2
        assert len({row.tobytes() for row in X}) == s.raw - round(s.duplicates * s.raw)
        kept = np.bincount([truth[row] for row in {row.tobytes() for row in X}], minlength=10)
        assert sorted(kept, reverse=True) == list(class_counts(270, s.imbalance or 1, 10))
        scarcest.add(int(kept.argmin()))
        assert set(view.arrays) == {"X", "y"}
        hidden = {row.tobytes() for row in key.X_test}
        assert not hidden & {row.tobytes() for row in X}
        assert not hidden & {row.tobytes() for row in key.X_clean}
    assert len(scarcest) > 1


@given(st.integers(20, 3000), st.floats(0.01, 1), st.integers(2, 12))
def test_class_counts(n: int, imbalance: float, classes: int) -> None:
    try:
        counts = class_counts(n, imbalance, classes)
    except ProtocolError:
        share = imbalance ** (np.arange(classes) / (classes - 1))
        assert np.maximum(1, np.floor(n * share / share.sum())).sum() > n
        return
    assert counts.sum() == n
    assert counts.min() >= 1
    assert (np.diff(counts) <= 1).all()
    assert counts[0] / n == pytest.approx(1 / (imbalance ** (np.arange(classes) / (classes - 1))).sum(), abs=2 / n)


def test_same_seed_same_view_other_seed_other_view(digits: TrainingSet) -> None:
    first, again, other = digits.prepare(4)[0], digits.prepare(4)[0], digits.prepare(5)[0]
    assert np.array_equal(first.arrays["X"], again.arrays["X"])
    assert np.array_equal(first.arrays["y"], again.arrays["y"])
    assert not np.array_equal(first.arrays["X"], other.arrays["X"])


def test_references_lie_apart_and_suspicion_is_looser(digits: TrainingSet) -> None:
    view, key = digits.prepare(0)
    floor, skyline = (digits.reference(which, view, key, 0).value for which in ("random", "skyline"))
    assert floor + 0.1 < skyline < digits.suspicious_above(skyline) < 1
    oracle = made(skyline="test")
    assert oracle.suspicious_above(0.9) == 0.9


def test_oracle_that_learns_the_test_rows_beats_the_raw_rows() -> None:
    track = made(skyline="test")
    view, key = track.prepare(0)
    as_given = track.score({"X": view.arrays["X"], "y": view.arrays["y"]}, view, key, 0)
    assert track.reference("skyline", view, key, 0).value > as_given.value


@pytest.mark.parametrize("change", [0.0, 1e-3])
def test_copies_of_hidden_rows_are_refused_by_position(digits: TrainingSet, change: float) -> None:
    view, key = digits.prepare(0)
    X, y = view.arrays["X"].copy(), view.arrays["y"]
    X[17] = np.clip(key.X_test[5] + change, 0, 1)
    X[40] = key.X_test[6]
    output = digits.read_output({"X": X, "y": y}, view)
    with pytest.raises(SubmissionError, match=r"X\[17\], first of 2, copies a hidden test item"):
        digits.score(output, view, key, 0)
    closed = TrainingSet(digits.settings, digits.dataset, digits.model, "nobody-knows")
    said = []
    for rows in (X, X[np.r_[0:17, 18:300]]):
        output = {"X": rows, "y": y[: len(rows)]}
        with pytest.raises(SubmissionError, match=r"^At least one row of X copies a hidden test item") as caught:
            closed.score(output, view, key, 0)
        said.append(str(caught.value))
    assert said[0] == said[1]  # neither which nor how many
    assert not any(letter.isdigit() for letter in said[0])


def test_copy_radii_cannot_be_computed_from_what_is_shown() -> None:
    """Two secrets, the same rows shown and hidden: other radii, all within the rule."""
    track = made(noise=0.0)
    draws = {"copies": 0}
    track.rng = lambda seed, purpose: np.random.default_rng(draws.get(purpose, 7))  # type: ignore[method-assign]
    keys = []
    for draws["copies"] in (1, 2):
        view, key = track.prepare(0)
        keys.append(key)
    assert np.array_equal(keys[0].X_test, keys[1].X_test)
    gap = np.array([[np.linalg.norm(a - b) for b in view.arrays["X"]] for a in key.X_test]).min(axis=1)
    for key in keys:
        assert np.all((key.radius >= 0.25 * gap * (1 - 1e-6)) & (key.radius <= 0.3125 * gap * (1 + 1e-6)))
        assert len(np.unique(np.round(key.radius / gap, 6))) > len(gap) / 2
    assert np.mean(np.abs(keys[0].radius - keys[1].radius) > 0.01 * gap) > 0.5


def test_minus_zero_is_zero() -> None:
    track = made(copy_distance=0.0)
    view, key = track.prepare(0)
    X = view.arrays["X"].copy()
    key.X_test[0] = [0.0, 1.0]
    X[3] = [-0.0, 1.0]
    with pytest.raises(SubmissionError, match="At least one row of X copies"):
        track.score({"X": X, "y": view.arrays["y"]}, view, key, 0)


def test_rows_that_the_data_repeat_in_the_test_part_do_no_harm() -> None:
    track = made()
    twice = Dataset("twice", np.repeat(track.dataset.X, 2, axis=0), np.repeat(track.dataset.y, 2), ("a", "b"))
    track = TrainingSet(track.settings, twice, track.model, "secret")
    for seed in range(3):
        view, key = track.prepare(seed)
        assert 0 < len(key.y_test) < track.settings.test
        gap = np.array([[np.linalg.norm(a - b) for b in view.arrays["X"]] for a in key.X_test])
        share = key.radius / gap.min(axis=1)
        assert 0.25 - 1e-6 <= share.min() < share.max() <= 0.3125 + 1e-6
        assert key.radius.min() > 0
        track.score(track.read_output({"X": view.arrays["X"], "y": view.arrays["y"]}, view), view, key, seed)


@settings(deadline=None)
@given(
    np_arrays(np.float32, st.tuples(st.integers(1, 12), st.just(3)), elements=st.floats(-2, 2, width=32)),
    np_arrays(np.float32, st.tuples(st.integers(1, 12), st.just(3)), elements=st.floats(-2, 2, width=32)),
    st.lists(st.floats(0, 3), min_size=12, max_size=12),
)
def test_distances_against_loops(A: Any, B: Any, radii: list[float]) -> None:
    radius = np.array(radii[: len(B)])
    gap = np.array([[np.sqrt(((a.astype(float) - b) ** 2).sum()) for b in B] for a in A])
    assert nearest(A, B) == pytest.approx(gap.min(axis=1), abs=1e-2)
    assert within(A, B, radius).tolist() == [any(gap[i] <= radius) for i in range(len(A))]


def test_distances_over_many_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.tracks.distances._BLOCK_ENTRIES", 50)
    rng = np.random.default_rng(0)
    A, B = rng.random((40, 2, 3)).astype("f4"), rng.random((30, 2, 3)).astype("f4")
    gap = np.array([[np.linalg.norm(a - b) for b in B] for a in A])
    assert nearest(A, B) == pytest.approx(gap.min(axis=1), abs=1e-5)
    radius = np.full(30, np.sort(gap.min(axis=1))[3] + 1e-6)
    assert np.array_equal(within(A, B, radius), gap.min(axis=1) <= radius[0])
    assert within(A, B, radius).sum() == 4
    assert not within(A, B, radius / 100).any()


GOOD = {"X": np.zeros((4, 2), np.float32), "y": np.array([0, 1, 0, 1])}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"X": np.zeros((4, 3), "f4")}, r"X has shape \[4, 3\]; it must be \[any, 2\]"),
        ({"X": np.zeros((4, 2), object)}, "X holds something else"),
        ({"X": np.zeros((4, 2), bool)}, "X holds True and False"),
        ({"X": np.zeros((0, 2)), "y": np.zeros(0, int)}, "X is empty"),
        ({"X": np.zeros((81, 2)), "y": np.arange(81) % 2}, "81 rows, over the cap of 80; row 80"),
        ({"X": np.array([[0, 0], [0, 0], [0, np.nan], [0, 0]])}, r"X\[2, 1\] is nan"),
        ({"X": np.array([[0, 0], [0, 0], [0, 0], [99, 0]])}, r"X\[3, 0\] is 99.0; values must lie between"),
        ({"X": np.array([[0, 0], [0, 0], [0, 0], [1e30, 0]])}, r"X\[3, 0\]"),
        ({"y": np.array([0, 1, 0])}, r"y has shape \[3\]"),
        ({"y": np.array([0.0, 1, 0, 1])}, "y holds real numbers"),
        ({"y": np.array([0, 1, 0, 2])}, r"y\[3\] is 2; classes run from 0 to 1"),
        ({"y": np.array([0, -1, 0, 1])}, r"y\[1\] is -1"),
        ({"y": np.zeros(4, int)}, r"no row of class 1 \(class 1\)"),
    ],
)
def test_bad_outputs_name_position_and_rule(change: dict[str, Any], message: str) -> None:
    track = made()
    view, _ = track.prepare(0)
    with pytest.raises(SubmissionError, match=message):
        track.read_output(GOOD | change, view)


@settings(deadline=None)
@given(st.data())
def test_any_valid_set_is_accepted_and_any_fault_is_found(data: Any) -> None:
    track = made()
    view, _ = track.prepare(0)
    low, high = np.float32(view.scalars["low"]), np.float32(view.scalars["high"])
    m = data.draw(st.integers(2, 80))
    X = data.draw(np_arrays(np.float32, (m, 2), elements=st.floats(float(low), float(high), width=32)))
    y = np.resize([0, 1], m)
    out = track.read_output({"X": X.astype(np.float64), "y": y.astype(np.int16)}, view)
    assert out["X"].dtype == np.float32
    assert np.array_equal(out["X"], X)
    assert out["y"].dtype == np.int64
    row = data.draw(st.integers(0, m - 1))
    X[row, 1] = data.draw(st.sampled_from([np.nan, np.inf, -np.inf, low - 1, high + 1]))
    with pytest.raises(SubmissionError, match=rf"X\[{row}, 1\]"):
        track.read_output({"X": X, "y": y}, view)


def test_a_class_may_be_missing_where_the_challenge_says_so() -> None:
    track = made(all_classes=False)
    view, key = track.prepare(0)
    output = track.read_output({"X": view.arrays["X"][:4], "y": np.ones(4, int)}, view)
    assert (track.score(output, view, key, 0).items["y_pred"] == 1).all()


def test_official_parts() -> None:
    track = made(parts=True, raw_from="train", validation_from="validation", validation=10, test_from="test", test=0)
    view, key = track.prepare(0)
    rows = {row.tobytes(): i for i, row in enumerate(track.dataset.X)}
    assert {rows[r.tobytes()] for r in view.arrays["X"]} <= set(range(140))
    assert {rows[r.tobytes()] for r in view.arrays["X_val"]} <= set(range(140, 160))
    assert {rows[r.tobytes()] for r in key.X_test} <= set(range(160, 200))
    assert len(view.arrays["y_val"]) == 10


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"test_from": "test"}, "no official parts"),
        ({"raw": 140, "test": 60}, "are asked for"),
        ({"raw": 3, "classes": 5}, "3 distinct raw rows are too few for 5 classes"),
    ],
)
def test_impossible_settings(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        made(**changes).prepare(0)


def test_whole_pool_excludes_making_it_dirtier() -> None:
    with pytest.raises(ValueError, match="imbalance must then be null"):
        TrainingSetSettings(name="training_set", raw=0)
    track = made(raw=0, imbalance=None, duplicates=0.0, noise=0.0)
    view, key = track.prepare(0)
    assert len(view.arrays["X"]) == 140
    assert np.array_equal(np.sort(view.arrays["X"], axis=0), np.sort(key.X_clean, axis=0))


def test_roman_numerals_hide_no_image_that_is_shown(real_folder: Callable[[str], Path]) -> None:
    """Of 2,880 images, 49 are in both parts and 3 in the label book: 2,828 - 813 are left to hand out."""
    real_folder("roman_numerals")
    challenge = load_challenge("training_set_roman")
    track = challenge.load_track(challenge.load_dataset(), "cpu")
    view, key = track.prepare(0)
    assert view.arrays["X"].shape == (2880 - 49 - 3 - 813, 32, 32)
    assert np.bincount(view.arrays["y_val"]).sum() == 52
    hidden = {row.tobytes() for row in key.X_test}
    assert 800 < len(hidden) <= 813
    assert not hidden & {row.tobytes() for row in [*view.arrays["X"], *view.arrays["X_val"]]}
    given = {"X": view.arrays["X"], "y": view.arrays["y"]}
    refuse_copies(track.read_output(given, view)["X"], key.X_test, key.radius, say_which=True)


@pytest.mark.parametrize("challenge", ["training_set_roman", "training_set_fashion"])
def test_honest_copies_with_small_changes_are_not_refused(challenge: str, real_folder: Callable[[str], Path]) -> None:
    real_folder("roman_numerals" if challenge.endswith("roman") else "fashion_mnist")
    pinned = load_challenge(challenge)
    track = pinned.load_track(pinned.load_dataset(), "cpu")
    view, key = track.prepare(0)
    for name in ("augment", "mixup"):
        X, y = baseline("training_set", name)(make_task(track, view))
        assert len(X) == track.settings.cap
        refuse_copies(track.read_output({"X": X, "y": y}, view)["X"], key.X_test, key.radius, say_which=True)
    stolen = np.clip(key.X_test[:1] + np.float32(0.01), view.scalars["low"], view.scalars["high"])
    with pytest.raises(SubmissionError, match=r"X\[2\], first of 1, copies"):
        refuse_copies(np.concatenate([view.arrays["X"][:2], stolen]), key.X_test, key.radius, say_which=True)
