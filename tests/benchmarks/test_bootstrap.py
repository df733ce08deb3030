"""Speed of a row's interval, for pytest-benchmark."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.evaluation.statistics import N_REPLICATES, replicates

SEEDS, ITEMS = 10, 400


@pytest.mark.benchmark(group="bootstrap: 2,000 replicates of 10 seeds x 400 items")
@pytest.mark.parametrize("way", ["weights", "plain loop"])
def test_replicates(benchmark: Any, way: str) -> None:
    x = np.random.default_rng(0).random((SEEDS, ITEMS))
    rows = [{"x": row} for row in x]

    def plain() -> Any:
        rng = np.random.default_rng(0)
        drawn = rng.integers(0, SEEDS, (N_REPLICATES, SEEDS))
        return np.array([np.mean([x[s][rng.integers(0, ITEMS, ITEMS)].mean() for s in row]) for row in drawn])

    sample = benchmark(plain if way == "plain loop" else lambda: replicates(rows, _mean, "f"))
    assert abs(sample.mean() - x.mean()) < 0.01


def _mean(items: Any, weights: Any) -> Any:
    return weights @ items["x"] / weights.sum(axis=1)
