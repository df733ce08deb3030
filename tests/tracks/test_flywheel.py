"""The flywheel against scikit-learn, its stream against the data it is made of, and labels nobody bought."""

from __future__ import annotations

import dataclasses
from itertools import product
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from harness import evaluate, load_challenge
from harness.data import load_dataset
from harness.errors import ProtocolError, Status, SubmissionError
from harness.tracks import flywheel, planting
from tests.tracks.helpers import baseline, bind, cell, run

SMALL = ["track.labelled=60", "track.period=80", "track.shares=[0.05,0.1,0.2,0.3]", "track.budget=6"]


@pytest.fixture(scope="module")
def track() -> Any:
    return bind("flywheel_digits", *SMALL)


def chosen_at_random(track: Any, seed: int = 0) -> np.ndarray:
    rng, s = np.random.default_rng(seed), track.settings
    return np.stack([rng.permutation(s.period)[: s.budget] for _ in range(s.rounds)])


def test_the_stream_is_the_data_with_a_growing_share_transposed(track: Any) -> None:
    view, key = track.prepare(0)
    digits = load_dataset("digits")
    where = {row.tobytes(): i for i, row in enumerate(digits.X)}
    assert key.rare.sum(axis=1).tolist() == [8, 16, 24]
    assert key.X.shape == (3, 80, 64)
    seen = []
    for X, y, rare in zip(key.X.reshape(-1, 64), key.y.ravel(), key.rare.ravel(), strict=True):
        as_it_was = X.reshape(8, 8).T.ravel() if rare else X
        seen.append(where[np.ascontiguousarray(as_it_was).tobytes()])
        assert digits.y[seen[-1]] == y
    shown = [where.get(row.tobytes()) for row in view.arrays["X_labelled"]]
    assert shown.count(None) == 3  # 5 % of 60, transposed
    assert len(set(seen) | {i for i in shown if i is not None}) == 240 + 57
    assert set(view.arrays) == {"X_labelled", "y_labelled", "X", "proba", "failures", "y_failures"}


def test_pictures_of_any_layout_are_transposed_and_nothing_else_is() -> None:
    rng = np.random.default_rng(0)
    flat, colour = rng.random((5, 16), np.float32), rng.random((5, 4, 4, 3), np.float32)
    for i in range(5):
        assert np.array_equal(planting.transposed(flat)[i].reshape(4, 4), flat[i].reshape(4, 4).T)
        for c in range(3):
            assert np.array_equal(planting.transposed(colour)[i, :, :, c], colour[i, :, :, c].T)
    for shape in ((5, 17), (5, 4, 6)):
        with pytest.raises(ProtocolError, match="no square pictures"):
            planting.transposed(np.zeros(shape, np.float32))


def by_hand(view: Any, key: Any, chosen: np.ndarray) -> list[tuple[float, float]]:
    """Macro-F1 and the accuracy on the worse slice of every next period, a scikit-learn fit each."""
    X, y, found = view.arrays["X_labelled"], view.arrays["y_labelled"], []
    for period, rows in enumerate(chosen):
        X, y = np.concatenate([X, key.X[period][rows]]), np.concatenate([y, key.y[period][rows]])
        model = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000).fit(X, y)
        predicted, true, rare = model.predict(key.X[period + 1]), key.y[period + 1], key.rare[period + 1]
        right = predicted == true
        found.append((f1_score(true, predicted, average="macro"), min(right[rare].mean(), right[~rare].mean())))
    return found


@pytest.mark.parametrize("seed", range(2))
def test_score_is_that_of_scikit_learn_trained_after_every_period(track: Any, seed: int) -> None:
    view, key = track.prepare(seed)
    chosen = chosen_at_random(track, seed)
    score = track.score(track.read_output({"indices": chosen}, view), view, key, seed)
    f1, worst = np.array(by_hand(view, key, chosen)).T
    assert score.metrics["macro_f1"] == pytest.approx(f1.mean(), abs=0.01)  # a test row on the boundary
    assert score.metrics["worst_slice_accuracy"] == pytest.approx(worst.mean(), abs=0.03)
    assert score.value == pytest.approx((f1.mean() + worst.mean()) / 2, abs=0.02)
    assert score.curve[:, 0].tolist() == [6, 12]
    assert score.value == pytest.approx(score.curve[:, 1].mean())
    assert track.statistic(score.items, np.ones((1, 160)))[0] == score.value


def test_statistic_of_counts_is_that_of_repeated_rows(track: Any) -> None:
    view, key = track.prepare(0)
    items = track.reference("random", view, key, 0).items
    counts = np.random.default_rng(0).multinomial(160, np.full(160, 1 / 160), size=3)
    for count, got in zip(counts, track.statistic(items, counts), strict=True):
        heights = []
        for period in range(2):
            rows = np.repeat(np.arange(160), count * (items["period"] == period))
            true, predicted, rare = (items[name][rows] for name in ("y_true", "y_pred", "rare"))
            right = true == predicted
            heights += [f1_score(true, predicted, average="macro"), min(right[rare].mean(), right[~rare].mean())]
        assert got == pytest.approx(np.mean(heights))


def test_failures_are_those_of_the_model_in_force_and_people_agree_on_them(track: Any) -> None:
    view, key = track.prepare(1)
    dialogue, chosen = track.dialogue(view, key, 1), chosen_at_random(track, 1)
    X, y, shown = view.arrays["X_labelled"], view.arrays["y_labelled"], dict(view.arrays)
    for period in range(2):
        model = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000).fit(X, y)
        assert shown["proba"] == pytest.approx(model.predict_proba(key.X[period]), abs=2e-3)
        failures = shown["failures"]
        assert 0 < len(failures) <= track.settings.reports
        assert (shown["proba"].argmax(axis=1)[failures] != shown["y_failures"]).all()
        assert np.mean(shown["y_failures"] == key.y[period][failures]) > 0.5
        if period == 0:
            shown = dialogue.reply(0, {"indices": chosen[0]})
            X, y = np.concatenate([X, key.X[0][chosen[0]]]), np.concatenate([y, key.y[0][chosen[0]]])
            assert np.array_equal(shown["X_labelled"], X)
            assert np.array_equal(shown["y_labelled"], y)  # a failure is not trained on unless it was bought


def test_a_majority_is_two_of_three() -> None:
    for votes in product(range(3), repeat=3):
        expected = next((v for v in range(3) if votes.count(v) >= 2), -1)
        assert flywheel._majority(np.array(votes)) == expected


def test_nothing_shown_depends_on_labels_that_were_not_bought_or_voted_on(track: Any) -> None:
    """Change every label of the stream but those bought, and the next periods' slices: the conversation stays the same."""
    view, key = track.prepare(0)
    chosen = chosen_at_random(track)
    y = (key.y + 1) % 10
    y[0][chosen[0]] = key.y[0][chosen[0]]
    one, two = (
        track.dialogue(view, k, 0).reply(0, {"indices": chosen[0]})
        for k in (key, dataclasses.replace(key, y=y, rare=~key.rare))
    )
    assert set(one) == set(view.arrays)
    assert all(np.array_equal(one[name], two[name]) for name in one)


def test_a_model_that_fails_more_earns_nothing_by_its_failures(track: Any) -> None:
    """With and without reports the same purchases have the same score."""
    silent = bind("flywheel_digits", *SMALL, "track.reports=0")
    (view, key), (view_2, key_2) = track.prepare(0), silent.prepare(0)
    assert len(view_2.arrays["failures"]) == 0
    chosen = {"indices": chosen_at_random(track)}
    assert track.score(chosen, view, key, 0).value == silent.score(chosen, view_2, key_2, 0).value


def test_forgetting_all_but_the_slice_does_not_pay() -> None:
    """Buying one class of the slice, over and over, is no better than chance rows: worse is the lower of two accuracies."""
    track = bind("flywheel_digits")
    gained = []
    for seed in range(4):
        view, key = track.prepare(seed)
        order = [np.argsort((key.y[r] != 3) + ~key.rare[r], kind="stable")[:10] for r in range(track.settings.rounds)]
        one_class = track.score({"indices": np.stack(order)}, view, key, seed).value
        gained.append(one_class - cell(track, "drift_first", seed).value)
    assert np.mean(gained) < -0.03


def test_rules_of_a_query(track: Any) -> None:
    view, key = track.prepare(0)
    good = chosen_at_random(track)
    for bad, says in [
        (good[0][:5], "round 0 lists 5 rows; exactly 6"),
        (np.r_[good[0][:5], good[0][0]], r"round 0\[5\] repeats row"),
        (np.r_[good[0][:5], 80], r"round 0\[5\] is 80; row indices run from 0 to 79"),
        (good[0].astype(float), "dtype float64"),
    ]:
        with pytest.raises(SubmissionError, match=says):
            track.dialogue(view, key, 0).reply(0, {"indices": bad})
    dialogue = track.dialogue(view, key, 0)
    dialogue.reply(0, {"indices": good[0]})
    with pytest.raises(SubmissionError, match="1 of 2 rounds") as caught:
        dialogue.output()
    assert caught.value.status is Status.NO_OUTPUT
    assert dialogue.reply(1, {"indices": good[1]}) is None
    with pytest.raises(SubmissionError, match="All 2 rounds are over"):
        dialogue.reply(2, {"indices": good[0]})
    assert np.array_equal(dialogue.output()["indices"], good)


def test_impossible_settings_are_refused() -> None:
    for override, says in [
        ("track.budget=300", "more than the 250 rows of a period"),
        ("track.shares=[0.1,0.1,0.0]", "no row of the slice"),
        ("track.shares=[0.1,0.1,1.5]", "below 1"),
    ]:
        with pytest.raises(ProtocolError, match=says):
            load_challenge("flywheel_digits", [override])
    with pytest.raises(ProtocolError, match="more than the 1797 rows of digits"):
        bind("flywheel_digits", "track.period=400").prepare(0)


def test_references_bracket_the_baselines() -> None:
    track, rows = bind("flywheel_digits"), []
    names = ("margin", "failure_neighbours", "drift_first", "typiclust", "badge")
    for seed in range(4):
        view, key = track.prepare(seed)
        floor, skyline = (track.reference(which, view, key, seed).value for which in ("random", "skyline"))
        rows.append([floor, *(cell(track, name, seed).value for name in names), skyline])
    mean = np.mean(rows, axis=0)
    assert mean.argmin() == 0
    assert mean.argmax() == len(mean) - 1


def test_the_sandboxed_conversation_is_the_one_in_this_process(
    track: Any, tmp_path: Any, write_submission: Any
) -> None:
    source = "import numpy as np\ndef choose(task):\n    top = task.proba.max(axis=1)\n    return np.argsort(top, kind='stable')[:task.budget]\n"
    folder = write_submission("unsure", source, track="flywheel", function="choose")
    record = evaluate(load_challenge("flywheel_digits", [*SMALL, "seeds=1"]), folder, runs_dir=tmp_path / "runs")
    assert record.status == "ok", record.reason
    view, key = track.prepare(0)
    output = run(track, view, key, lambda task: np.argsort(task.proba.max(axis=1), kind="stable")[: task.budget])
    assert record.cells[0].score == pytest.approx(track.score(output, view, key, 0).value)


@pytest.mark.parametrize("name", ["random", "margin", "failure_neighbours", "drift_first", "typiclust", "badge"])
def test_baselines_run_through_all_periods(track: Any, name: str) -> None:
    view, key = track.prepare(2)
    assert run(track, view, key, baseline("flywheel", name), 2)["indices"].shape == (2, 6)
