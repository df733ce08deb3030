"""Speed of a report on a million votes against plain loops that give a part of it, for pytest-benchmark."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.pipeline.annotations import reading
from harness.pipeline.annotations.report import report

ITEMS, PEOPLE, CLASSES, VOTES = 200_000, 500, 5, 5


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Five of 500 annotators an item, right half of the time to nearly always; votes and truth as files."""
    rng = np.random.default_rng(0)
    here = tmp_path_factory.mktemp("million")
    truth = rng.integers(0, CLASSES, ITEMS)
    people = (np.arange(VOTES) * (PEOPLE // VOTES))[None] + rng.integers(0, PEOPLE // VOTES, (ITEMS, VOTES))
    right = rng.random((ITEMS, VOTES)) < rng.uniform(0.5, 0.95, PEOPLE)[people]
    labels = np.where(right, truth[:, None], rng.integers(0, CLASSES, (ITEMS, VOTES)))
    lines = [
        f"i{i},w{w},c{c}"
        for i, (who, said) in enumerate(zip(people, labels, strict=True))
        for w, c in zip(who, said, strict=True)
    ]
    (here / "votes.csv").write_text("\n".join(["item,annotator,label", *lines]) + "\n")
    (here / "truth.csv").write_text("\n".join(["item,truth", *(f"i{i},c{c}" for i, c in enumerate(truth))]) + "\n")
    return here / "votes.csv", here / "truth.csv"


def whole(votes: Path, truth: Path) -> tuple[float, float]:
    """Read, and everything that the command prints: 2,000 replicates, all pairs, Dawid-Skene."""
    facts = report(reading.read(votes).ballots, reading.read_truth(truth))
    return facts["alpha"], facts["majority_accuracy"]


def loops(votes: Path, truth: Path) -> tuple[float, float]:
    """Alpha without its interval, and the majority, a vote at a time."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for line in votes.read_text().splitlines()[1:]:
        item, _, label = line.split(",")
        counts[item][label] += 1
    total: Counter[str] = Counter()
    observed = 0.0
    for votes_of in counts.values():
        m = votes_of.total()
        observed += sum(a * b for la, a in votes_of.items() for lb, b in votes_of.items() if la != lb) / (m - 1)
        total += votes_of
    n = total.total()
    expected = (n * n - sum(k * k for k in total.values())) / (n - 1)
    right = 0.0
    for line in truth.read_text().splitlines()[1:]:
        item, label = line.split(",")
        tied = [name for name, k in counts[item].items() if k == max(counts[item].values())]
        right += (label in tied) / len(tied)
    return 1 - observed / expected, right / len(counts)


@pytest.mark.benchmark(group="annotations report: 1,000,000 votes of 500 annotators on 200,000 items")
@pytest.mark.parametrize("way", ["report", "plain loops: alpha and majority alone"])
def test_a_million_votes(benchmark: Any, crowd: tuple[Path, Path], way: str) -> None:
    alpha, accuracy = benchmark.pedantic(whole if way == "report" else loops, crowd, rounds=2)
    assert alpha == pytest.approx(0.535, abs=0.03)
    assert 0.85 < accuracy < 0.99
