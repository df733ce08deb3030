"""Scores won by how they are computed and not by the task: nothing is gained, or it is refused.

Real data, real sandbox; the submissions are those under ``entries/game_the_metric``.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.protocol import submission
from harness.evaluation.session import Session
from harness.protocol.compose import load_challenge
from harness.errors import Status
from harness.evaluation.cell import evaluate_cell
from harness.tracking.runs import StoredCell
from harness.sandbox import probe
from tests.tracks.helpers import bind, cell, run

HERE = Path(__file__).parent / "entries" / "game_the_metric"
TIERS = [report.name for report in probe() if report.works and report.name != "none"]
SEEDS = 3
Table = dict[str, dict[str, str]]


def cells(challenge: str, names: list[str], runs: Path, tier: str, *overrides: str) -> list[list[StoredCell]]:
    """Cells of each submission, [names][SEEDS]."""
    pinned = load_challenge(challenge, [f"seeds={SEEDS}", *overrides])
    session = Session.open(pinned, runs_dir=runs, device="cpu", tier=tier)
    return [[evaluate_cell(session, submission.load(HERE / name), seed) for seed in range(SEEDS)] for name in names]


def entry(name: str) -> Callable[[Any], Any]:
    """The function of a submission under ``entries``, for this process."""
    found = submission.load(HERE / name)
    spec = importlib.util.spec_from_file_location(f"entry_{name}", found.folder / f"{found.module}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    function: Callable[[Any], Any] = getattr(module, found.function)
    return function


@pytest.mark.parametrize("challenge", ["valuation_digits", "valuation_breast_cancer"])
def test_blocks_of_classes_gain_nothing_over_the_detector_inside(challenge: str, tmp_path: Path, table: Table) -> None:
    honest, gamed = cells(challenge, ["detector", "class_blocks"], tmp_path, TIERS[0])
    assert [one.cell.status for one in honest + gamed] == [Status.OK] * 2 * SEEDS
    assert [one.cell.score for one in gamed] == pytest.approx([one.cell.score for one in honest], abs=0.01)
    table.setdefault(f"game the metric/{challenge}: class blocks", {})[TIERS[0]] = "no gain"


def test_constants_score_as_chance_does(tmp_path: Path, table: Table) -> None:
    (found,) = cells("valuation_digits", ["constants"], tmp_path, TIERS[0])
    assert abs(np.mean([one.cell.score for one in found])) < 0.05
    table.setdefault("game the metric/constants", {})[TIERS[0]] = "chance"


def test_integers_that_would_become_ties_are_refused(tmp_path: Path, table: Table) -> None:
    (found,) = cells("valuation_digits", ["wide_integers"], tmp_path, TIERS[0])
    for one in found:
        assert one.cell.status is Status.CONTRACT_VIOLATION
        assert f"values[0] is {2**62}" in one.cell.reason
    table.setdefault("game the metric/wide integers", {})[TIERS[0]] = str(found[0].cell.status)


@pytest.mark.parametrize("tier", TIERS)
def test_no_label_is_delivered_after_the_last_round(tier: str, tmp_path: Path, table: Table) -> None:
    (found,) = cells("selection_active_digits", ["more_rounds"], tmp_path, tier, "track.pool=200", "track.rounds=4")
    for one in found:
        assert one.cell.status is Status.CONTRACT_VIOLATION
        assert "nothing may be sent after it" in one.cell.reason
        assert one.log.split() == ["labels"] * 3 + ["nothing"]
    table.setdefault("game the metric/more rounds", {})[tier] = str(found[0].cell.status)


def test_neither_the_order_of_votes_nor_the_numbers_of_annotators_say_who_is_good(tmp_path: Path, table: Table) -> None:
    track = bind("annotation_digits_votes")
    function, gains = entry("first_votes"), []
    for seed in range(20):
        view, key = track.prepare(seed)
        score = track.score(run(track, view, key, function, seed), view, key, seed)
        gains.append(score.value - track.reference("random", view, key, seed).value)
    assert abs(np.mean(gains)) < 3 * np.std(gains, ddof=1) / np.sqrt(20)
    (found,) = cells("annotation_digits", ["first_votes"], tmp_path, TIERS[0])
    assert [one.cell.status for one in found] == [Status.OK] * SEEDS
    table.setdefault("game the metric/first votes", {})[TIERS[0]] = "no gain"


def test_soft_labels_cannot_whisper(tmp_path: Path, table: Table) -> None:
    whispered, plain, bet = cells("annotation_digits_soft", ["whispers", "sure", "bets"], tmp_path, TIERS[0])
    assert [one.cell.status for one in whispered + plain] == [Status.OK] * 2 * SEEDS
    assert [one.cell.score for one in whispered] == [one.cell.score for one in plain]
    for one in bet:
        assert one.cell.status is Status.CONTRACT_VIOLATION
        assert "labels[0, 1] is -1.0; probabilities must not be below 0" in one.cell.reason
    table.setdefault("game the metric/whispers", {})[TIERS[0]] = "no gain"


def test_the_scale_of_weights_moves_no_penalty(tmp_path: Path, table: Table) -> None:
    loud, quiet = cells("weighting_digits", ["loud", "quiet"], tmp_path, TIERS[0])
    assert [one.cell.status for one in loud + quiet] == [Status.OK] * 2 * SEEDS
    assert [one.cell.score for one in loud] == pytest.approx([one.cell.score for one in quiet], abs=1e-3)
    track = bind("weighting_digits")
    honest = [cell(track, "validation_model", seed).value for seed in range(SEEDS)]
    assert [one.cell.score for one in loud] == pytest.approx(honest, abs=2e-3)
    table.setdefault("game the metric/loud weights", {})[TIERS[0]] = "no gain"


def test_the_place_of_a_row_does_not_say_whether_its_label_is_wrong() -> None:
    for challenge in ("weighting_digits", "weighting_vendors_digits"):
        track = bind(challenge, *(["track.by_source=false"] if "vendors" in challenge else []))
        function, found = entry("first_rows"), []
        for seed in range(20):
            view, key = track.prepare(seed)
            found.append(
                track.score(run(track, view, key, function, seed), view, key, seed).metrics["wrong_label_auroc"]
            )
        assert abs(np.mean(found) - 0.5) < 3 * np.std(found, ddof=1) / np.sqrt(20)


def test_labels_written_into_cells_gain_nothing(tmp_path: Path, table: Table) -> None:
    honest, gamed = cells("cleaning_digits", ["filled", "labels_in_cells"], tmp_path, TIERS[0])
    assert [one.cell.status for one in honest + gamed] == [Status.OK] * 2 * SEEDS
    assert np.mean([one.cell.score for one in gamed]) < np.mean([one.cell.score for one in honest])
    table.setdefault("game the metric/labels in cells", {})[TIERS[0]] = "loses"


def test_sums_that_are_all_the_same_earn_nothing_and_trainings_are_counted(tmp_path: Path, table: Table) -> None:
    few = ("track.train=60", "track.queries=10", "track.max_fits=5")
    same, more = cells("attribution_digits", ["same_for_all", "more_fits"], tmp_path, TIERS[0], *few)
    assert [one.cell.score for one in same] == [0] * SEEDS
    for one in more:
        assert one.cell.status is Status.CONTRACT_VIOLATION
        assert "trained more than the 5 models that it may" in one.cell.reason
    table.setdefault("game the metric/same for all", {})[TIERS[0]] = "chance"
    table.setdefault("game the metric/more fits", {})[TIERS[0]] = str(more[0].cell.status)


@pytest.fixture
def documents(real_folder: Callable[[str], Path]) -> None:
    """Skips where the documents of nltk_documents are not at hand."""
    real_folder("nltk_text")


@pytest.mark.usefixtures("documents")
def test_documents_twice_in_the_order_are_refused(tmp_path: Path, table: Table) -> None:
    (found,) = cells("selection_lm", ["lm_doubles"], tmp_path, TIERS[0], "track.pool=300")
    for one in found:
        assert one.cell.status is Status.CONTRACT_VIOLATION
        assert "indices[50] repeats row 0, already listed at position 0" in one.cell.reason
    table.setdefault("game the metric/documents twice", {})[TIERS[0]] = str(found[0].cell.status)


@pytest.mark.usefixtures("documents")
def test_a_model_that_has_learned_one_document_pays_more_than_chance(tmp_path: Path, table: Table) -> None:
    (found,) = cells("selection_lm", ["lm_one_document"], tmp_path, TIERS[0], "track.pool=300")
    track = bind("selection_lm", "track.pool=300")
    for seed, one in enumerate(found):
        view, key = track.prepare(seed)
        assert one.cell.status is Status.OK
        assert one.cell.score is not None
        assert one.cell.score > track.reference("random", view, key, seed).value + 1
    table.setdefault("game the metric/one document", {})[TIERS[0]] = "loses"


@pytest.mark.usefixtures("documents")
@pytest.mark.parametrize(
    ("challenge", "name"), [("selection_lm", "lm_in_order"), ("cleaning_lm", "lm_in_order_cleaning")]
)
def test_the_order_of_the_pool_says_nothing_of_its_documents(challenge: str, name: str, table: Table) -> None:
    track, function, gains = bind(challenge, "track.floor_draws=10"), entry(name), []
    for seed in range(10):
        view, key = track.prepare(seed)
        score = track.score(run(track, view, key, function, seed), view, key, seed)
        gains.append(score.value - track.reference("random", view, key, seed).value)
    assert abs(np.mean(gains)) < 3 * np.std(gains, ddof=1) / np.sqrt(10)
    table.setdefault(f"game the metric/{challenge}: the pool's order", {})["in process"] = "no gain"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("distil_contrast", "values must lie between task.low = 0.0 and task.high = 1.0"),
        ("distil_nine_classes", "y has no row of class 9 (9)"),
        ("distil_split_labels", "X has 100 rows, over the cap of 10"),
        ("distil_weights", "The function returned 3 things; it must return 2"),
    ],
)
def test_a_distilled_set_keeps_to_its_range_its_classes_and_its_rows(
    name: str, says: str, tmp_path: Path, table: Table
) -> None:
    (found,) = cells("distillation_digits", [name], tmp_path, TIERS[0])
    for one in found:
        assert one.cell.status is Status.CONTRACT_VIOLATION
        assert says in one.cell.reason
    table.setdefault(f"game the metric/{name}", {})[TIERS[0]] = str(found[0].cell.status)


def test_the_order_of_a_pool_says_nothing_of_its_groups() -> None:
    track, function, gains = bind("selection_worst_group_digits"), entry("group_in_order"), []
    for seed in range(20):
        view, key = track.prepare(seed)
        score = track.score(run(track, view, key, function, seed), view, key, seed)
        gains.append(score.value - track.reference("random", view, key, seed).value)
    assert abs(np.mean(gains)) < 3 * np.std(gains, ddof=1) / np.sqrt(20)


def test_serving_one_group_alone_makes_another_the_worst(tmp_path: Path, table: Table) -> None:
    (found,) = cells("selection_worst_group_digits", ["group_of_the_worst"], tmp_path, TIERS[0])
    track = bind("selection_worst_group_digits")
    honest = [cell(track, "group_class_balanced", seed).value for seed in range(SEEDS)]
    assert [one.cell.status for one in found] == [Status.OK] * SEEDS
    assert np.mean([one.cell.score for one in found]) < np.mean(honest)
    table.setdefault("game the metric/one group alone", {})[TIERS[0]] = "loses"
