"""A second fixed model beside the first: its score is another library's, and nothing else changes by it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score
from sklearn.neighbors import KNeighborsClassifier

from harness import evaluate, load_challenge
from harness.errors import ProtocolError, Status
from harness.evaluation.bench import Bench
from harness.evaluation.cell import reference_cell
from harness.leaderboard.board import build
from harness.protocol.challenge import Challenge
from harness.protocol.describe import describe

Write = Callable[..., Path]
SMALL = ["seeds=2", "draws=1", "track.pool=60", "track.test=300"]
KNN = "transfer={name: knn, k: 3}"
NAME = "transfer_knn_macro_f1"


def test_the_figure_is_that_of_scikit_learn_and_the_score_stays(tmp_path: Path, write_submission: Write) -> None:
    folder = write_submission(
        "first", "import numpy\ndef select(task):\n    return numpy.arange(20)\n", track="selection", function="select"
    )
    plain = load_challenge("selection_digits", SMALL)
    both = load_challenge("selection_digits", [*SMALL, KNN])
    without = evaluate(plain, folder, runs_dir=tmp_path / "runs")
    record = evaluate(both, folder, runs_dir=tmp_path / "runs")
    assert record.status is Status.OK, record.reason
    assert [cell.score for cell in record.cells] == [cell.score for cell in without.cells]
    assert record.settings["transfer"]["k"] == 3
    track = both.load_track(both.load_dataset(), "cpu")
    for cell, alone in zip(record.cells, without.cells, strict=True):
        view, key = track.prepare(cell.seed)
        fitted = KNeighborsClassifier(3).fit(view.arrays["X"][:20], key.y_pool[:20])
        expected = f1_score(key.y_test, fitted.predict(key.X_test), average="macro")
        assert cell.metrics[NAME] == pytest.approx(expected, abs=0.02)  # ties between classes are broken otherwise
        assert {**alone.metrics, NAME: cell.metrics[NAME]} == cell.metrics
    board = build(both, both.load_dataset().digest(), tmp_path / "runs")
    assert NAME in board.metric_names()[:5], board.metric_names()  # those that people see
    assert board.references == () or all(NAME in row.metrics for row in board.references)


def test_floor_and_skyline_have_the_figure_too() -> None:
    bench = Bench.ready(load_challenge("selection_digits", [*SMALL, KNN]), device="cpu")
    floor, oracle = (reference_cell(bench, which, 0).cell.metrics[NAME] for which in ("random", "skyline"))
    assert floor is not None
    assert oracle is not None
    assert 0.1 < floor < oracle


def test_a_seed_with_nothing_to_measure_for_the_second_model_has_no_figure() -> None:
    """One neighbour of a thousand votes for the majority: true labels change nothing."""
    overrides = ["seeds=1", "track.train=60", "track.validation=0", "track.test=200", "transfer={name: knn, k: 60}"]
    bench = Bench.ready(load_challenge("debugging_digits", overrides), device="cpu")
    cell = reference_cell(bench, "random", 0).cell
    assert cell.status is Status.OK
    assert not [name for name in cell.metrics if name.startswith("transfer")]


def test_it_is_pinned_and_said() -> None:
    plain, both = load_challenge("selection_digits"), load_challenge("selection_digits_transfer")
    data = plain.load_dataset()
    assert "transfer" not in plain.pinned()
    prints = {
        load_challenge("selection_digits", [f"transfer={{name: mlp, updates: {n}}}"]).fingerprint(data)
        for n in (10, 20)
    }
    assert len({plain.fingerprint(data), both.fingerprint(data), *prints}) == 4
    assert '"mlp":' in both.canonical("").decode()  # the version of its training
    assert Challenge.from_plain(both.pinned()) == both
    told = describe(both)["transfer"]
    assert (told["name"], told["updates"]) == ("mlp", 500)
    assert "transfer" not in describe(plain)


@pytest.mark.parametrize(
    ("challenge", "override", "said"),
    [
        ("slicing_digits", "transfer={name: knn}", "protocol slicing trains no second model on what is returned"),
        ("valuation_digits", "transfer={name: knn}", "protocol valuation trains no second model"),
        ("selection_digits", "transfer={name: logistic}", "the second model is the challenge's own"),
        ("selection_digits", "transfer={name: knm}", "knn"),
        ("selection_digits", "transfer={name: knn, k: 0}", "transfer.k"),
        ("selection_digits", "transfer={name: knn, neighbours: 3}", "transfer.neighbours"),
        ("selection_digits", "transfer=knn", "must name one of the configs under conf/model/"),
    ],
)
def test_what_cannot_be_is_one_paragraph(challenge: str, override: str, said: str) -> None:
    with pytest.raises(ProtocolError, match=said.replace("(", r"\(")) as raised:
        load_challenge(challenge, [override])
    assert "\n" not in str(raised.value)


def test_every_protocol_that_takes_one_scores_with_it() -> None:
    for challenge, small in (
        ("selection_active_digits", ["track.pool=60", "track.initial=12", "track.batch=10", "track.rounds=2"]),
        ("debugging_correct_digits", ["track.train=100", "track.skyline=gradient"]),
        ("weighting_digits", ["track.train=100"]),
        ("training_set_digits", []),
    ):
        bench = Bench.ready(load_challenge(challenge, ["seeds=1", *small, "transfer={name: knn}"]), device="cpu")
        metrics = reference_cell(bench, "random", 0).cell.metrics
        value = metrics[f"transfer_knn_{bench.track.metric}"]
        assert value is not None
        assert np.isfinite(value), challenge
