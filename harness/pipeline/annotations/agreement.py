"""Agreement among any number of annotators: Krippendorff's alpha and Fleiss' kappa, from counts of votes.

Sources: Krippendorff, *Content Analysis* (1980; 4th ed. 2018, chapter 12); Fleiss, *Measuring nominal scale agreement among
many raters*, Psychological Bulletin 76 (1971). Agreement is not accuracy: people can agree on what is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from harness.api import FloatArray, IntArray
from harness.randomness import OPEN_SECRET, generator

REPLICATES = 2000
_CHUNK = 4_000_000  # entries of a block of bootstrap weights


def nominal(n_classes: int) -> FloatArray:
    """Distances [C, C] of labels without an order: two different ones are 1 apart."""
    return 1.0 - np.eye(n_classes)


def interval(values: Sequence[float]) -> FloatArray:
    """Distances [C, C] of labels that are numbers on an interval scale: the square of their difference."""
    v = np.asarray(values, np.float64)
    squares: FloatArray = (v[:, None] - v[None]) ** 2
    return squares


def alpha(counts: IntArray, distance: FloatArray | None = None) -> float:
    """Krippendorff's alpha of counts [n, C]: 1 - observed / expected disagreement.

    Items with fewer than two votes say nothing. ``distance`` [C, C]: :func:`nominal` (default), :func:`interval` or another.
    NaN where it is undefined: no item has two votes, or all votes are one label.
    """
    disagreement, votes = _by_item(counts, distance)
    return float(_alphas(disagreement.sum()[None], votes.sum(axis=0)[None], distance)[0])


def alpha_interval(counts: IntArray, distance: FloatArray | None = None) -> tuple[float, float] | None:
    """95 % percentile interval of :func:`alpha` by a bootstrap over items; None where alpha is undefined.

    2,000 replicates of a fixed seed. Items with the same votes are one kind, so a sample of n items is one multinomial
    draw over the kinds: a million votes cost no more than the different ways in which an item was voted on. Replicates
    in which all votes are one label have no alpha and are left out.
    """
    if np.isnan(alpha(counts, distance)):
        return None
    kinds, share = _kinds(counts)
    disagreement, votes = _by_item(kinds, distance, keep=True)
    rng = generator(OPEN_SECRET, 0, "annotations: bootstrap of alpha")
    found = np.concatenate(
        [
            _alphas(weights @ disagreement, weights @ votes, distance)
            for weights in _draws(rng, len(counts), share / share.sum())
        ]
    )
    low, high = np.nanpercentile(found, [2.5, 97.5])
    return float(low), float(high)


def fleiss(counts: IntArray) -> float:
    """Fleiss' kappa of counts [n, C]. NaN unless every item has the same number of votes, two or more, for two labels or more."""
    m = counts.sum(axis=1)
    if not len(m) or m.min() != m.max() or m[0] < 2:
        return float("nan")
    observed = ((counts * counts).sum(axis=1) - m).mean() / (m[0] * (m[0] - 1))
    share = counts.sum(axis=0) / counts.sum()
    expected = float(share @ share)
    return float("nan") if (counts.sum(axis=0) > 0).sum() < 2 else float((observed - expected) / (1 - expected))


def per_class(counts: IntArray) -> tuple[FloatArray, FloatArray]:
    """For every class, [C] each: specific agreement, and alpha of that class against the rest; NaN where undefined.

    Specific agreement (Spitzer and Fleiss 1974): the chance that, where one annotator says the class, another one does.
    """
    m = counts.sum(axis=1)
    counts, m = counts[m > 1], m[m > 1]
    with np.errstate(invalid="ignore"):
        said = (counts * (counts - 1) / (m[:, None] - 1)).sum(axis=0) / counts.sum(axis=0)
    rest = [alpha(np.column_stack([column, m - column])) for column in counts.T]
    return said, np.array(rest)


def _by_item(counts: IntArray, distance: FloatArray | None, keep: bool = False) -> tuple[FloatArray, FloatArray]:
    """Disagreement within every item that can be paired [k], and its votes [k, C]; zeros for others where kept."""
    m = counts.sum(axis=1)
    if not keep:
        counts, m = counts[m > 1], m[m > 1]
    votes = np.where(m[:, None] > 1, counts, 0).astype(np.float64)
    return _crossed(votes, distance) / np.maximum(m - 1, 1), votes


def _crossed(votes: FloatArray, distance: FloatArray | None) -> FloatArray:
    """Distances of all ordered pairs of votes [..., C], summed: [...]."""
    others = votes.sum(axis=1, keepdims=True) - votes if distance is None else votes @ distance  # the same, sooner
    crossed: FloatArray = (votes * others).sum(axis=1)
    return crossed


def _alphas(disagreement: FloatArray, votes: FloatArray, distance: FloatArray | None) -> FloatArray:
    """Disagreement [B] and votes by class [B, C], summed over items -> alphas [B]."""
    total, expected = votes.sum(axis=1), _crossed(votes, distance)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: FloatArray = 1 - (total - 1) * disagreement / expected
    return np.where(expected > 0, found, np.nan)


def _kinds(counts: IntArray) -> tuple[IntArray, IntArray]:
    """The different rows of counts, and how many items have each."""
    ordered = counts[np.lexsort(counts.T)]
    first = np.append(True, (np.diff(ordered, axis=0) != 0).any(axis=1))
    at = np.flatnonzero(first)
    return ordered[at], np.diff(np.append(at, len(ordered)))


def _draws(rng: np.random.Generator, n: int, share: FloatArray) -> Iterator[FloatArray]:
    """Multinomial weights [b, K] in blocks, all replicates together."""
    step = max(1, _CHUNK // len(share))
    for start in range(0, REPLICATES, step):
        yield rng.multinomial(n, share, size=min(step, REPLICATES - start)).astype(np.float64)
