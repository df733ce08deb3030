"""``python -m tests.benchmarks.parts``: how often a phase's part of a debugging seed has no gain to share out, or little."""

from __future__ import annotations

from collections import Counter

import numpy as np

from harness.api import FloatArray
from harness.errors import NothingToMeasure
from harness.evaluation.phases import items_of
from harness.protocol.compose import load_challenge
from harness.protocol.rules import FinalPhase, PhaseName, Phases, PublicPhase

CHALLENGES = ("debugging_wine", "debugging_breast_cancer", "debugging_digits", "debugging_digits_classdep")
PHASES, SECRETS = Phases(public=PublicPhase(share=0.5), final=FinalPhase()), 40
BOTH: tuple[PhaseName, ...] = ("public", "final")


def kinds(gain: FloatArray) -> list[str]:
    """What a part is like whose rows gain this much accuracy by true labels: [rows] in -1, 0, 1."""
    mean, error = gain.mean(), gain.std() / np.sqrt(len(gain))
    said = {"parts": True, "no gain": mean == 0, "a loss": mean < 0, "under two standard errors": not mean >= 2 * error}
    return [name for name, holds in said.items() if holds]


def count(name: str) -> Counter[str]:
    """Over all seeds of a challenge under many secrets; a seed that is refused as a whole has no parts."""
    shipped, found = load_challenge(name), Counter[str]()
    data = shipped.load_dataset()
    for i in range(SECRETS):
        challenge = shipped.model_copy(update={"secret": f"secret {i}", "phases": PHASES})
        track = challenge.load_track(data, "cpu")
        for seed in range(challenge.seeds):
            try:
                _, key = track.prepare(seed)
            except NothingToMeasure:
                continue
            gain = key.clean.astype(np.float64) - key.dirty
            for phase in BOTH:
                found.update(kinds(gain[items_of(challenge, phase, seed, len(gain))]))
    return found


if __name__ == "__main__":
    for name in CHALLENGES:
        print(name, dict(count(name)), flush=True)
