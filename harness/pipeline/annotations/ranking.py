"""Which rows to ask about next: those of which the fixed model, trained on the labelled ones, is least sure.

Sources: margin, Scheffer et al. 2001; entropy, Shannon 1948; both as in Settles, *Active Learning Literature Survey* (2009).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.api import FloatArray, IntArray
from harness.data.base import TRAIN, Dataset
from harness.errors import ProtocolError
from harness.pipeline.annotations.rows import SOURCE
from harness.pipeline.annotations.settling import KEPT
from harness.protocol.challenge import Challenge
from harness.randomness import generator
from harness.tracks.drawing import draw_parts
from harness.tracks.selection_active import SelectionActiveSettings

By = Literal["margin", "entropy", "random"]
_FOLDS = 5


@dataclass(frozen=True)
class Asked:
    """Rows [k] of the data set, the first to be asked about first, with the model's probabilities [k, C].

    ``labelled``: how many rows the model was trained on; ``rule``: which these are, in words.
    """

    rows: IntArray
    proba: FloatArray
    labelled: int
    rule: str


def rank(challenge: Challenge, dataset: Dataset, n: int, by: By) -> Asked:
    """The n rows to ask about next. Raises ProtocolError for n < 1."""
    if n < 1:
        raise ProtocolError(f"--n must be 1 or more, not {n}.")
    labelled, asked, rule = _parts(challenge, dataset)
    model = challenge.model.build(device="cpu", n_classes=dataset.n_classes)
    if len(asked):
        proba = model.fit(dataset.X[labelled], dataset.y[labelled]).predict_proba(dataset.X[asked])
    else:
        asked = labelled
        fold = generator(challenge.secret, 0, "annotations: folds").permutation(len(asked)) % _FOLDS
        trained = [np.flatnonzero(fold != k) for k in range(_FOLDS)]
        every = model.fit_many(dataset.X, dataset.y, subsets=trained).predict_proba(dataset.X)
        proba = every[fold, np.arange(len(asked))]
    proba = np.asarray(proba, np.float64)
    order = np.argsort(_doubt(proba, by, challenge), kind="stable")[:n]
    return Asked(asked[order], proba[order], len(labelled), rule)


def _doubt(proba: FloatArray, by: By, challenge: Challenge) -> FloatArray:
    """What rows are sorted by, [k], least first."""
    if by == "random":
        return generator(challenge.secret, 0, "annotations: random order").random(len(proba))
    if by == "entropy":
        entropy: FloatArray = np.sum(proba * np.log(np.maximum(proba, 1e-300)), axis=1)
        return entropy
    top = np.sort(proba, axis=1)
    margin: FloatArray = top[:, -1] - top[:, -2]
    return margin


def _parts(challenge: Challenge, dataset: Dataset) -> tuple[IntArray, IntArray, str]:
    """Labelled rows, unlabelled rows (none: all are asked about again), and the rule that told them apart."""
    track, extras = challenge.track, dataset.extras
    unlabelled = np.zeros(len(dataset.y), bool)
    if SOURCE in extras:
        unlabelled = extras[SOURCE] == KEPT
        rule = f"labelled are rows whose {SOURCE} is not {KEPT}"
    elif "votes" in extras:
        unlabelled = extras["votes"].sum(axis=1) == 0
        rule = "labelled are rows with votes"
    if unlabelled.any() and not unlabelled.all():
        return np.flatnonzero(~unlabelled), np.flatnonzero(unlabelled), rule
    if isinstance(track, SelectionActiveSettings):
        protocol = challenge.load_track(dataset, device="cpu")
        pool, _, _ = draw_parts(dataset, track.pool, 0, track.test, protocol.rng(0, "split"), track.parts)
        initial = protocol.prepare(0)[0].arrays["labelled"]
        rest = np.setdiff1d(np.arange(len(pool)), initial)
        return pool[initial], pool[rest], "labelled are the initial rows of seed 0, asked about is the rest of its pool"
    if "part" in extras:
        train = extras["part"] == TRAIN
        return np.flatnonzero(train), np.flatnonzero(~train), "labelled are the rows of the official training part"
    everything = np.arange(len(dataset.y))
    return (
        everything,
        everything[:0],
        f"every row has a label: asked again, each by a model of {_FOLDS - 1} other fifths",
    )
