"""How long a sweep takes with any number of workers, from the seconds of its cells: the loop of a head, without the cells.

List scheduling as in harness/evaluation/sweep.py: runs in their order, each one's cells in theirs, to whichever worker is
free. The head does one thing at a time: while it keeps a cell or records a run, it hands out no other.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

Runs = Sequence[Sequence[float]]
"""Seconds that every cell of every run holds a worker, in the order in which runs are begun."""


@dataclass(frozen=True)
class Costs:
    """Seconds of the head, and how far a launcher works ahead."""

    keep: float = 0.0  # a cell that has ended
    record: float = 0.0  # a run of which all cells have: summary, ledger, MLflow
    first: float = 0.0  # on top of that, the first run: imports, a new MLflow store
    ahead: int = 0  # cells that wait where workers take the next without asking the head: 0 local, 64 and more on Ray


@dataclass(frozen=True)
class Simulated:
    """What comes of it, in seconds."""

    wall: float
    busy: float  # of all workers together
    head: float  # in which the head kept and recorded

    def used(self, workers: int) -> float:
        """The share of the workers' time in which they computed."""
        return self.busy / (workers * self.wall) if self.wall else 1.0


def longest_first(runs: Runs) -> list[Sequence[float]]:
    """The order of a sweep whose runs have earlier records: by the mean of their cells."""
    return sorted(runs, key=lambda cells: -sum(cells) / max(1, len(cells)))


def simulate(runs: Runs, workers: int, costs: Costs = Costs()) -> Simulated:
    """The runs, in this order, on so many workers."""
    waiting = deque((number, seconds) for number, cells in enumerate(runs) for seconds in cells)
    left = [len(cells) for cells in runs]
    free = [0.0] * workers  # when each worker is
    going: list[tuple[float, int, int]] = []  # end, order, run
    order, now, head, recorded = count(), 0.0, 0.0, False
    while waiting or going:
        while waiting and len(going) < workers + costs.ahead:
            number, seconds = waiting.popleft()
            end = max(now, heapq.heappop(free)) + seconds
            heapq.heappush(free, end)
            heapq.heappush(going, (end, next(order), number))
        now = max(now, going[0][0])
        before = now
        whole = 0
        while going and going[0][0] <= before:
            _, _, number = heapq.heappop(going)
            left[number] -= 1
            whole += not left[number]
            now += costs.keep
        if whole:
            now += whole * costs.record + (0.0 if recorded else costs.first)
            recorded = True
        head += now - before
    return Simulated(now, sum(map(sum, runs)), head)


def bounds(runs: Runs, workers: int, costs: Costs = Costs()) -> dict[str, float]:
    """Seconds below which no schedule can come: all workers busy, the longest cell, the head alone."""
    cells = [seconds for run in runs for seconds in run]
    return {
        "workers": sum(cells) / workers,
        "longest_cell": max(cells, default=0.0),
        "head": len(cells) * costs.keep + len(runs) * costs.record + costs.first,
    }
