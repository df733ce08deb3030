"""Abilities from wins: on every challenge and seed, who was better.

Sources: the model, Bradley & Terry, *Rank Analysis of Incomplete Block Designs: The Method of Paired Comparisons*, Biometrika
39 (1952), with ties as half a win each; its likelihood and when that has one maximum, Hunter, *MM Algorithms for Generalized
Bradley-Terry Models*, Annals of Statistics 32 (2004); the bootstrap that draws n - 1 of n, whose variance is unbiased in small
strata, McCarthy & Snowden, *The Bootstrap and Finite Population Sampling*, Vital and Health Statistics 2-95 (1985).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.api import FloatArray
from harness.randomness import generator
from harness.statistics.overall import LEVEL, Panel

PRIOR = 0.5  # wins and losses of every entry against an imaginary average one: abilities stay finite
N_BOOTSTRAP = 1000
_STEPS = 200


@dataclass(frozen=True)
class Abilities:
    """Of K entries, each [K]: abilities with mean 0, and the probability to beat an entry of ability 0."""

    ability: FloatArray
    beats_average: FloatArray
    low: FloatArray  # of beats_average: percentiles of the bootstrap; nan where no challenge has two seeds
    high: FloatArray


def bradley_terry(panels: Sequence[Panel], draws: int = N_BOOTSTRAP, level: float = LEVEL) -> Abilities:
    """Bradley-Terry abilities of K entries from their paired comparisons.

    Every challenge weighs the same, however many seeds it has: a pair's wins on it are the share of common seeds that the
    one wins, half of it for the same score. Intervals draw seeds within each challenge, all comparisons of a seed together.

    Parameters
    ----------
    panels: one a challenge, all of the same K entries.
    """
    seeds = [_seed_wins(panel) for panel in panels]
    ability = fit(np.sum([_share(won, np.ones(len(won))) for won in seeds], axis=0))
    if all(len(won) < 2 for won in seeds):
        unknown = np.full(len(ability), np.nan)
        return Abilities(ability, _logistic(ability), unknown, unknown)
    counts = [_draws(panel, draws) for panel in panels]
    resampled = [
        fit(np.sum([_share(won, count[r]) for won, count in zip(seeds, counts, strict=True)], axis=0), ability)
        for r in range(draws)
    ]
    low, high = np.quantile(_logistic(np.array(resampled)), [level / 2, 1 - level / 2], axis=0)
    return Abilities(ability, _logistic(ability), low, high)


def fit(wins: FloatArray, start: FloatArray | None = None) -> FloatArray:
    """Abilities [K], of mean 0, that make weighted wins [K, K] most likely, the prior's comparisons included.

    Newton's method with steps of at most 1; the likelihood is strictly concave, so there is one maximum for any wins.

    Parameters
    ----------
    wins: entry [i, j] how often i beat j; the diagonal is 0.
    start: abilities [K] to begin from; the result is the same for all.
    """
    games = wins + wins.T
    won = wins.sum(axis=1) + PRIOR
    ability = np.zeros(len(wins)) if start is None else start.copy()
    for _ in range(_STEPS):
        chance, average = _logistic(ability[:, None] - ability), _logistic(ability)
        slope = won - (games * chance).sum(axis=1) - 2 * PRIOR * average
        curvature = -games * chance * (1 - chance)
        curvature[np.diag_indices_from(curvature)] = 2 * PRIOR * average * (1 - average) - curvature.sum(axis=1)
        step = np.linalg.solve(curvature, slope)
        ability += step / max(1.0, np.abs(step).max(initial=0.0))
        if np.abs(step).max(initial=0.0) < 1e-10:
            break
    centred: FloatArray = ability - ability.mean()
    return centred


def _seed_wins(panel: Panel) -> FloatArray:
    """[n, K, K]: 1 where the row's entry beat the column's on a seed, 1/2 where both are the same, nan if not both measured."""
    one, other = panel.values[:, :, None], panel.values[:, None, :]
    won = np.where(one > other, 1.0, np.where(one == other, 0.5, 0.0))
    won = np.where(np.isnan(one) | np.isnan(other), np.nan, won)
    won[:, np.eye(won.shape[1], dtype=bool)] = 0.0
    return won


def _share(won: FloatArray, counts: FloatArray) -> FloatArray:
    """Share of common seeds on which each entry wins against each, seeds weighted by counts [n]: [K, K]."""
    both = np.isfinite(won)
    wins = np.tensordot(counts, np.where(both, won, 0.0), 1)
    games = np.tensordot(counts, both.astype(np.float64), 1)
    share: FloatArray = np.divide(wins, games, out=np.zeros_like(wins), where=games > 0)
    return share


def _draws(panel: Panel, draws: int) -> FloatArray:
    """How often each of n seeds is drawn when n - 1 are (one, if there is one alone): [draws, n]."""
    n = len(panel.seeds)
    rng = generator(panel.challenge, 0, "suite bootstrap")
    return rng.multinomial(max(n - 1, 1), np.full(n, 1 / n), draws).astype(np.float64)


def _logistic(ability: FloatArray) -> FloatArray:
    chance: FloatArray = 1.0 / (1.0 + np.exp(-ability))
    return chance
