"""The Ladder against the loop of its paper, and a small attack on boards with and without it: real data, real scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest

from harness.errors import Status
from harness.leaderboard.phase import ladder
from harness.tracking.record import CellRecord
from tests.benchmarks.ladder import (
    BOARDS,
    PAGE,
    Attack,
    Board,
    Marks,
    Place,
    best_baseline,
    boosted,
    climbed,
    public_labels,
    scored,
)

SUBMISSIONS, SEEDS = 60, 3
PLAIN, STEPS = Board("plain"), Board("Ladder", step=0.02)


def of_the_paper(losses: Sequence[float], step: float) -> list[float]:
    """Blum and Hardt (2015), algorithm 1: R_t is the loss to the nearest step if it is below R_(t-1) - step, else R_(t-1)."""
    shown, best = [], math.inf
    for loss in losses:
        if loss < best - step:
            best = round(loss / step) * step
        shown.append(best)
    return shown


@pytest.mark.parametrize("direction", ["max", "min"])
@pytest.mark.parametrize("step", [0.003, 0.01, 0.02, 0.1])
def test_what_is_shown_is_what_the_paper_has(step: float, direction: str) -> None:
    sign = -1.0 if direction == "max" else 1.0
    for draw in range(20):
        rng = np.random.default_rng([draw])
        scores = np.cumsum(rng.normal(0, 0.02, 40)) + rng.choice([-0.3, 0.0, 0.5])  # negative ones as well
        expected = of_the_paper((sign * scores).tolist(), step)
        runs = scored(scores.tolist())
        shown = [ladder(runs[: i + 1], step, direction).score for i in range(len(runs))]
        assert shown == pytest.approx([sign * loss for loss in expected], abs=1e-9)


def test_nothing_but_the_step_is_shown_and_the_run_is_the_one_that_moved_it() -> None:
    cells = (CellRecord(seed=0, status=Status.OK, score=0.5, metrics={"accuracy": 0.9}),)
    first, better, hardly = (
        run.model_copy(update={"cells": cells, "run_id": name, "metric": "f"})
        for run, name in zip(scored([0.501, 0.547, 0.556]), ("first", "better", "hardly"), strict=True)
    )
    shown = ladder([first, better, hardly], 0.02, "max")
    assert (shown.run_id, shown.score) == ("better", 0.54)
    assert (shown.ci95, shown.normalised, shown.curve) == (None, None, None)
    assert [(cell.score, cell.metrics) for cell in shown.cells] == [(None, {})]


@cache
def boosts(secret: str) -> tuple[Attack, list[Marks]]:
    place = Place(secret, public_labels, SEEDS)
    rng = np.random.default_rng(0)
    random = [place.marks(rng.random(place.shape)) for _ in range(SUBMISSIONS - 1)]
    return boosted(place, random, PLAIN), random


def test_an_attack_gains_on_the_board_that_answers_and_not_on_the_other_items() -> None:
    gains = []
    for secret in ("one", "two"):
        attack, random = boosts(secret)
        last = attack.history[-1]
        gains.append([getattr(last, part).mean() - np.mean([getattr(m, part) for m in random]) for part in PARTS])
    public, final = np.mean(gains, axis=0)
    assert public > 0.02
    assert public > 2 * abs(final)


PARTS = ("public", "final")


@pytest.mark.parametrize("direction", ["max", "min"])
def test_the_ladder_answers_less_often(direction: str) -> None:
    sign = 1.0 if direction == "max" else -1.0
    scores = [sign * float(marks.public.mean()) for marks in boosts("one")[0].history]
    best = np.maximum.accumulate(sign * np.array(scores))
    plain = 1 + int((np.diff(best) > 0).sum())
    runs = scored(scores)
    shown = np.array([ladder(runs[: i + 1], 0.02, direction).score for i in range(len(runs))], np.float64)
    moves = 1 + int((np.diff(sign * shown) > 0).sum())
    assert (np.diff(sign * shown) >= 0).all()
    assert moves < plain
    assert len(set(shown)) < len(set(scores)) / 4  # a plain board answers every submission


def test_climbing_gains_less_behind_the_ladder() -> None:
    place = Place("one", best_baseline, SEEDS)
    gains = []
    for board in (PLAIN, STEPS):
        attack = climbed(place, SUBMISSIONS, board, np.random.default_rng(0))
        assert len(attack.history) == SUBMISSIONS
        gains.append(attack.history[-1].public.mean() - attack.history[0].public.mean())
    assert gains[0] > 0
    assert gains[1] <= gains[0]


def test_where_seeds_are_shown_each_is_climbed_by_itself() -> None:
    place = Place("one", best_baseline, SEEDS)
    attack = climbed(place, 30, Board("seeds", seed_scores=True), np.random.default_rng(0))
    assert (attack.history[-1].public >= attack.history[0].public).all()
    np.testing.assert_array_equal(place.marks(attack.table).public, attack.history[-1].public)


def test_the_page_shows_boards_fooled_and_the_final_phase_not() -> None:
    _, found, after = PAGE.read_text(encoding="utf-8").partition("<!-- table ladder -->\n")
    assert found
    rows = [line.strip("| ").split(" | ") for line in after.split("<!-- end -->")[0].strip().splitlines()[2:]]
    assert [(row[0], row[1]) for row in rows] == [(a, board.name) for a in ("boosting", "climbing") for board in BOARDS]
    p_shown, p_final = {tuple(row[:2]): float(row[4]) for row in rows}, [float(row[6]) for row in rows if row[6] != "-"]
    assert all(p < 0.05 for (_, name), p in p_shown.items() if name.startswith("all items"))
    assert all(p > 0.2 for p in p_final)
    gain = {tuple(row[:2]): float(row[3].split()[2]) - float(row[3].split()[0]) for row in rows}
    for attack in ("boosting", "climbing"):
        plain, small, large = (
            gain[attack, f"public phase, {what}"] for what in ("score", "Ladder of .01", "Ladder of .02")
        )
        assert plain > small > large > 0
