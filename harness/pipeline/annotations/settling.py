"""From votes to one label a row, and where that label is from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.api import FloatArray
from harness.errors import ProtocolError
from harness.pipeline.annotations import consensus
from harness.pipeline.annotations.ballots import NOBODY, Ballots
from harness.randomness import generator

Way = Literal["majority", "dawid_skene"]
GOLD, DRAWN, KEPT = "gold", "tie drawn", "kept"


@dataclass(frozen=True)
class Settled:
    """The label of a row and its source: ``gold``, ``majority``, ``tie drawn``, ``dawid_skene``, or ``kept``."""

    label: str
    source: str


def settle(votes: Ballots, way: Way, salt: str) -> dict[str, Settled]:
    """The label of every item with gold or a vote.

    Gold goes before votes. Equal classes are drawn from, for every item by itself, from ``salt`` (the data set's name) and
    the item: neither the order of votes nor that of classes decides, and other items change no draw.

    Raises ProtocolError for Dawid-Skene from counts, which do not say who voted.
    """
    if way == "dawid_skene" and votes.cast is None:
        raise ProtocolError("Dawid-Skene needs to know who voted, and counts do not say.", "Use --truth majority.")
    shares = _shares(votes, way)
    found = {}
    for i, item in enumerate(votes.items):
        if votes.gold[i] != NOBODY:
            found[item] = Settled(votes.classes[votes.gold[i]], GOLD)
        elif votes.voted[i]:
            best = np.flatnonzero(shares[i])
            if len(best) == 1:
                found[item] = Settled(votes.classes[best[0]], way)
            else:
                drawn = generator(salt, 0, f"annotations: tie of {item}").choice(best)
                found[item] = Settled(votes.classes[drawn], DRAWN)
    return found


def _shares(votes: Ballots, way: Way) -> FloatArray:
    if way == "majority" or votes.cast is None:
        return consensus.majority(votes.counts)
    return consensus.most_probable(consensus.dawid_skene(votes.cast, *votes.counts.shape).posterior)
