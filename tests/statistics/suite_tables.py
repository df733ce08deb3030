"""The table of docs/suites.md: ``python -m tests.statistics.suite_tables [SUITES]`` prints it; minutes."""

from __future__ import annotations

import sys

import numpy as np

from harness.statistics import overall
from harness.statistics.overall import Panel, pairs

_EVEN, _UNEVEN = "", "entries' from 1 to 50"
_OPPOSED = "each entry better on every other challenge, worse on the next"
CASES: list[tuple[int, list[int], str, float]] = [
    (12, [10], _EVEN, 1),
    (12, [5], _EVEN, 1),
    (12, [3, 3, 3], _EVEN, 1),
    (12, [3, 3, 3], _UNEVEN, 1),
    (12, [5, 5, 5, 5], _EVEN, 1),
    (12, [10, 10, 10, 10], _EVEN, 1),
    (12, [10, 10, 10, 10], "first challenge's tenfold", 10),
    (12, [10, 10, 10, 10], _OPPOSED, 1),
    (30, [10, 10, 10, 10], _EVEN, 1),
    (30, [5, 5, 5, 5], _UNEVEN, 1),
    (4, [3, 10], "first challenge's threefold", 3),
    (4, [2, 8], _EVEN, 1),
]


def told_apart(k: int, seeds: list[int], noise: str, first: float, suites: int) -> float:
    """Share of simulated suites of equal entries on which some pair is told apart."""
    rng, false = np.random.default_rng(0), 0
    for _ in range(suites):
        panels = []
        for number, n in enumerate(seeds):
            values = rng.standard_normal((n, k)) * (1.0 if number else first)
            values *= np.geomspace(1, 50, k) if noise == _UNEVEN else 1.0
            values += np.linspace(-5, 5, k) * (-1) ** number if noise == _OPPOSED else 0.0
            panels.append(Panel(f"c{number}", tuple(range(n)), values, np.zeros(k, dtype=bool)))
        false += bool((pairs(panels, draws=400).adjusted < 0.05).any())
    return false / suites


def main() -> None:
    """Print the table."""
    suites = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    overall.FEWEST_SEEDS = 2  # for the last line, which shows why it is not
    for k, seeds, noise, first in CASES:
        share = told_apart(k, seeds, noise, first, suites)
        print(f"| {k} | {', '.join(map(str, seeds))} | {noise} | {100 * share:.1f} |", flush=True)


if __name__ == "__main__":
    main()
