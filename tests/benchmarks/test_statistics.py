"""Speed of a row's bootstrap and of a board's comparisons against plain loops, for pytest-benchmark."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest

from harness.statistics.bootstrap import N_REPLICATES, replicates
from harness.statistics.differences import adjusted
from harness.statistics.maxt import N_ROTATIONS
from tests.statistics.simulation import mean_x, rows_of

SEEDS, ITEMS, ROWS = 10, 400, 40


@pytest.mark.benchmark(group="bootstrap: 2,000 replicates of 10 seeds x 400 items")
@pytest.mark.parametrize("way", ["weights", "plain loop"])
def test_replicates(benchmark: Any, way: str) -> None:
    x = np.random.default_rng(0).random((SEEDS, ITEMS))
    rows = [{"x": row} for row in x]

    def plain() -> Any:
        rng = np.random.default_rng(0)
        return np.array(
            [np.mean([row[rng.integers(0, ITEMS, ITEMS)].mean() for row in x]) for _ in range(N_REPLICATES)]
        )

    sample = benchmark(plain if way == "plain loop" else lambda: replicates(rows, mean_x, "f"))
    assert abs(sample.mean() - x.mean()) < 0.01


@pytest.mark.benchmark(group="adjusted: 780 pairs of 40 rows on 10 seeds, 20,000 rotations")
@pytest.mark.parametrize("way", ["unit vectors", "plain loop"])
def test_adjusted(benchmark: Any, way: str) -> None:
    """The plain loop turns the whole board by one orthogonal matrix after the other, without stepping down."""
    Y = np.random.default_rng(0).normal(0, 1, (SEEDS, ROWS))
    Y[:, 0] += 2.5
    i, j = np.array(list(combinations(range(ROWS), 2))).T

    def largest(board: Any) -> Any:
        D = board[:, i] - board[:, j]
        return np.abs(D.mean(axis=0) / D.std(axis=0, ddof=1)).max()

    def plain() -> float:
        rng = np.random.default_rng(0)
        reached, observed = 0, largest(Y)
        for _ in range(N_ROTATIONS):
            R = np.linalg.qr(rng.standard_normal((SEEDS, SEEDS)))[0]
            reached += largest(R @ Y) >= observed
        return float((1 + reached) / (1 + N_ROTATIONS))

    p = benchmark.pedantic(plain, rounds=1) if way == "plain loop" else min(benchmark(adjusted, rows_of(Y)).values())
    assert p < 0.05
