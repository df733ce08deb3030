"""Boards with known truth, for the tests and for the tables of docs/statistics.md."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Literal

import numpy as np
from scipy import stats

from harness.api import FloatArray
from harness.statistics.differences import adjusted, difference
from harness.statistics.intervals import interval
from harness.statistics.rank_sets import rank_sets
from harness.tracks.base import Arrays

Noise = Literal["seed", "item", "both"]
Rows = dict[str, dict[int, float]]
LEVEL = 0.05
TRUTH, SD_OF_SEEDS, ITEMS = 0.7, 0.05, 400
REAL, SLOTS = Path(__file__).with_name("test_set_digits_300.json"), 40


def mean_x(items: Arrays, weights: FloatArray) -> FloatArray:
    """Weighted mean of items["x"] [m]: [r]."""
    mean: FloatArray = weights @ np.asarray(items["x"], np.float64) / weights.sum(axis=1)
    return mean


def rows_of(Y: FloatArray) -> Rows:
    """Y [S, K] -> K rows named r00, r01, ..."""
    return {f"r{k:02}": dict(enumerate(column.tolist())) for k, column in enumerate(Y.T)}


def covered(seeds: int, noise: Noise, boards: int, rng: np.random.Generator) -> float:
    """Share of boards whose interval holds the expected score, by what makes scores vary."""
    hits = 0
    for _ in range(boards):
        expected = np.full(seeds, TRUTH) if noise == "item" else rng.normal(TRUTH, SD_OF_SEEDS, seeds)
        if noise == "seed":
            x = np.repeat(expected[:, None], 5, axis=1)
        else:
            x = (rng.random((seeds, ITEMS)) < expected[:, None]).astype(np.float64)
        scores = dict(enumerate(x.mean(axis=1).tolist()))
        low, high = interval(scores, [{"x": row} for row in x], mean_x, "f")
        hits += low <= TRUTH <= high
    return hits / boards


def real_counts() -> dict[str, list[int]]:
    """Confirmed slots of 40 on seeds 0 to 299 of test_set_digits by submission, as ``scripts/statistics --real`` kept them."""
    counts: dict[str, list[int]] = json.loads(REAL.read_text(encoding="utf-8"))
    return counts


def covered_of(counts: Sequence[int], seeds: int, draws: int, rng: np.random.Generator) -> float:
    """Share of draws of ``seeds`` real seeds, without replacement, whose interval holds the mean score of all."""
    truth = float(np.mean(counts)) / SLOTS
    hits = 0
    for _ in range(draws):
        drawn = rng.choice(counts, seeds, replace=False)
        items = [{"x": (np.arange(SLOTS) < count).astype(np.float64)} for count in drawn]
        low, high = interval(dict(enumerate((drawn / SLOTS).tolist())), items, mean_x, "f")
        hits += low <= truth <= high
    return hits / draws


def independent(rng: np.random.Generator, seeds: int, rows: int) -> FloatArray:
    """Rows that share nothing: [S, K]."""
    return rng.normal(0, 1, (seeds, rows))


def families(rng: np.random.Generator, seeds: int, rows: int) -> FloatArray:
    """Two families of methods, correlation .9 within each, none between: [S, K]."""
    common = rng.normal(0, 3, (seeds, 2))
    return common[:, np.arange(rows) % 2] + rng.normal(0, 1, (seeds, rows))


def uneven(rng: np.random.Generator, seeds: int, rows: int) -> FloatArray:
    """Independent rows whose standard deviations go from 1 to 50: [S, K]."""
    return rng.normal(0, 1, (seeds, rows)) * np.geomspace(1, 50, rows)


def real_scores(rng: np.random.Generator, seeds: int, rows: int) -> FloatArray:
    """Rows of scores that random selection really had on test_set_digits, 0 to 4 of 40, drawn independently: [S, K]."""
    return rng.choice(real_counts()["random"], (seeds, rows)) / SLOTS


Kind = Callable[[np.random.Generator, int, int], FloatArray]


def family_error(
    seeds: int,
    rows: int,
    kind: Kind,
    boards: int,
    rng: np.random.Generator,
    better: int = 0,
    p_values: Callable[[Rows], Mapping[tuple[str, str], float]] = adjusted,
) -> float:
    """Share of boards on which some pair of equal rows is told apart; the first ``better`` rows are far better each."""
    shift = np.zeros(rows)
    shift[:better] = 8 * np.arange(1, better + 1)
    equal = {f"r{k:02}" for k in range(better, rows)}
    wrong = 0
    for _ in range(boards):
        told = p_values(rows_of(kind(rng, seeds, rows) + shift))
        wrong += any(p < LEVEL for pair, p in told.items() if equal.issuperset(pair))
    return wrong / boards


def power_of_pair(seeds: int, shift: float, rows: int, boards: int, rng: np.random.Generator) -> float:
    """Chance to tell the one better row from each of the others, which are equal; sd of a difference 1."""
    hits = []
    for _ in range(boards):
        Y = rng.normal(0, np.sqrt(0.5), (seeds, rows))
        Y[:, 0] += shift
        hits.append(np.mean([p < LEVEL for pair, p in adjusted(rows_of(Y)).items() if "r00" in pair]))
    return float(np.mean(hits))


def power_of_t(seeds: int, shift: float) -> float:
    """Exact power of the paired t test at 5 %, sd of a difference 1."""
    bound, nc = stats.t.ppf(1 - LEVEL / 2, seeds - 1), shift * np.sqrt(seeds)
    return float(stats.nct.sf(bound, seeds - 1, nc) + stats.nct.cdf(-bound, seeds - 1, nc))


def ranks_covered(means: FloatArray, seeds: int, boards: int, rng: np.random.Generator) -> tuple[float, float]:
    """Share of boards on which every set holds the true rank, and the mean number of ranks in a set; sd of a row 1."""
    truth = {f"r{k:02}": 1 + int((means > mean).sum()) for k, mean in enumerate(means)}
    hits, widths = 0, []
    for _ in range(boards):
        sets = rank_sets(rows_of(rng.normal(means, 1, (seeds, len(means)))), "max")
        hits += all(sets[name][0] <= rank <= sets[name][1] for name, rank in truth.items())
        widths += [worst - best + 1 for best, worst in sets.values()]
    return hits / boards, float(np.mean(widths))


def gaussian(rows: Rows, draws: int = 500) -> dict[tuple[str, str], float]:
    """What rotation is compared with: step-down max-t whose null is Gaussian with the estimated covariance."""
    pairs = list(combinations(sorted(rows), 2))
    D = np.array([[rows[a][s] - rows[b][s] for a, b in pairs] for s in rows[pairs[0][0]]])
    n = len(D)
    observed = np.abs(D.mean(axis=0)) / D.std(axis=0, ddof=1)
    Z = np.random.default_rng(0).normal(0, 1, (draws, n, n)) @ (D - D.mean(axis=0))
    null = np.abs(Z.mean(axis=1)) / Z.std(axis=1, ddof=1)
    order = np.argsort(observed)
    reached = (np.maximum.accumulate(null[:, order], axis=1) >= observed[order]).sum(axis=0)
    p = np.maximum.accumulate(((1 + reached) / (1 + draws))[::-1])[::-1]
    return {pairs[k]: float(value) for k, value in zip(order, p, strict=True)}


def holm(rows: Rows) -> dict[tuple[str, str], float]:
    """What rotation is compared with: Holm's correction of the paired t tests."""
    single = {(a, b): difference(rows[a], rows[b]).p for a, b in combinations(sorted(rows), 2)}
    p = np.array([1.0 if value is None else value for value in single.values()])
    order = np.argsort(p, kind="stable")
    p[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p)))))
    return dict(zip(single, p.tolist(), strict=True))


def binomial_bounds(p: float, n: int, chance: float = 1e-3) -> tuple[float, float]:
    """Between which shares of n a binomial of probability p lies but for ``chance``, both sides together."""
    return stats.binom.ppf(chance / 2, n, p) / n, stats.binom.ppf(1 - chance / 2, n, p) / n
