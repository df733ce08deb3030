"""Labels bought from a crowd: consensus and area against slow computations, and not a vote that was not paid for."""

from __future__ import annotations

import dataclasses
from math import log
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from harness import evaluate, load_challenge
from harness.errors import ProtocolError, Status, SubmissionError
from harness.tracks import crowd
from tests.tracks.helpers import baseline, bind, cell, run

SMALL = ["track.pool=120", "track.test=150", "track.initial=12", "track.wage=12", "track.rounds=3"]
NAMES = ("random", "cheapest", "proactive", "repeated_labelling", "iethresh")


@pytest.fixture(scope="module")
def track() -> Any:
    return bind("selection_active_crowd_digits", *SMALL)


def bought(track: Any, seed: int = 0) -> tuple[Any, Any, dict[str, Any]]:
    view, key = track.prepare(seed)
    return view, key, dict(run(track, view, key, baseline("selection_active_crowd", "random"), seed))


def slow_consensus(rows: Any, people: Any, votes: Any, known: Any, n_classes: int) -> dict[int, np.ndarray]:
    """Posterior of each asked row, in loops over dictionaries."""
    by_row: dict[int, list[tuple[int, int]]] = {}
    for i, j, vote in zip(rows.tolist(), people.tolist(), votes.tolist(), strict=True):
        by_row.setdefault(i, []).append((j, vote))
    weight: dict[int, float] = dict.fromkeys(people.tolist(), 1.0)
    posterior: dict[int, np.ndarray] = {}
    for step in range(20):
        if step:
            for j in weight:
                mine = [(i, vote) for i, cast in by_row.items() for who, vote in cast if who == j]
                p = (1 + sum(posterior[i][vote] for i, vote in mine)) / (2 + len(mine))
                weight[j] = log(p * (n_classes - 1) / (1 - p))
        for i, cast in by_row.items():
            score = np.zeros(n_classes)
            for j, vote in cast:
                score[vote] += weight[j]
            e = np.exp(score)
            posterior[i] = e / e.sum() if known[i] < 0 else np.eye(n_classes)[known[i]]
    return posterior


@pytest.mark.parametrize("seed", range(5))
def test_consensus_is_that_of_loops_over_dictionaries(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, a, C = 30, 5, 4
    truth = rng.integers(C, size=n)
    answers = crowd.answers(truth, crowd.confusions(np.linspace(0.3, 0.95, a), C, rng), rng)
    pairs = rng.permutation(n * a)[:70]
    rows, people = pairs // a, pairs % a
    known = np.where(np.arange(n) < 6, truth, -1)
    ties = rng.random((n, C))
    asked, label = crowd.consensus(rows, people, answers[rows, people], known, ties, a)
    posterior = slow_consensus(rows, people, answers[rows, people], known, C)
    assert asked.tolist() == sorted(i for i in posterior if i >= 6)
    for i, found in zip(asked.tolist(), label, strict=True):
        assert posterior[i][found] == pytest.approx(posterior[i].max(), abs=1e-8)
    shuffled = rng.permutation(70)
    again = crowd.consensus(rows[shuffled], people[shuffled], answers[rows, people][shuffled], known, ties, a)
    assert np.array_equal(label, again[1])  # the order of the purchases plays no part


def test_ties_go_to_no_class_by_its_number() -> None:
    """Two strangers contradict each other on every row: half the rows get either answer."""
    n = 400
    rows, people = np.repeat(np.arange(n), 2), np.tile([0, 1], n)
    votes = np.tile([0, 1], n)
    _, label = crowd.consensus(rows, people, votes, np.full(n, -1), np.random.default_rng(0).random((n, 3)), 2)
    assert 160 < np.sum(label == 0) < 240
    assert set(label) == {0, 1}


def test_a_good_annotator_outvotes_two_bad_ones_known_from_gold() -> None:
    truth = np.zeros(40, np.int64)
    answers = np.column_stack([truth, np.where(np.arange(40) % 4, 1, 0), np.where(np.arange(40) % 4, 1, 0)])
    rows, people = np.repeat(np.arange(40), 3), np.tile(np.arange(3), 40)
    known = np.where(np.arange(40) < 20, truth, -1)
    _, label = crowd.consensus(rows, people, answers.ravel(), known, np.random.default_rng(0).random((40, 5)), 3)
    assert (label == 0).all()


def test_annotators_are_right_as_often_as_their_accuracy_and_err_in_their_own_way() -> None:
    rng = np.random.default_rng(1)
    y = rng.integers(10, size=20_000)
    confusion = crowd.confusions(np.array([0.4, 0.9]), 10, rng)
    assert confusion.sum(axis=2) == pytest.approx(1)
    said = crowd.answers(y, confusion, rng)
    assert np.mean(said == y[:, None], axis=0) == pytest.approx([0.4, 0.9], abs=0.015)
    for j in range(2):
        table = np.zeros((10, 10))
        np.add.at(table, (y, said[:, j]), 1)
        assert np.abs(table / table.sum(axis=1, keepdims=True) - confusion[j]).max() < 0.05


def test_area_is_that_of_scikit_learn_trained_on_the_consensus_after_every_round(track: Any) -> None:
    view, key, output = bought(track)
    score = track.score(output, view, key, 0)
    gold, known = view.arrays["gold"], np.full(120, -1)
    known[gold] = view.arrays["y_gold"]
    heights = []
    for round in range(-1, 3):
        ours = output["round"] <= round
        rows, people = output["indices"][ours], output["annotators"][ours]
        posterior = slow_consensus(rows, people, key.answers[rows, people], known, 10)
        named = sorted(i for i in posterior if known[i] < 0)
        labels = [int(np.where(posterior[i] >= posterior[i].max() - 1e-9, key.ties[i], -1).argmax()) for i in named]
        X, y = view.arrays["X"][[*gold, *named]], np.r_[view.arrays["y_gold"], np.array(labels, int)]
        model = LogisticRegression(C=1.0, tol=1e-8, max_iter=10_000).fit(X, y)
        heights.append(f1_score(key.y_test, model.predict(key.X_test), average="macro"))
    assert score.curve[:, 0].tolist() == [0, 12, 24, 36]
    assert score.curve[:, 1] == pytest.approx(heights, abs=0.01)  # one test row on the boundary
    assert score.value == pytest.approx(np.trapezoid(heights) / 3, abs=0.01)
    assert score.metrics["votes"] == len(output["indices"])
    assert score.metrics["spent"] == view.arrays["prices"][output["annotators"]].sum() <= 36


def test_statistic_of_ones_is_the_value(track: Any) -> None:
    view, key, output = bought(track, 1)
    score = track.score(output, view, key, 1)
    assert track.statistic(score.items, np.ones((1, 150)))[0] == score.value


def test_votes_told_do_not_depend_on_votes_not_paid_for(track: Any) -> None:
    """Change every other answer of the crowd, and every truth but the gold ones: the conversation stays the same."""
    view, key, output = bought(track)
    rows, people = output["indices"], output["annotators"]
    answers = (key.answers + 1) % 10
    answers[rows, people] = key.answers[rows, people]
    truth = (key.y_pool + 1) % 10
    other = dataclasses.replace(key, answers=answers, y_pool=truth, accuracy=1 - key.accuracy)
    dialogues = [track.dialogue(view, k, 0) for k in (key, other)]
    for round in range(2):
        now = output["round"] == round
        asked = {"indices": rows[now], "annotators": people[now]}
        one, two = (dialogue.reply(round, asked) for dialogue in dialogues)
        assert set(one) == {"asked", "asked_of", "votes", "labelled", "y_labelled", "money"}
        assert all(np.array_equal(one[name], two[name]) for name in one)
        assert np.array_equal(one["votes"], key.answers[one["asked"], one["asked_of"]])
    assert set(view.arrays) & {"answers", "accuracy", "y_pool", "ties"} == set()


def test_money_is_granted_by_the_round_and_kept(track: Any) -> None:
    view, key = track.prepare(0)
    dialogue = track.dialogue(view, key, 0)
    dear = np.flatnonzero(view.arrays["prices"] == 4)[:1]
    free = np.setdiff1d(np.arange(120), view.arrays["gold"])
    fields = dialogue.reply(0, {"indices": free[:1], "annotators": dear})
    assert int(fields["money"]) == 12 - 4 + 12
    six = {"indices": free[1:7], "annotators": np.repeat(dear, 6)}
    with pytest.raises(
        SubmissionError, match="round 1: the question at position 5 brings the cost to 24, over the money of 20"
    ):
        dialogue.reply(1, six)


def test_the_same_question_twice_is_refused_with_its_place(track: Any) -> None:
    view, key = track.prepare(0)
    dialogue = track.dialogue(view, key, 0)
    twice = {"indices": np.array([5, 6, 5]), "annotators": np.array([0, 0, 0])}
    with pytest.raises(SubmissionError, match="position 2 repeats row 5 to annotator 0, asked at position 0"):
        dialogue.reply(0, twice)
    dialogue.reply(0, {"indices": np.array([5, 6]), "annotators": np.array([1, 0])})
    with pytest.raises(
        SubmissionError, match="round 1: position 1 repeats row 6 to annotator 0, asked in round 0, position 1"
    ):
        dialogue.reply(1, {"indices": np.array([6, 6]), "annotators": np.array([1, 0])})


def test_nobody_answers_after_the_last_round_and_ending_early_is_no_output(track: Any) -> None:
    view, key = track.prepare(0)
    dialogue = track.dialogue(view, key, 0)
    for round in range(3):
        if round == 1:
            with pytest.raises(SubmissionError, match="1 of 3 rounds") as caught:
                dialogue.output()
            assert caught.value.status is Status.NO_OUTPUT
        asked = {"indices": np.array([round]), "annotators": np.array([0])}
        assert (dialogue.reply(round, asked) is None) == (round == 2)
    with pytest.raises(SubmissionError, match="All 3 rounds are over"):
        dialogue.reply(3, {"indices": np.array([9]), "annotators": np.array([0])})


def test_a_label_nobody_was_paid_for_earns_nothing(track: Any) -> None:
    """Questions on gold rows alone: the model stays that of the initial rows, whatever the crowd says."""
    view, key = track.prepare(0)
    gold = view.arrays["gold"][:3]
    output = {"indices": gold, "annotators": np.zeros(3, int), "round": np.arange(3)}
    score = track.score(track.read_output(output, view), view, key, 0)
    assert len(set(score.curve[:, 1])) == 1
    assert score.metrics["rows_labelled"] == 0


def test_impossible_settings_are_refused() -> None:
    for override, says in [
        ("track.wage=1000", "more than all answers of the cheapest cost"),
        ("track.prices=[0,2]", "prices must be 1 or more"),
        ("track.prices=[500]", "pays nobody"),
        ("track.worst=0.96", "right more often"),
    ]:
        with pytest.raises(ProtocolError, match=says):
            load_challenge("selection_active_crowd_digits", [override])


def test_references_bracket_the_baselines() -> None:
    track = bind("selection_active_crowd_digits")
    rows = []
    for seed in range(4):
        view, key = track.prepare(seed)
        floor, skyline = (track.reference(which, view, key, seed).value for which in ("random", "skyline"))
        rows.append(
            [
                floor,
                *(cell(track, name, seed).value for name in ("proactive", "repeated_labelling", "iethresh")),
                skyline,
            ]
        )
    mean = np.mean(rows, axis=0)
    assert mean.argmin() == 0
    assert mean.argmax() == 4


def test_the_sandboxed_conversation_is_the_one_in_this_process(
    track: Any, tmp_path: Any, write_submission: Any
) -> None:
    """In the real sandbox: money and votes arrive, in one process."""
    source = (
        "import numpy as np\n"
        "def ask(task):\n"
        "    assert isinstance(task.money, int) and len(task.votes) == len(task.asked)\n"
        "    free = np.setdiff1d(np.arange(len(task.X)), task.labelled)[:task.money // 4]\n"
        "    return free, np.full(len(free), int(np.argmax(task.prices)))\n"
    )
    folder = write_submission("plain", source, track="selection_active_crowd", function="ask")
    challenge = load_challenge("selection_active_crowd_digits", [*SMALL, "seeds=1"])
    record = evaluate(challenge, folder, runs_dir=tmp_path / "runs")
    assert record.status == "ok", record.reason
    view, key = track.prepare(0)
    free = np.setdiff1d(np.arange(120), view.arrays["gold"])[:9]
    output = {"indices": free, "annotators": np.full(9, 6), "round": np.repeat(np.arange(3), 3)}
    assert record.cells[0].score == pytest.approx(track.score(output, view, key, 0).value)
