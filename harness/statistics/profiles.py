"""Performance profiles: the share of runs on which an entry scores above a threshold, for every threshold.

Sources: Dolan & Moré, *Benchmarking Optimization Software with Performance Profiles*, Mathematical Programming 91 (2002);
for scores, as here, Agarwal et al., *Deep Reinforcement Learning at the Edge of the Statistical Precipice*, NeurIPS (2021),
section 4.2.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.api import FloatArray
from harness.statistics.overall import Panel

POINTS = 201
_WINDOW = (-1.0, 2.0)  # one entry far below the floor must not press all others into a corner


def profiles(panels: Sequence[Panel], taus: FloatArray) -> FloatArray:
    """Share of (challenge, seed) runs with a normalised score above each tau: [K, T].

    Every challenge weighs the same, however many seeds an entry has there; a missing entry's runs have score 0. The area
    under a profile over tau from 0 on is the mean score, where no score is below 0.

    Parameters
    ----------
    panels: one a challenge, all of the same K entries.
    taus: [T] normalised scores.
    """
    shares = []
    for panel in panels:
        above = panel.values[:, :, None] > taus  # nan is above nothing
        shares.append(above.sum(axis=0) / np.isfinite(panel.values).sum(axis=0)[:, None])
    mean: FloatArray = np.mean(shares, axis=0)
    return mean


def grid(panels: Sequence[Panel], points: int = POINTS) -> FloatArray:
    """Evenly spaced taus [points] from the lowest to the highest score, 0 and 1 among them, none outside -1 to 2."""
    values = np.concatenate([panel.values.ravel() for panel in panels])
    low, high = float(np.nanmin(values, initial=0.0)), float(np.nanmax(values, initial=1.0))
    return np.linspace(max(low, _WINDOW[0]), min(high, _WINDOW[1]), points)
