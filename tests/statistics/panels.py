"""Normalised scores drawn for tests: Gaussian, correlated between entries as paired seeds are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.statistics.overall import Panel


def gaussian(
    rng: np.random.Generator,
    seeds: Sequence[int],
    means: Sequence[float],
    spread: Sequence[float] | None = None,
    shared: float = 0.7,
) -> list[Panel]:
    """A panel for each number of seeds; entries of the given means, whose noise has a part in common."""
    k = len(means)
    panels = []
    for number, n in enumerate(seeds):
        noise = shared * rng.standard_normal((n, 1)) + (1 - shared**2) ** 0.5 * rng.standard_normal((n, k))
        noise = noise * (spread[number] if spread else 1.0) * np.linspace(1, 2, k)
        panels.append(Panel(f"c{number}", tuple(range(n)), np.array(means) + noise, np.zeros(k, dtype=bool)))
    return panels


def with_column(panel: Panel, values: np.ndarray, missing: bool = False) -> Panel:
    """The panel with one more entry."""
    return Panel(
        panel.challenge, panel.seeds, np.column_stack([panel.values, values]), np.append(panel.missing, missing)
    )
