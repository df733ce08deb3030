"""What readers of a board have to know of it, a sentence each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from harness.protocol.catalogue import baseline_names
from harness.statistics.differences import difference
from harness.statistics.intervals import FEWEST_SEEDS
from harness.tracking.record import Record

if TYPE_CHECKING:
    from harness.protocol.challenge import Challenge

_OURS = ("harness baselines",)  # as the manifests of the shipped baselines have it
LUCKY = "The random baseline and the floor differ by more than chance"
_LUCK = 0.01  # two-sided: one board in a hundred says so of two rows that are the same; so are disjoint intervals rare


def one_seed(challenge: Challenge) -> list[str]:
    """What is said of a board whose rows cannot be told apart by seeds."""
    if challenge.track_type.score_alone:
        return [
            "Ranked by the score alone: the rule of the board that this protocol repeats. Intervals: measurement noise only."
        ]
    if challenge.seeds == 1:
        return ["One seed tells no rows apart, so every row may have every rank. Intervals: measurement noise only."]
    return ["Intervals: measurement noise only, two seeds are too few."] if challenge.seeds < FEWEST_SEEDS else []


def lucky(ranked: Sequence[Record], references: Sequence[Record]) -> list[str]:
    """A note where the baseline `random` and the floor, which do the same, have disjoint intervals or are told apart at 1 %."""
    random = next((r for r in ranked if r.submission == "random" and r.authors == _OURS), None)
    floor = next((r for r in references if r.submission == "reference-random"), None)
    if random is None or floor is None:
        return []
    ours, theirs = random.ci95, floor.ci95
    apart = ours is not None and theirs is not None and (ours[1] < theirs[0] or theirs[1] < ours[0])
    p = difference(random.seed_scores, floor.seed_scores).p
    if not apart and (p is None or p >= _LUCK):
        return []
    return [
        f"{LUCKY}: {random.score:.4f} and {floor.score:.4f}. One of them was judged by luck; more draws or seeds would tell."
    ]


def with_packages(records: Iterable[Record]) -> list[str]:
    """A note for each row that had packages beside the harness's own: another version of one is another run."""
    return [
        f"{record.submission} ran with {', '.join(f'{p.name} {p.version}' for p in record.packages)}."
        for record in sorted(records, key=lambda record: record.submission)
        if record.packages
    ]


def missing(challenge: Challenge, present: set[str]) -> list[str]:
    """A note where baselines that fit the challenge have no row to compare with."""
    names = baseline_names(challenge.track_type.task.kind, challenge.left_out())
    missing = [name for name in names if name not in present]
    if not missing:
        return []
    return [
        f"{len(missing)} of {len(names)} baselines have not been run here: `harness run challenge={challenge.name} "
        "submission=all` runs them."
    ]


def public_data(challenge: Challenge) -> list[str]:
    """A note where whoever finds the data can look the hidden labels up, however well the secret is kept."""
    if challenge.practice or not challenge.public_data:
        return []
    return ["Public data: labels can be looked up."]
