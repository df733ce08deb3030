"""The simulation of docs/scale.md on cases that can be done by hand."""

from __future__ import annotations

import pytest

from tests.benchmarks.scale.simulation import Costs, bounds, longest_first, simulate


def test_one_worker_does_one_cell_after_the_other() -> None:
    found = simulate([[1.0, 2.0], [3.0]], workers=1)
    assert (found.wall, found.busy, found.used(1)) == (6.0, 6.0, 1.0)


def test_two_workers_share_the_cells_of_all_runs() -> None:
    """1 and 2 begin; 3 follows 1 at once: the second worker is idle from 2 to 4."""
    found = simulate([[1.0, 2.0], [3.0]], workers=2)
    assert found.wall == 4.0
    assert found.used(2) == 0.75


def test_longest_first_leaves_no_long_cell_to_the_end() -> None:
    runs = [[1.0], [1.0], [1.0], [1.0], [4.0]]
    assert simulate(runs, workers=2).wall == 6.0
    assert longest_first(runs)[0] == [4.0]
    assert simulate(longest_first(runs), workers=2).wall == 4.0


def test_a_head_that_keeps_and_records_hands_out_nothing() -> None:
    """Both end at 1; kept until 2, recorded until 5; the next two begin then, and end at 6, 7, 10."""
    found = simulate([[1.0, 1.0], [1.0, 1.0]], workers=2, costs=Costs(keep=0.5, record=3.0))
    assert (found.wall, found.head) == (10.0, 8.0)


def test_cells_that_are_ahead_do_not_wait_for_the_head() -> None:
    """As above, but the last two run from 1 to 2, while the head is at the first two; it takes them at 5."""
    found = simulate([[1.0, 1.0], [1.0, 1.0]], workers=2, costs=Costs(keep=0.5, record=3.0, ahead=2))
    assert found.wall == 9.0


def test_a_busy_head_is_a_bound_of_its_own() -> None:
    """Each cell of 0.1 s costs the head 1 s, so 16 workers end no sooner than the head."""
    runs, costs = [[0.1] * 20], Costs(keep=1.0, ahead=64)
    assert simulate(runs, workers=16, costs=costs).wall == pytest.approx(20.1)
    assert bounds(runs, 16, costs) == {"workers": pytest.approx(0.125), "longest_cell": 0.1, "head": 20.0}


@pytest.mark.parametrize("workers", [1, 2, 7, 64])
def test_it_never_beats_its_bounds(workers: int) -> None:
    runs = [[0.3 * (i % 5) + 0.1] * (i % 7 + 1) for i in range(12)]
    costs = Costs(keep=0.01, record=0.2)
    assert simulate(runs, workers, costs).wall >= max(bounds(runs, workers, costs).values())


def test_the_first_record_costs_more_once() -> None:
    """The first run ends at 1 and is recorded until 4.5, the second begins then and is done at 6.5."""
    assert simulate([[1.0], [1.0]], workers=1, costs=Costs(record=1.0, first=2.5)).wall == 6.5


def test_nothing_to_do() -> None:
    assert simulate([], workers=3).wall == 0.0
