"""Scores won by how they are computed and not by the task: nothing is gained, or it is refused.

Real data, real sandbox; the submissions are those under ``entries/game_the_metric``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.protocol import submission
from harness.evaluation.session import Session
from harness.protocol.compose import load_challenge
from harness.errors import Status
from harness.evaluation.cell import evaluate_cell
from harness.tracking.runs import StoredCell
from harness.sandbox import probe

HERE = Path(__file__).parent / "entries" / "game_the_metric"
TIERS = [report.name for report in probe() if report.works and report.name != "none"]
SEEDS = 3
Table = dict[str, dict[str, str]]


def cells(challenge: str, names: list[str], runs: Path, tier: str, *overrides: str) -> list[list[StoredCell]]:
    """Cells of each submission, [names][SEEDS]."""
    pinned = load_challenge(challenge, [f"seeds={SEEDS}", *overrides])
    session = Session.open(pinned, runs_dir=runs, device="cpu", tier=tier)
    return [[evaluate_cell(session, submission.load(HERE / name), seed) for seed in range(SEEDS)] for name in names]


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


def test_labels_written_into_cells_gain_nothing(tmp_path: Path, table: Table) -> None:
    honest, gamed = cells("cleaning_digits", ["filled", "labels_in_cells"], tmp_path, TIERS[0])
    assert [one.cell.status for one in honest + gamed] == [Status.OK] * 2 * SEEDS
    assert np.mean([one.cell.score for one in gamed]) < np.mean([one.cell.score for one in honest])
    table.setdefault("game the metric/labels in cells", {})[TIERS[0]] = "loses"
