"""Attribution: the score against retrained scikit-learn models and scipy, references, seeds of networks, the cap on fits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression

from harness.errors import ProtocolError, Status, SubmissionError
from harness.evaluation.cell import evaluate_cell
from harness.evaluation.session import Session
from harness.models import load_model
from harness.models.base import counting_fits
from harness.protocol import submission
from harness.protocol.compose import load_challenge
from harness.tracks.attribution import halves, margins, regressed
from tests.tracks.helpers import bind

SMALL = ("track.train=60", "track.queries=12", "track.half_sets=15", "track.oracle=50", "track.max_fits=7")
RNG = np.random.default_rng(0)
Write = Callable[..., Path]


@pytest.fixture(scope="module")
def track() -> Any:
    return bind("attribution_digits", *SMALL)


@pytest.fixture(scope="module")
def truth(track: Any) -> np.ndarray:
    """Margins [s, q] of scikit-learn models, one trained on each hidden half of seed 0."""
    view, key = track.prepare(0)
    X, y, X_query, y_query = (view.arrays[name] for name in ("X", "y", "X_query", "y_query"))
    found = np.empty((len(key.halves), len(y_query)))
    for j, half in enumerate(key.halves):
        model = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000).fit(X[half], y[half])
        p = np.zeros((len(y_query), 10))  # a class without a row has probability 0
        p[:, model.classes_] = model.predict_proba(X_query)
        p = np.maximum(p[np.arange(len(y_query)), y_query], 1e-30)
        found[j] = np.log(p / (1 - p))
    return found


def test_a_view_has_disjoint_rows_and_no_half_set(track: Any) -> None:
    view, key = track.prepare(0)
    assert {name: array.shape for name, array in view.arrays.items()} == {
        "X": (60, 64), "y": (60,), "X_query": (12, 64), "y_query": (12,)
    }  # fmt: skip
    assert dict(view.scalars) == {"n_classes": 10, "max_fits": 7}
    rows, queries = ({row.tobytes() for row in view.arrays[name]} for name in ("X", "X_query"))
    assert not rows & queries
    assert key.halves.sum(axis=1).tolist() == [30] * 15
    assert len({half.tobytes() for half in key.halves}) == 15
    assert not np.array_equal(track.prepare(1)[1].halves, key.halves)
    assert np.array_equal(track.prepare(0)[1].halves, key.halves)


def test_the_score_is_scipys_correlation_with_models_that_scikit_learn_trains(track: Any, truth: np.ndarray) -> None:
    view, key = track.prepare(0)
    scores = RNG.normal(size=(12, 60))
    scores[3] = np.round(scores[3])  # sums with ties
    score = track.score({"scores": scores}, view, key, 0)
    each = [
        spearmanr([scores[q, half].sum() for half in key.halves], truth[:, q]).statistic for q in range(len(scores))
    ]
    assert score.items["correlation"] == pytest.approx(each, abs=0.02)  # neighbours in rank may change places
    assert score.value == pytest.approx(np.mean(each), abs=0.005)
    assert score.metrics["least"] == pytest.approx(min(each), abs=0.02)


def test_margins_are_those_of_the_definition_and_finite_at_the_ends() -> None:
    proba = RNG.dirichlet(np.ones(4), (3, 5))
    y = RNG.integers(0, 4, 5)
    p = proba[:, np.arange(5), y]
    assert margins(proba, y) == pytest.approx(np.log(p / (1 - p)))
    sure = margins(np.array([[[1.0, 0.0], [0.0, 1.0]]], np.float32), np.array([0, 0]))
    assert np.isfinite(sure).all()
    assert sure[0, 0] == -sure[0, 1] > 60


def test_constants_score_nothing_and_scales_do_not_count(track: Any) -> None:
    view, key = track.prepare(0)
    scores = RNG.normal(size=(12, 60))
    assert track.score({"scores": np.full((12, 60), 3.0)}, view, key, 0).value == pytest.approx(0, abs=1e-12)
    plain = track.score({"scores": scores}, view, key, 0).items["correlation"]
    stretched = scores * 10.0 ** np.linspace(-300, 290, 12)[:, None]
    assert track.score({"scores": stretched}, view, key, 0).items["correlation"] == pytest.approx(plain)
    assert track.score({"scores": -scores}, view, key, 0).items["correlation"] == pytest.approx(-plain)


def test_weights_of_queries_give_the_score_of_the_queries_repeated(track: Any) -> None:
    view, key = track.prepare(0)
    items = track.score({"scores": RNG.normal(size=(12, 60))}, view, key, 0).items
    counts = RNG.integers(0, 3, (4, 12))
    expected = [np.repeat(items["correlation"], row).mean() for row in counts]
    assert track.statistic(items, counts.astype(float)) == pytest.approx(expected)


def test_the_standard_error_is_of_queries_and_of_half_sets_left_out(track: Any, truth: np.ndarray) -> None:
    view, key = track.prepare(0)
    scores = RNG.normal(size=(12, 60))
    found = track.score({"scores": scores}, view, key, 0)
    each = found.items["correlation"]
    sums = key.halves @ scores.T
    left = [  # 15 half-sets: each is a group of its own
        np.mean([spearmanr(np.delete(sums[:, q], j), np.delete(truth[:, q], j)).statistic for q in range(12)])
        for j in range(15)
    ]
    of_halves = np.sqrt(14 / 15 * ((left - np.mean(left)) ** 2).sum())
    assert found.metrics["standard_error_queries"] == pytest.approx(each.std(ddof=1) / np.sqrt(12))
    assert found.metrics["standard_error_half_sets"] == pytest.approx(of_halves, rel=0.1)
    assert found.metrics["standard_error"] ** 2 == pytest.approx(
        found.metrics["standard_error_queries"] ** 2 + found.metrics["standard_error_half_sets"] ** 2
    )


def test_references_are_chance_and_a_good_answer() -> None:
    track = bind("attribution_digits", "track.queries=50", "track.oracle=50")
    view, key = track.prepare(0)
    floor, skyline = (track.reference(which, view, key, 0) for which in ("random", "skyline"))
    assert abs(floor.value) < 0.2
    assert skyline.value > 0.95
    assert skyline.value < track.suspicious_above(skyline.value) < 1


def test_a_regression_finds_what_rows_add() -> None:
    w, halved = RNG.normal(size=(3, 20)), halves(200, 20, RNG)
    assert halved.sum(axis=1).tolist() == [10] * 200
    found = regressed(halved, halved @ w.T + 5)
    assert found - found.mean(axis=1, keepdims=True) == pytest.approx(w - w.mean(axis=1, keepdims=True), abs=1e-3)


def test_true_margins_are_trained_once_a_seed() -> None:
    track = bind("attribution_digits", *SMALL)
    view, key = track.prepare(0)
    trained = []
    for _ in range(2):
        with counting_fits() as count:
            track.score({"scores": RNG.normal(size=(12, 60))}, view, key, 0)
        trained.append(count.fits)
    assert trained == [15, 0]


def test_a_networks_margins_are_means_over_its_seeds() -> None:
    of_mlp = ("model=mlp", "model.updates=5", "track.model_seeds=2")
    track: Any = bind("attribution_digits", *SMALL, *of_mlp)
    view, key = track.prepare(0)
    expected = []
    for seed in (0, 1):
        model = load_model("mlp", device="cpu", n_classes=10, updates=5, seed=seed)
        fitted = model.fit_many(view.arrays["X"], view.arrays["y"], subsets=[np.flatnonzero(h) for h in key.halves])
        expected.append(margins(fitted.predict_proba(view.arrays["X_query"]), view.arrays["y_query"]))
    assert track._truth(view, key, 0) == pytest.approx(np.mean(expected, axis=0), abs=1e-4)
    assert np.abs(expected[0] - expected[1]).max() > 0.1


def test_a_networks_skyline_is_the_truth_from_other_seeds() -> None:
    of_mlp = ("model=mlp", "model.updates=5", "track.model_seeds=2", "track.skyline=repeat")
    track: Any = bind("attribution_digits", *SMALL, *of_mlp)
    view, key = track.prepare(0)
    other: Any = bind("attribution_digits", *SMALL, *of_mlp, "model.seed=2")
    again, truth = (one._truth(view, key, 0) for one in (other, track))
    each = [spearmanr(again[:, q], truth[:, q]).statistic for q in range(12)]
    assert track.reference("skyline", view, key, 0).items["correlation"] == pytest.approx(each, abs=1e-9)


@pytest.mark.parametrize("setting", ["track.model_seeds=3", "track.skyline=repeat"])
def test_seeds_of_a_model_that_has_none_are_one_paragraph(setting: str) -> None:
    with pytest.raises(ProtocolError, match="logistic leaves nothing to chance, so it has no other seeds"):
        bind("attribution_digits", *SMALL, setting)


def test_a_model_trains_no_more_than_it_is_allowed() -> None:
    X, y = RNG.normal(size=(20, 3)), np.arange(20) % 2
    model = load_model("logistic", device="cpu")
    model.allowed = 5
    model.fit_many(X, y, weights=RNG.random((4, 20)))
    with pytest.raises(SubmissionError, match="asked for 2 more models; it may train 1 more"):
        model.fit_many(X, y, weights=RNG.random((2, 20)))
    model.reset()
    model.fit(X[:19], y[:19])
    with pytest.raises(SubmissionError, match="it may train 0 more"):
        model.fit(X[:18], y[:18])


SCORES = "np.zeros((len(task.y_query), len(task.y)))"
SOURCES = {
    "frugal": f"task.model.fit_many(task.X, task.y, weights=task.rng.random((7, len(task.y))))\n    return {SCORES}",
    "greedy": f"task.model.fit_many(task.X, task.y, weights=task.rng.random((8, len(task.y))))\n    return {SCORES}",
    "forgetful": "for _ in range(8):\n        task.model.fit(task.X, task.y, weights=task.rng.random(len(task.y)))\n"
    f"        task.model.reset()\n    return {SCORES}",
}


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("frugal", ""),
        ("greedy", "asked for 8 more models; it may train 7 more"),
        ("forgetful", "asked for 1 more models; it may train 0 more"),
    ],
)
def test_the_cap_holds_in_the_sandbox(name: str, says: str, write_submission: Write, tmp_path: Path) -> None:
    source = f"import numpy as np\n\n\ndef attribute(task):\n    {SOURCES[name]}\n"
    folder = write_submission(name, source, track="attribution", function="attribute")
    session = Session.open(load_challenge("attribution_digits", SMALL), runs_dir=tmp_path / "runs", device="cpu")
    cell = evaluate_cell(session, submission.load(folder), 0).cell
    assert says in cell.reason
    assert cell.status is (Status.CONTRACT_VIOLATION if says else Status.OK)
    if not says:
        assert (cell.score, cell.submission_fits) == (0, 7)
