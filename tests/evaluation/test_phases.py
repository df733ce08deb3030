"""Phases: disjoint parts drawn from the secret; their scores against independent computations, from real cells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import f1_score

from harness.errors import ProtocolError, Status
from harness.evaluation.bench import Bench
from harness.evaluation.cell import reference_cell
from harness.evaluation.draws import joined
from harness.evaluation.phases import PhaseScores, items_of
from harness.evaluation.tally import References, tally
from harness.protocol.challenge import Challenge
from harness.protocol.compose import load_challenge
from harness.protocol.rules import FinalPhase, PhaseName, Phases, PublicPhase
from harness.tracking.record import CellRecord, Record
from harness.tracking.runs import StoredCell
from harness.tracks.base import Track, View
from tests.tracks.helpers import baseline, run
from tests.tracks.languages import bound as documents

BOTH: tuple[PhaseName, ...] = ("public", "final")
SMALL = {
    "selection": ("selection_breast_cancer", ("track.pool=150", "track.budget=30"), "random"),
    "valuation": ("valuation_breast_cancer", ("track.train=60",), "knn_shapley"),
    "debugging": ("debugging_wine", ("track.train=60",), "knn_shapley"),
    "test_set": ("test_set_digits", ("track.pool=500",), "lowest_margin"),
    "slicing": ("slicing_digits", (), "confusion_cells"),
    "valuation_sets": ("valuation_sets_digits", (), "uniform"),
    "training_set": ("training_set_digits", (), "as_given"),
    "distillation": ("distillation_digits", (), "class_means"),
    "selection_active": ("selection_active_digits", ("track.pool=300", "track.rounds=4"), "random"),
    "annotation": ("annotation_digits", ("track.items=300",), "majority"),
    "weighting": ("weighting_digits", ("track.train=100",), "validation_model"),
}


@dataclass(frozen=True)
class Made:
    """A cell of a shipped baseline, and all that it was scored with."""

    challenge: Challenge
    track: Track[Any, Any]
    view: View
    key: Any
    stored: StoredCell

    def part(self, phase: PhaseName) -> np.ndarray:
        m = len(next(iter(self.stored.items.values())))
        return items_of(self.challenge, phase, self.stored.cell.seed, m)

    def score(self, phase: PhaseName) -> float:
        score = PhaseScores(self.challenge, self.track, phase).cell(self.stored).cell.score
        assert score is not None
        return score


def phased(name: str, overrides: tuple[str, ...] = (), share: float = 0.5, secret: str = "a secret") -> Challenge:
    phases = Phases(public=PublicPhase(share=share), final=FinalPhase())
    return load_challenge(name, list(overrides)).model_copy(update={"phases": phases, "secret": secret})


@cache
def made(task: str, seed: int = 0) -> Made:
    name, overrides, submission = SMALL[task]
    challenge = phased(name, overrides, share=0.4)
    track = Bench.ready(challenge, device="cpu").track
    view, key = track.prepare(seed)
    output = run(track, view, key, baseline(task, submission), seed)
    score = track.score(output, view, key, seed)
    cell = CellRecord(seed=seed, status=Status.OK, score=score.value, metrics=dict(score.metrics))
    return Made(challenge, track, view, key, StoredCell(cell, output, score.items, score.curve, ""))


def selection(made: Made, part: np.ndarray) -> float:
    items = made.stored.items
    return float(f1_score(items["y_true"][part], items["y_pred"][part], average="macro"))


def selection_active(made: Made, part: np.ndarray) -> float:
    """The area by hand: trapezoids over scikit-learn's F1 after every purchase."""
    y, columns = made.stored.items["y_true"][part], made.stored.items["y_pred"][part].T
    heights = [f1_score(y, column, average="macro") for column in columns]
    return float(np.mean([(a + b) / 2 for a, b in pairwise(heights)]))


def valuation(made: Made, part: np.ndarray) -> float:
    return float(np.mean([gap for gap, ours in zip(made.stored.items["gap"], part, strict=True) if ours]))


def valuation_sets(made: Made, part: np.ndarray) -> float:
    predicted, measured = made.stored.items["predicted"][part], made.stored.items["measured"][part]
    return float(np.mean([abs(p - q) for p, q in zip(predicted, measured, strict=True)]))


def debugging(made: Made, part: np.ndarray) -> float:
    """Trains again after every single repair, and tests on the part's rows alone."""
    X, y, key = made.view.arrays["X"], made.view.arrays["y"].copy(), made.key
    X_test, y_test = key.X_test[part], key.y_test[part]

    def accuracy(labels: np.ndarray) -> float:
        return float((made.track.model.fit(X, labels).predict(X_test) == y_test).mean())

    dirty, clean, budget = accuracy(y), accuracy(key.y_true), int((y != key.y_true).sum())
    after = []
    for row in made.stored.output["indices"][:budget]:
        y[row] = key.y_true[row]
        after.append(accuracy(y))
    return float(np.mean([(a - dirty) / (clean - dirty) for a in after]))


def test_set(made: Made, part: np.ndarray) -> float:
    """Slots of the part by hand; near-duplicates of earlier slots, of whichever part, count nothing."""
    rows, labels = made.stored.output["indices"], made.stored.output["labels"]
    X, ours, counted = made.view.arrays["X"].reshape(len(part), -1).astype(np.float64), 0, 0
    for i, (row, label) in enumerate(zip(rows, labels, strict=True)):
        if part[row]:
            wrong = (made.key.hidden[:, row] != label).sum() > len(made.key.hidden) / 2
            near = any(np.linalg.norm(X[row] - X[earlier]) <= made.key.radius for earlier in rows[:i])
            ours += 1
            counted += bool(wrong and made.key.confirmed[row, label] and not near)
    return float(counted / ours * len(rows) / made.track.settings.budget)


test_set.__test__ = False  # type: ignore[attr-defined]


def slicing(made: Made, part: np.ndarray) -> float:
    """Of the part's rows, the first ``top`` in each hidden slice's order: the share that belongs to it."""
    position, found, top = made.stored.items["position"], made.stored.items["found"], made.track.settings.top
    shares = []
    for j in range(position.shape[1]):
        first = [row for _, row in sorted(zip(position[part, j], np.flatnonzero(part), strict=True))][:top]
        shares.append(sum(found[row, j] for row in first) / top)
    return float(np.mean(shares))


def training_set(made: Made, part: np.ndarray) -> float:
    return selection(made, part)


def distillation(made: Made, part: np.ndarray) -> float:
    items = made.stored.items
    return float(np.mean([p == y for p, y in zip(items["y_pred"][part], items["y_true"][part], strict=True)]))


BY_HAND: dict[str, Callable[[Made, np.ndarray], float]] = {
    "selection": selection,
    "valuation": valuation,
    "debugging": debugging,
    "test_set": test_set,
    "slicing": slicing,
    "valuation_sets": valuation_sets,
    "training_set": training_set,
    "distillation": distillation,
    "selection_active": selection_active,
    "annotation": selection,
    "weighting": selection,
}


@pytest.mark.parametrize("m", [5, 30, 319, 1000])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.8])
def test_parts_are_disjoint_whole_and_as_large_as_asked_for(m: int, share: float) -> None:
    challenge = phased("debugging_wine", share=share)
    for seed in range(5):
        public, final = (items_of(challenge, phase, seed, m) for phase in BOTH)
        assert (public ^ final).all()
        assert public.sum() == pytest.approx(share * m, abs=0.5)


def test_parts_are_the_same_every_time_and_others_with_another_seed_or_secret() -> None:
    ours, theirs = (phased("debugging_wine", secret=secret) for secret in ("a secret", "b secret"))
    first = items_of(ours, "public", 0, 200)
    np.testing.assert_array_equal(first, items_of(phased("debugging_wine"), "public", 0, 200))
    for other in (items_of(ours, "public", 1, 200), items_of(theirs, "public", 0, 200)):
        assert 60 < (first == other).sum() < 140  # by chance half


def test_without_a_final_phase_all_items_are_public() -> None:
    alone = load_challenge("debugging_wine").model_copy(update={"phases": Phases()})
    assert items_of(alone, "public", 0, 7).all()
    assert items_of(load_challenge("debugging_wine"), "public", 0, 7).all()


@pytest.mark.parametrize(("share", "m"), [(0.999, 30), (0.001, 30), (0.5, 1)])
def test_a_phase_without_items_is_named_with_its_seed(share: float, m: int) -> None:
    with pytest.raises(ProtocolError, match="On seed 3 a phase of debugging_wine has no items"):
        items_of(phased("debugging_wine", share=share), "final", 3, m)


@pytest.mark.parametrize("phase", BOTH)
@pytest.mark.parametrize("task", SMALL)
def test_a_score_is_that_of_an_independent_computation_on_the_part(task: str, phase: PhaseName) -> None:
    cell = made(task)
    assert cell.score(phase) == pytest.approx(BY_HAND[task](cell, cell.part(phase)), abs=1e-6)


@pytest.mark.parametrize("phase", BOTH)
def test_bits_per_byte_of_a_phase_are_those_of_its_documents(phase: PhaseName) -> None:
    challenge = phased("selection_lm", share=0.4)
    track = documents("selection_lm", pool=120, test=12, targets=2, sampled=2, samples=5, budget=9000)
    view, key = track.prepare(0)
    score = track.score(run(track, view, key, baseline("selection_lm", "dsir"), 0), view, key, 0)
    cell = CellRecord(seed=0, status=Status.OK, score=score.value, metrics=dict(score.metrics))
    found = PhaseScores(challenge, track, phase).cell(StoredCell(cell, {}, score.items, score.curve, "")).cell.score
    part = items_of(challenge, phase, 0, len(key.hidden))
    rates = []
    for domain in range(2):
        rows = np.flatnonzero(part & (key.domain == domain))
        rates.append(sum(score.items["bits"][rows]) / sum(len(key.hidden.encoded(int(row))) for row in rows))
    assert found == pytest.approx(np.mean(rates), abs=1e-12)
    assert found != score.value


@pytest.mark.parametrize("phase", BOTH)
def test_ranks_of_a_phase_are_those_of_its_mixtures(phase: PhaseName, real_folder: Callable[[str], Path]) -> None:
    real_folder("regmix")
    challenge = phased("mixture_regmix", ("track.known=40", "track.hidden=100"), share=0.4)
    track = Bench.ready(challenge, device="cpu").track
    view, key = track.prepare(0)
    score = track.score(run(track, view, key, baseline("mixture", "ridge"), 0), view, key, 0)
    cell = CellRecord(seed=0, status=Status.OK, score=score.value, metrics=dict(score.metrics))
    found = PhaseScores(challenge, track, phase).cell(StoredCell(cell, {}, score.items, score.curve, "")).cell.score
    part = items_of(challenge, phase, 0, 100)
    predicted, measured = score.items["predicted"][part], score.items["measured"][part]
    each = [spearmanr(p, m).statistic for p, m in zip(predicted.T, measured.T, strict=True)]
    assert found == pytest.approx(np.mean(each), abs=1e-12)


@pytest.mark.parametrize("task", SMALL)
def test_phases_differ_from_each_other_and_by_seed(task: str) -> None:
    scores = [made(task, seed).score(phase) for seed in (0, 1) for phase in BOTH]
    assert len({round(score, 9) for score in scores}) >= 3  # few items may agree once


@pytest.mark.parametrize("task", ["valuation", "valuation_sets", "test_set"])
def test_a_mean_is_the_phases_weighted_by_what_counts_in_them(task: str) -> None:
    cell = made(task)
    counts = cell.stored.items["chosen"] if task == "test_set" else np.ones(len(cell.part("public")))
    size = [counts[cell.part(phase)].sum() for phase in BOTH]
    assert np.average([cell.score(phase) for phase in BOTH], weights=size) == pytest.approx(cell.stored.cell.score)


@pytest.mark.parametrize("task", ["selection", "selection_active", "debugging"])
def test_draws_of_a_cell_are_averaged_on_the_same_part(task: str) -> None:
    first = made(task)
    rng = np.random.default_rng(0)
    cells = [first]
    for _ in range(2):
        if task == "selection_active":
            output = run(first.track, first.view, first.key, baseline(task, "random"), int(rng.integers(1, 99)))
        else:
            output = {"indices": rng.permutation(first.stored.output["indices"])[:25]}
        score = first.track.score(output, first.view, first.key, 0)
        cell = CellRecord(seed=0, status=Status.OK, score=score.value)
        cells.append(replace(first, stored=StoredCell(cell, output, score.items, score.curve, "")))
    whole = replace(first, stored=joined([one.stored for one in cells]))
    for phase in BOTH:
        expected = [one.score(phase) for one in cells]
        assert len(set(expected)) > 1
        assert whole.score(phase) == pytest.approx(np.mean(expected))


def test_a_failed_cell_stays_what_it_is() -> None:
    bad = StoredCell(CellRecord(seed=0, status=Status.TIMEOUT, reason="too slow"), {}, {}, None, "")
    cell = made("selection")
    assert PhaseScores(cell.challenge, cell.track, "final").cell(bad) is bad


# Records


@dataclass(frozen=True)
class Rows:
    """A shipped challenge with its references on all seeds."""

    challenge: Challenge
    bench: Bench
    references: References

    def record(self, cells: list[StoredCell], name: str, phase: PhaseName) -> tuple[Record, Record]:
        """As run, and as the phase has it."""
        track, own = self.bench.track, name.startswith("reference-")
        counted = vars(tally(track, "f", cells, None if own else self.references, name))
        facts: dict[str, Any] = {
            "run_id": "r",
            "challenge": self.challenge.name,
            "fingerprint": "f",
            "track": track.track,
            "submission": name,
            "submission_digest": None,
            "metric": track.metric,
            "created": "2027-01-01T00:00:00Z",
        }
        facts |= {"direction": track.direction, "reference": own, "cells": tuple(one.cell for one in cells)}
        ran = Record(**facts, **counted)
        return ran, PhaseScores(self.challenge, track, phase).record(ran, cells, self.references)


@cache
def rows(name: str = "valuation_breast_cancer", seeds: int = 6, secret: str = "a secret") -> Rows:
    challenge = phased(name, ("track.train=60",), secret=secret).model_copy(update={"seeds": seeds})
    bench = Bench.ready(challenge, device="cpu")
    floor, skyline = ([reference_cell(bench, which, seed) for seed in range(seeds)] for which in ("random", "skyline"))
    return Rows(challenge, bench, References.of(floor, skyline))


def test_a_record_of_a_phase_keeps_nothing_measured_on_all_items() -> None:
    some = rows()
    cells = [made("valuation", seed).stored for seed in range(6)]
    for phase in BOTH:
        ran, ours = some.record(cells, "knn_shapley", phase)
        assert ran.curve is not None
        assert all(cell.metrics for cell in ran.cells)
        assert ours.curve is None
        assert not any(cell.metrics for cell in ours.cells)
        assert ours.score != ran.score
        scores = PhaseScores(some.challenge, some.bench.track, phase)
        assert ours.score == pytest.approx(np.mean([scores.cell(one).cell.score for one in cells]))
        assert ours.floor == pytest.approx(np.mean([scores.cell(one).cell.score for one in some.references.floor]))
        assert ours.skyline == pytest.approx(np.mean([scores.cell(one).cell.score for one in some.references.skyline]))
        score, floor, skyline = np.array([ours.score, ours.floor, ours.skyline], np.float64)
        assert ours.normalised == pytest.approx((score - floor) / (skyline - floor))


def gains(some: Rows, phase: PhaseName) -> np.ndarray:
    """What true labels gain on the phase's items of each seed: [S]."""
    found = []
    for stored in some.references.floor:
        part = items_of(some.challenge, phase, stored.cell.seed, len(stored.items["clean"]))
        found.append(stored.items["clean"][part].mean() - stored.items["dirty"][part].mean())
    return np.array(found)


def without_gain(kind: Callable[[np.ndarray], np.ndarray], seeds: int = 6) -> tuple[Rows, int]:
    """Debugging with so few public items that on one seed, and no more, true labels gain what ``kind`` says."""
    some = rows("debugging_wine", seeds)
    phases = Phases(public=PublicPhase(share=0.15), final=FinalPhase())
    for i in range(1000):  # the secret draws the parts; the cells are the same
        drawn = some.challenge.model_copy(update={"phases": phases, "secret": f"secret {i}"})
        tried = replace(some, challenge=drawn)
        gain = gains(tried, "public")
        if kind(gain).sum() == 1 and (gain <= 0).sum() == 1:
            return tried, int(np.flatnonzero(kind(gain))[0])
    raise AssertionError("no secret does it")


@pytest.mark.parametrize("kind", [lambda gain: gain == 0, lambda gain: gain < 0], ids=["no gain", "a loss"])
def test_a_seed_without_scale_on_the_part_is_left_out_for_every_row(kind: Callable[[np.ndarray], np.ndarray]) -> None:
    some, lost = without_gain(kind)
    for name, cells in (
        ("reference-random", some.references.floor),
        ("reference-skyline", some.references.skyline),
        ("a row", some.references.floor),
    ):
        ran, public = some.record(cells, name, "public")
        assert [cell.seed for cell in public.cells if cell.status is Status.SKIPPED] == [lost]
        scores = [cell.score for cell in public.cells if cell.score is not None]
        assert len(scores) == 5
        assert public.score == pytest.approx(np.mean(scores))
        assert [cell.status for cell in ran.cells] == [Status.OK] * 6
        _, final = some.record(cells, name, "final")
        assert [cell.status for cell in final.cells] == [Status.OK] * 6


def test_a_phase_without_any_seed_is_refused() -> None:
    some, _ = without_gain(lambda gain: gain <= 0, seeds=1)
    with pytest.raises(ProtocolError, match="No seed of debugging_wine measures anything on the public phase's items"):
        some.record(some.references.skyline, "a row", "public")


def test_no_row_decides_by_its_own_items_what_counts_for_it() -> None:
    some = rows("debugging_wine")
    cells = list(some.references.skyline)
    nothing = np.full(len(cells[2].items["fixed"]), np.nan)
    cells[2] = replace(cells[2], items={**cells[2].items, "fixed": nothing})
    for phase in BOTH:
        scores = PhaseScores(some.challenge, some.bench.track, phase)
        ran, _ = some.record(list(some.references.skyline), "a row", phase)
        found = scores.record(ran, cells, some.references)
        assert found.cells[2].status is Status.OK
        assert found.cells[2].score == scores.cell(some.references.floor[2]).cell.score
        assert found.cells[1].score == scores.cell(cells[1]).cell.score
