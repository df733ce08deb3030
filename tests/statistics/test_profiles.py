"""Profiles counted run by run."""

from __future__ import annotations

import numpy as np

from harness.statistics.overall import Panel, overall
from harness.statistics.profiles import grid, profiles
from tests.statistics.panels import gaussian


def test_shares_are_counted_run_by_run_and_challenges_weigh_the_same() -> None:
    panels = gaussian(np.random.default_rng(0), [4, 9], [0.2, 0.5, 0.9], spread=[0.3, 0.3])
    panels[1].values[2:5, 1] = np.nan
    taus = np.array([-0.5, 0.0, 0.4, 1.0])
    ours = profiles(panels, taus)
    for entry in range(3):
        for at, tau in enumerate(taus):
            shares = []
            for panel in panels:
                runs = [v for v in panel.values[:, entry] if not np.isnan(v)]
                shares.append(sum(v > tau for v in runs) / len(runs))
            assert ours[entry, at] == sum(shares) / 2


def test_above_is_strict_and_the_missing_are_at_the_floor() -> None:
    panel = Panel("c", (0, 1), np.array([[0.5, 0.0], [1.0, 0.0]]), np.array([False, True]))
    assert profiles([panel], np.array([-0.1, 0.0, 0.5, 1.0])).tolist() == [[1, 1, 0.5, 0], [1, 0, 0, 0]]


def test_the_area_under_a_profile_is_the_mean_score() -> None:
    rng = np.random.default_rng(1)
    panels = [Panel(f"c{n}", tuple(range(n)), rng.random((n, 2)), np.zeros(2, dtype=bool)) for n in (3, 8)]
    taus = np.linspace(0, 1, 20_001)
    np.testing.assert_allclose(np.trapezoid(profiles(panels, taus), taus, axis=1), overall(panels).score, atol=1e-4)


def test_the_grid_holds_all_scores_but_those_far_out() -> None:
    def one(*values: float) -> Panel:
        return Panel("c", (0,), np.array([values]), np.zeros(len(values), dtype=bool))

    assert grid([one(0.3, 0.6)])[[0, -1]].tolist() == [0.0, 1.0]
    assert grid([one(-0.2, np.nan), one(0.1, 1.3)])[[0, -1]].tolist() == [-0.2, 1.3]
    assert grid([one(-50.0, 9.0)])[[0, -1]].tolist() == [-1.0, 2.0]
