"""``scripts/ladder``: how far a participant climbs a board who sees nothing but what it answers.

An algorithm is handed in again and again. It holds a table: for every view it recognises, how early each row of the data is
picked. What the board answers changes the table. Real data, scores by the track, phases and Ladder of the harness; no
sandbox. Writes the table of docs/security.md.
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np

from harness.api import FloatArray, IntArray
from harness.errors import Status
from harness.evaluation.phases import PhaseScores
from harness.leaderboard.phase import ladder
from harness.models.backend import cores
from harness.models.base import BoolArray
from harness.paths import SUBMISSIONS_DIR
from harness.protocol.challenge import Challenge
from harness.protocol.compose import load_challenge
from harness.protocol.rules import FinalPhase, Phases, PublicPhase
from harness.statistics.differences import difference
from harness.tracking.record import CellRecord, Record
from harness.tracking.runs import StoredCell
from harness.tracks.base import Track, View
from harness.tracks.test_set import fill_slots
from tests.statistics.tables import filled, markdown

PAGE = Path(__file__).resolve().parents[2] / "docs" / "security.md"
CHALLENGE, SHARE, DIRECTION = "test_set_digits", 0.5, "max"
CHANGED = 10  # rows that a step of climbing no longer picks
_FRESH = 50  # random outputs under another secret, for their mean


@dataclass(frozen=True)
class Marks:
    """What an algorithm scored, [S] each: on all hidden items, on either phase's; and what it picked."""

    whole: FloatArray
    public: FloatArray
    final: FloatArray
    picked: FloatArray  # [S, rows of the data] 0 or 1

    def where(self, other_is: BoolArray, other: Marks) -> Marks:
        """Of the other where ``other_is`` [S]."""
        whole, public, final = (
            np.where(other_is, getattr(other, name), getattr(self, name)) for name in ("whole", "public", "final")
        )
        return Marks(whole, public, final, np.where(other_is[:, None], other.picked, self.picked))


@dataclass(frozen=True)
class Start:
    """What an attacker begins with on a seed: the rows of the pool in some order, and a label for each."""

    order: IntArray
    labels: IntArray


def scored(scores: Sequence[float]) -> list[Record]:
    """Records of these scores, and of nothing else."""
    empty: dict[str, Any] = {"cells": ()}
    return [Record.model_construct(**empty, score=float(score)) for score in scores]


@dataclass(frozen=True)
class Board:
    """What a participant is told."""

    name: str
    part: Literal["whole", "public"] = "public"
    seed_scores: bool = False  # of every seed, and not the mean alone
    step: float | None = None  # of the Ladder
    quota: int | None = None  # submissions in all

    def says(self, history: Sequence[Marks]) -> FloatArray:
        """Of the last submission, after those before it: [S], the same number for all seeds where only a mean is shown."""
        scores: FloatArray = getattr(history[-1], self.part)
        if self.seed_scores:
            return scores
        shown = scores.mean()
        if self.step:
            shown = ladder(scored([getattr(one, self.part).mean() for one in history]), self.step, DIRECTION).score
        return np.full(len(scores), shown)

    def praises(self, history: Sequence[Marks]) -> BoolArray:
        """Which submissions it speaks well of: [N, S]. Those above the median; of the Ladder, those that moved it."""
        said = np.stack([self.says(history[: i + 1]) for i in range(len(history))])
        return np.diff(said, axis=0, prepend=-np.inf) > 0 if self.step else said > np.median(said, axis=0)


BOARDS = (
    Board("all items, score", "whole"),
    Board("all items, score of every seed", "whole", seed_scores=True),
    Board("public phase, score"),
    Board("public phase, score of every seed", seed_scores=True),
    Board("public phase, Ladder of .01", step=0.01),
    Board("public phase, Ladder of .02", step=0.02),
    Board("public phase, score, quota of 20", quota=20),
)


class Place:
    """The challenge under a secret, and what a table [S, rows of the data] of a participant scores there."""

    def __init__(self, secret: str, begin: Callable[[View], Start], seeds: int | None = None) -> None:
        shipped = load_challenge(CHALLENGE)
        phases = Phases(public=PublicPhase(share=SHARE), final=FinalPhase())
        facts = {"secret": secret, "phases": phases, "seeds": seeds or shipped.seeds}
        challenge: Challenge = shipped.model_copy(update=facts)
        data = challenge.load_dataset()
        self._track: Track[Any, Any] = challenge.load_track(data, "cpu")
        self._prepared = [self._track.prepare(seed) for seed in range(challenge.seeds)]
        self._starts = [begin(view) for view, _ in self._prepared]
        row_of = {x.tobytes(): row for row, x in enumerate(data.X)}  # who has seen a picture knows it again
        self._ids = [np.array([row_of[x.tobytes()] for x in view.arrays["X"]]) for view, _ in self._prepared]
        self._phases = [PhaseScores(challenge, self._track, name) for name in ("public", "final")]
        self.shape = (challenge.seeds, len(data.y))

    def marks(self, table: FloatArray) -> Marks:
        """Rows with more in the table come first, equal ones as at the start."""
        scores, picked = [], np.zeros(self.shape)
        for seed, ((view, key), start, ids) in enumerate(zip(self._prepared, self._starts, self._ids, strict=True)):
            order = start.order[np.argsort(-table[seed, ids[start.order]], kind="stable")]
            belief = np.eye(int(view.scalars["n_classes"]))[start.labels]
            budget, floor = int(view.scalars["budget"]), int(view.scalars["class_floor"])
            rows, labels = fill_slots(view.arrays["X"], order, belief, budget, floor, -1.0)
            output = self._track.read_output({"indices": rows, "labels": labels}, view)
            score = self._track.score(output, view, key, seed)
            cell = CellRecord(seed=seed, status=Status.OK, score=score.value)
            kept = StoredCell(cell, output, score.items, None, "")
            scores.append([score.value, *(phase.cell(kept).cell.score for phase in self._phases)])
            picked[seed, ids[rows]] = 1
        whole, public, final = np.array(scores, np.float64).T
        return Marks(whole, public, final, picked)


def mean(every: Sequence[Marks]) -> Marks:
    """What they score on average."""
    names = ("whole", "public", "final", "picked")
    return Marks(*(np.mean([getattr(one, name) for one in every], axis=0) for name in names))


def public_labels(view: View) -> Start:
    """Any order, and the labels that the public models give: the track's floor."""
    labels = view.arrays["public_proba"].mean(axis=0).argmax(axis=1)
    return Start(np.arange(len(labels)), labels)


def best_baseline(view: View) -> Start:
    """The order and labels of the shipped submission that scores best."""
    path = SUBMISSIONS_DIR / "test_set" / "dense_margin" / "algorithm.py"
    spec = importlib.util.spec_from_file_location("dense_margin", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    everything = SimpleNamespace(**view.arrays, budget=len(view.arrays["X"]), class_floor=0)
    rows, claims = module.create_test_set(everything)
    labels = np.zeros(len(rows), np.int64)
    labels[rows] = claims
    return Start(rows, labels)


@dataclass(frozen=True)
class Attack:
    """How an attack ended: the table, what was handed in, the honest start first (climbing) or the random ones (boosting)."""

    table: FloatArray
    history: Sequence[Marks]


def boosted(place: Place, random: Sequence[Marks], board: Board) -> Attack:
    """Random outputs; then, by vote, those that the board praised against the others (Blum and Hardt 2015, section 4)."""
    praised = board.praises(random)
    votes = np.zeros(place.shape)
    for seed, good in enumerate(praised.T):
        picked = np.stack([marks.picked[seed] for marks in random])
        votes[seed] = picked[good].mean(axis=0) - picked[~good].mean(axis=0)
    return Attack(votes, [*random, place.marks(votes)])


def climbed(place: Place, submissions: int, board: Board, rng: np.random.Generator) -> Attack:
    """From a start, no longer pick a few rows, and keep that where the board says it is better.

    With seed scores that is decided for every seed by itself. What was kept is handed in last.
    """
    table = np.zeros(place.shape)
    best = place.marks(table)
    history, standing = [best], board.says([best])
    for _ in range(submissions - 2):
        trial = table.copy()
        trial[:, rng.choice(np.flatnonzero(best.picked.any(axis=0)), CHANGED, replace=False)] -= 1
        history.append(place.marks(trial))
        said = board.says(history)
        better = said > standing
        table[better], standing = trial[better], np.maximum(said, standing)
        best = best.where(better, history[-1])
    return Attack(table, [*history, best])


@dataclass(frozen=True)
class Outcome:
    """One attack under one secret: before and after, as shown, in the final phase, and of all items under another secret."""

    attack: str
    board: str
    submissions: int
    shown: tuple[float, float]
    final: tuple[float, float]
    fresh: tuple[float, float]
    p: tuple[float, float]  # of the gain, by the boards' own test: on the items shown, on the final phase's


def attacked(
    secret: str, submissions: int, seeds: int | None = None, boards: Sequence[Board] = BOARDS
) -> list[Outcome]:
    """Both attacks on every board under a secret."""
    found = []
    for name, begin in (("boosting", public_labels), ("climbing", best_baseline)):
        place, fresh = (Place(word, begin, seeds) for word in (secret, f"fresh {secret}"))
        nothing = np.zeros(place.shape)
        rng = np.random.default_rng([*secret.encode()])
        random = [place.marks(rng.random(place.shape)) for _ in range(submissions - 1)] if name == "boosting" else []
        honest = [where.marks(nothing) for where in (place, fresh)]
        if random:
            honest = [mean(random), mean([fresh.marks(rng.random(place.shape)) for _ in range(_FRESH)])]
        for board in boards:
            n = min(submissions, board.quota or submissions)
            if name == "boosting":
                end = boosted(place, random[: n - 1], board)
            else:
                end = climbed(place, n, board, np.random.default_rng([*secret.encode()]))
            found.append(_outcome(name, board, end, honest, fresh))
    return found


def _outcome(name: str, board: Board, end: Attack, honest: Sequence[Marks], fresh: Place) -> Outcome:
    start, last = honest[0], end.history[-1]
    elsewhere = fresh.marks(
        np.tile(end.table.mean(axis=0), (len(end.table), 1))
    )  # no view is recognised there, rows are
    shown = float(board.says(end.history).mean())

    def before_and_after(part: str) -> tuple[float, float]:
        return float(getattr(start, part).mean()), float(getattr(last, part).mean())

    return Outcome(
        name,
        board.name,
        len(end.history),
        (before_and_after(board.part)[0], shown),
        before_and_after("final"),
        (float(honest[1].whole.mean()), float(elsewhere.whole.mean())),
        (_p(getattr(last, board.part), getattr(start, board.part)), _p(last.final, start.final)),
    )


def _p(ours: FloatArray, theirs: FloatArray) -> float:
    return difference(dict(enumerate(ours.tolist())), dict(enumerate(theirs.tolist()))).p or 1.0


def table_of(outcomes: Sequence[Outcome]) -> Iterable[Sequence[str]]:
    """Means over the secrets, with the standard deviation of the gain; of p the median."""
    yield (
        "attack",
        "the board shows",
        "submissions",
        "score shown",
        "p",
        "final phase",
        "p",
        "another secret, all items",
    )
    for attack, board in dict.fromkeys((one.attack, one.board) for one in outcomes):
        ours = [one for one in outcomes if (one.attack, one.board) == (attack, board)]
        p = np.median([one.p for one in ours], axis=0)
        shown, final, fresh = (_gain([getattr(one, name) for one in ours]) for name in ("shown", "final", "fresh"))
        split = not board.startswith("all items")
        last = (final, f"{p[1]:.2g}") if split else ("-", "-")
        yield attack, board, str(ours[0].submissions), shown, f"{p[0]:.2g}", *last, fresh


def _gain(pairs: Sequence[tuple[float, float]]) -> str:
    before, after = np.array(pairs).T
    spread = f" ± {(after - before).std(ddof=1):.3f}" if len(pairs) > 1 else ""
    return f"{before.mean():.3f} to {after.mean():.3f}{spread}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/ladder", description=__doc__)
    parser.add_argument(
        "--submissions", type=int, default=200, help="of an attack where no quota stops it (default 200)"
    )
    parser.add_argument("--secrets", type=int, default=4, help="over which figures are averaged (default 4)")
    told = parser.parse_args()
    secrets = [f"secret {i}" for i in range(told.secrets)]
    with ProcessPoolExecutor(cores(), get_context("spawn")) as pool:
        found = pool.map(attacked, secrets, [told.submissions] * len(secrets))
        written = markdown(table_of([outcome for outcomes in found for outcome in outcomes]))
    print(written)
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), "ladder", written), encoding="utf-8")


if __name__ == "__main__":
    main()
