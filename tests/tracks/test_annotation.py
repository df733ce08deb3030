"""Annotation against scikit-learn, votes against the data they come from, and published figures of real crowds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.metrics import log_loss as sklearn_log_loss

from harness.data.base import Dataset
from harness.errors import ProtocolError, SubmissionError
from harness.models import load_model
from harness.protocol.sizes import settings_for
from harness.tracks import annotation
from harness.tracks.annotation import Annotation, AnnotationSettings
from tests.tracks.helpers import baseline, bind, cell, make_task, run


@pytest.fixture(scope="module")
def track() -> Any:
    return bind("annotation_digits")


@pytest.fixture(scope="module")
def soft() -> Any:
    return bind("annotation_digits_soft")


@pytest.fixture(scope="module")
def unseen() -> Any:
    return bind("annotation_digits_votes")


def test_a_view_holds_votes_and_nothing_hidden(track: Any) -> None:
    view, key = track.prepare(0)
    assert set(view.arrays) == {"X", "item", "annotator", "label", "gold", "y_gold"}
    assert dict(view.scalars) == {"n_classes": 10, "n_items": 600, "n_annotators": 12, "soft": False}
    assert np.array_equal(view.arrays["y_gold"], key.y[view.arrays["gold"]])
    assert len(set(view.arrays["gold"])) == 20
    assert set(np.unique(view.arrays["item"])) == set(range(600))
    shown = {row.tobytes() for row in view.arrays["X"]}
    assert not shown & {row.tobytes() for row in key.X_test}
    assert np.array_equal(track.dataset.X[track.rows(0)], view.arrays["X"])


def test_hiding_the_features_hides_them_all_and_changes_no_vote(track: Any) -> None:
    hidden = bind("annotation_digits", "track.features=false")
    view, key = hidden.prepare(0)
    assert "X" not in view.arrays
    assert hidden.settings.left_out() == {"X"}
    shown, other = track.prepare(0)
    assert all(np.array_equal(view.arrays[name], shown.arrays[name]) for name in view.arrays)
    labels = {"labels": run(hidden, view, key, baseline("annotation", "majority"))["labels"]}
    assert hidden.score(labels, view, key, 0).value == track.score(labels, shown, other, 0).value


def test_the_score_is_what_scikit_learn_gives(track: Any) -> None:
    view, key = track.prepare(1)
    labels = run(track, view, key, baseline("annotation", "majority"), 1)["labels"]
    score = track.score({"labels": labels}, view, key, 1)
    peer = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000).fit(view.arrays["X"], labels)
    assert score.value == pytest.approx(f1_score(key.y_test, peer.predict(key.X_test), average="macro"), abs=2e-3)
    assert score.metrics["log_loss"] == pytest.approx(
        sklearn_log_loss(key.y_test, peer.predict_proba(key.X_test)), abs=1e-3
    )
    asked = np.setdiff1d(np.arange(600), view.arrays["gold"])
    assert score.metrics["consensus_accuracy"] == pytest.approx(np.mean(labels[asked] == key.y[asked]))


def test_a_soft_label_is_a_row_a_class_with_that_weight(soft: Any) -> None:
    view, key = soft.prepare(0)
    share = run(soft, view, key, baseline("annotation", "majority"))["labels"]
    score = soft.score({"labels": share}, view, key, 0)
    row, label = np.nonzero(share)
    peer = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000)
    peer.fit(view.arrays["X"][row], label, sample_weight=share[row, label])
    assert score.value == pytest.approx(f1_score(key.y_test, peer.predict(key.X_test), average="macro"), abs=2e-3)
    asked = np.setdiff1d(np.arange(600), view.arrays["gold"])
    known = np.clip(share[asked, key.y[asked]], 1e-15, 1)
    assert score.metrics["consensus_log_loss"] == pytest.approx(-np.log(known).mean())
    shared = [
        float(np.sum(row[y] == row.max()) / np.sum(row == row.max()))
        for row, y in zip(share[asked], key.y[asked], strict=True)
    ]
    assert score.metrics["consensus_accuracy"] == pytest.approx(np.mean(shared))


def test_soft_labels_that_are_sure_score_as_hard_ones(track: Any, soft: Any) -> None:
    view, key = track.prepare(2)
    labels = run(track, view, key, baseline("annotation", "dawid_skene"), 2)["labels"]
    hard = track.score({"labels": labels}, view, key, 2)
    sure = soft.score({"labels": np.eye(10)[labels]}, *soft.prepare(2), 2)
    assert sure.value == hard.value
    assert np.array_equal(sure.items["y_pred"], hard.items["y_pred"])


@pytest.mark.parametrize("challenge", ["annotation_digits", "annotation_digits_soft", "annotation_digits_votes"])
@pytest.mark.parametrize("which", ["random", "skyline"])
def test_the_statistic_is_the_value_and_its_bootstrap(challenge: str, which: Any) -> None:
    track = bind(challenge, "track.items=200")
    score = track.reference(which, *track.prepare(0), 0)
    m = len(next(iter(score.items.values())))
    assert track.statistic(score.items, np.ones((1, m)))[0] == score.value
    drawn = np.random.default_rng(0).integers(m, size=m)
    again = {name: array[drawn] for name, array in score.items.items()}
    weights = np.bincount(drawn, minlength=m).astype(float)[None]
    assert track.statistic(score.items, weights) == pytest.approx(track.statistic(again, np.ones((1, m))))


def test_the_skyline_is_the_truth_and_the_floor_one_vote(track: Any, unseen: Any) -> None:
    view, key = track.prepare(0)
    assert track.reference("skyline", view, key, 0).metrics["consensus_accuracy"] == 1
    own = np.mean(view.arrays["label"] == key.y[view.arrays["item"]])
    assert track.reference("random", view, key, 0).metrics["consensus_accuracy"] == pytest.approx(own, abs=0.06)
    assert unseen.reference("skyline", *unseen.prepare(0), 0).value == 1
    assert unseen.suspicious_above(1.0) == 1.0
    assert track.suspicious_above(0.9) == pytest.approx(0.95)


def test_the_floor_draws_each_vote_of_an_item_alike(track: Any) -> None:
    view, _ = track.prepare(0)
    rng = np.random.default_rng(0)
    drawn = np.stack([annotation.one_vote(view, rng) for _ in range(400)])
    item = np.argmax(np.bincount(view.arrays["item"]))
    cast = np.bincount(view.arrays["label"][view.arrays["item"] == item], minlength=10)
    assert np.bincount(drawn[:, item], minlength=10) / 400 == pytest.approx(cast / cast.sum(), abs=0.1)


def test_gold_items_count_nothing_in_the_consensus(unseen: Any) -> None:
    view, key = unseen.prepare(0)
    labels = run(unseen, view, key, baseline("annotation", "majority"))["labels"]
    changed = labels.copy()
    changed[view.arrays["gold"]] = (view.arrays["y_gold"] + 1) % 10
    first, second = (unseen.score({"labels": one}, view, key, 0) for one in (labels, changed))
    assert first.value == second.value
    assert len(first.items["right"]) == 580


def test_all_gold_leaves_nothing_to_score() -> None:
    with pytest.raises(ProtocolError, match="No item is left"):
        bind("annotation_digits_votes", "track.gold=600").prepare(0)
    with pytest.raises(ProtocolError, match=r"track.gold is 601, and the truth of 600 items"):
        bind("annotation_digits_votes", "track.gold=601").prepare(0)
    score = cell(bind("annotation_digits", "track.gold=600"), "majority")
    assert "consensus_accuracy" not in score.metrics
    with pytest.raises(ProtocolError, match=r"track.items is 2000, and digits has 1797 items"):
        bind("annotation_digits_votes", "track.items=2000").prepare(0)
    with pytest.raises(ProtocolError, match="Say how many items"):
        bind("annotation_digits", "track.items=0").prepare(0)


@settings(max_examples=30)
@given(
    st.integers(0, 599),
    st.sampled_from([(np.nan, "finite"), (-0.1, "below 0"), (0.5, "add up to 1"), (1e300, "add up to 1")]),
)
def test_soft_labels_that_are_no_distribution(soft: Any, place: int, case: tuple[float, str]) -> None:
    view, _ = soft.prepare(0)
    labels = np.eye(10)[np.arange(600) % 10]
    assert np.array_equal(soft.read_output({"labels": labels}, view)["labels"], labels)
    labels[place, (place + 1) % 10] = case[0]
    with pytest.raises(SubmissionError, match=rf"labels\[{place}(, {(place + 1) % 10})?\] .*{case[1]}"):
        soft.read_output({"labels": labels}, view)


def test_soft_labels_may_be_off_by_rounding_alone(soft: Any) -> None:
    view, _ = soft.prepare(0)
    soft.read_output({"labels": np.full((600, 10), 0.1, np.float32)}, view)
    with pytest.raises(SubmissionError, match=r"labels\[0\] adds up to 1\.00001"):
        soft.read_output({"labels": np.full((600, 10), 0.100001)}, view)
    with pytest.raises(SubmissionError, match=r"labels has shape \[600\]; it must be \[600, 10\]"):
        soft.read_output({"labels": np.zeros(600)}, view)


def test_an_organisers_own_votes_are_enough() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=60)
    X = (rng.normal(size=(60, 3)) + y[:, None]).astype(np.float32)
    label, who = np.full((2, 60, 2), -1)
    label[:, 0], who[:, 0] = y, np.arange(60) % 4
    label[::3, 1], who[::3, 1] = 1 - y[::3], 5
    data = Dataset("own", X, y, ("a", "b"), {"vote_label": label, "vote_annotator": who})
    chosen = AnnotationSettings(name="annotation", items=40, workers=None)
    track = Annotation(chosen, data, load_model("logistic", device="cpu", n_classes=2), "open")
    view, key = track.prepare(0)
    assert view.scalars["n_annotators"] == 5
    rows = track.rows(0)
    for item, said in zip(view.arrays["item"], view.arrays["label"], strict=True):
        assert said in label[rows[item]]
    assert len(view.arrays["item"]) == (label[rows] >= 0).sum()
    assert 0 <= track.score({"labels": key.y}, view, key, 0).value <= 1


def test_a_new_challenge_takes_the_votes_of_people_where_there_are_any() -> None:
    X, y = np.zeros((100, 2), np.float32), np.arange(100) % 2
    none = np.full((100, 1), -1)
    for extras, theirs in (({}, False), ({"vote_label": none, "vote_annotator": none}, True)):
        found = settings_for("annotation", Dataset("own", X, y, ("a", "b"), extras))
        assert found["items"] == 50
        assert ("workers" in found and found["workers"] is None) == theirs


# majority with shared ties, Dawid and Skene without smoothing: errors and accuracies of the literature, and own code
PUBLISHED = {
    "bluebird": (0.7593, 0.898),
    "dog": (0.822, 0.843),
    "product": (0.897, 0.940),
    "rte": (0.8969, 0.9275),
    "trec": (0.6514, 0.7015),
    "web": (0.7307, 0.828),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_figures_of_truth_inference(name: str, real_folder: Any) -> None:
    real_folder("crowd_labels")
    track = bind(f"annotation_{name}", "track.items=0", "seeds=1")
    majority = np.mean([cell(track, "majority", seed).value for seed in range(5)])
    assert majority == pytest.approx(PUBLISHED[name][0], abs=0.02 if name == "bluebird" else 0.006)
    assert cell(track, "dawid_skene").value == pytest.approx(PUBLISHED[name][1], abs=0.002)


def test_measured_figures_of_labelme(real_folder: Any) -> None:
    real_folder("labelme_crowd")
    track = bind("annotation_labelme", "track.items=1000")
    view, key = track.prepare(0)
    floor, skyline = (track.reference(which, view, key, 0) for which in ("random", "skyline"))
    assert floor.value == pytest.approx(0.79, abs=0.015)
    assert skyline.value == pytest.approx(0.936, abs=0.006)
    task = make_task(track, view)
    assert np.mean(task.label == key.y[task.item]) == pytest.approx(0.7405, abs=1e-4)
    for name, consensus, f1 in (("majority", 0.766, 0.81), ("dawid_skene", 0.789, 0.821)):
        score = track.score(run(track, view, key, baseline("annotation", name)), view, key, 0)
        assert score.metrics["consensus_accuracy"] == pytest.approx(consensus, abs=0.006)
        assert score.value == pytest.approx(f1, abs=0.02)
    score = track.score(run(track, view, key, baseline("annotation", "classifier_em")), view, key, 0)
    assert (
        score.metrics["consensus_accuracy"] > 0.812
    )  # a prototype's figure, whose classifier had seen the items it judged
    assert score.value > 0.834
