"""The debugging protocol of 2022 against figures measured with the original code, on the original files."""

from __future__ import annotations

import json
from typing import Any, get_args

import numpy as np
import pytest

from harness.api import IntArray
from harness.data.base import Dataset
from harness.data.dataperf_debugging import Task
from harness.errors import ProtocolError, SubmissionError
from harness.models import load_model
from harness.protocol.compose import load_challenge
from harness.tracks.debugging_legacy import DebuggingLegacy, DebuggingLegacySettings
from tests.tracks.helpers import bind, cell

# Score and precision agree, but 9 of 185 places of the curve do not: this ranking could be rebuilt but for a few neighbours.
NEARLY = {("01g317_flipped", "cv_selfconf"): 9}
QUICK, *TASKS = ("01g317_flipped", "01g317", "04hgtk", "09j2d")  # a ranking costs 300 trainings


def orders(task: str, view: Any, key: Any, folder: Any) -> dict[str, IntArray]:
    """Every reference ranking that can be rebuilt, by its name in the reference file.

    ``random_0`` is numpy's legacy generator seeded 0, the two self-confidences are scikit-learn's logistic regression
    with C = 0.01 on the clean rows, or over five shuffled stratified folds (seed 0). The rankings are not in the file;
    that these are the right ones shows in the precision at 90 and in the curves.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    X, y, rows = view.arrays["X"], view.arrays["y"], np.arange(300)
    wrong = y != key.y_true
    model = LogisticRegression(C=0.01, max_iter=1000)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    on_val = model.fit(view.arrays["X_val"], view.arrays["y_val"]).predict_proba(X)[rows, y]
    out_of_fold = cross_val_predict(model, X, y, cv=folds, method="predict_proba")[rows, y]
    return {
        "datascope": np.loadtxt(folder / f"{task.replace('_', '-')}_datascope.txt", dtype=np.int64),
        "oracle": np.concatenate([np.flatnonzero(wrong), np.flatnonzero(~wrong)]),
        "random_0": np.random.RandomState(0).permutation(300),
        "val_model_selfconf": np.argsort(on_val, kind="stable"),
        "cv_selfconf": np.argsort(out_of_fold, kind="stable"),
    }


def check(task: str, name: str, folder: Any) -> None:
    expected = json.loads((folder / "reference.json").read_text())[task.replace("_", "-")]
    track = bind(f"debugging_legacy_{task}")
    view, key = track.prepare(0)
    output = track.read_output({"indices": orders(task, view, key, folder)[name]}, view)
    score = track.score(output, view, key, 0)
    figures = expected["scores"][name]
    assert round(score.value, 4) == figures["legacy_score"]
    assert score.metrics["precision_at_b"] == pytest.approx(figures["precision_at_90"])
    curve = figures["curve_prefix"]
    assert score.curve is not None
    assert np.sum(score.curve[1 : len(curve) + 1, 1] != curve) <= NEARLY.get((task, name), 0)
    assert score.curve[[0, 300], 1].tolist() == [expected["accuracy_before"], expected["accuracy_clean"]]
    assert track.statistic(score.items, np.ones((1, 500)))[0] == score.value


@pytest.mark.parametrize("task", [QUICK, *(pytest.param(task, marks=pytest.mark.slow) for task in TASKS)])
@pytest.mark.parametrize("name", ["datascope", "oracle", "random_0", "val_model_selfconf", "cv_selfconf"])
def test_every_reference_figure_is_reproduced(task: str, name: str, real_folder: Any) -> None:
    """DataScope's is the one that the organisers published."""
    check(task, name, real_folder("dataperf_debugging"))


def test_the_shipped_baseline_is_the_reference_of_the_same_name(real_folder: Any) -> None:
    """Confidence of the challenge's own model (C = 0.01), fitted on the clean rows, gives the same score."""
    real_folder("dataperf_debugging")
    assert round(cell(bind("debugging_legacy_04hgtk"), "validation_confidence").value, 4) == 0.0767


@pytest.mark.parametrize("task", get_args(Task))
def test_all_eight_tasks_ship(task: str) -> None:
    challenge = load_challenge(f"debugging_legacy_{task}")
    assert challenge.dataset.model_dump() == {"name": "dataperf_debugging", "task": task}
    assert challenge.seeds == 1


def made() -> DebuggingLegacy:
    """40 rows of 6 features in the protocol's layout, 8 labels wrong."""
    rng = np.random.default_rng(0)
    part = np.repeat([0, 1, 2], [40, 10, 60])
    y = (rng.random(110) < 0.5).astype(np.int64)
    X = rng.normal(size=(110, 6)).astype(np.float32) + y[:, None].astype(np.float32)
    given = np.where(np.arange(110) < 8, 1 - y, y)
    data = Dataset("made", X, y, ("absent", "present"), {"part": part, "given": given})
    model = load_model("logistic", device="cpu", n_classes=2)
    return DebuggingLegacy(DebuggingLegacySettings(name="debugging_legacy"), data, model, "open")


def test_score_follows_the_rule_read_word_by_word() -> None:
    track = made()
    view, key = track.prepare(0)
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(40)
        score = track.score({"indices": order}, view, key, 0)
        assert score.curve is not None
        accuracies = [round(float(a), 2) for a in score.curve[1:, 1]]
        j = next(i for i, a in enumerate(accuracies) if a >= 0.95 * accuracies[-1])
        assert score.value == j / 40
        assert track.statistic(score.items, np.ones((1, 60)))[0] == score.value


def test_statistic_resamples_test_rows() -> None:
    track = made()
    view, key = track.prepare(0)
    score = track.reference("random", view, key, 0)
    drawn = np.random.default_rng(1).integers(60, size=60)
    accuracies = np.round(score.items["correct"][drawn].mean(axis=0), 2)[1:]
    expected = np.flatnonzero(accuracies >= 0.95 * accuracies[-1])[0] / 40
    weights = np.bincount(drawn, minlength=60)[None].astype(float)
    assert track.statistic(score.items, weights)[0] == pytest.approx(expected)


def test_skyline_lists_all_wrong_rows_first() -> None:
    track = made()
    view, key = track.prepare(0)
    skyline = track.reference("skyline", view, key, 0)
    assert skyline.metrics["precision_at_b"] == 1.0
    assert track.suspicious_above(skyline.value) == 0.0


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (np.zeros(40, np.int64), r"indices\[1\] repeats row 0"),
        (np.arange(39), "lists 39 rows; exactly 40"),
        (np.arange(41), "over the budget of 40"),
    ],
)
def test_lists_that_the_original_rewards_with_zero_are_refused(bad: np.ndarray, said: str) -> None:
    track = made()
    with pytest.raises(SubmissionError, match=said):
        track.read_output({"indices": bad}, track.prepare(0)[0])


def test_other_data_are_refused() -> None:
    with pytest.raises(ProtocolError, match="digits is no task of DataPerf"):
        bind("debugging_digits", "track=debugging_legacy").prepare(0)
