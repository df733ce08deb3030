"""The only source of randomness: a generator per (challenge secret, seed, purpose)."""

from __future__ import annotations

import hashlib

import numpy as np

OPEN_SECRET = "open"  # of challenges for practice: anybody may rebuild their splits and noise


def seed_sequence(secret: str, seed: int, purpose: str) -> np.random.SeedSequence:
    """Independent of every other (secret, seed, purpose); the same on every platform.

    Parameters
    ----------
    secret: the challenge's secret text; who does not know it cannot rebuild splits or noise.
    seed: the cell's seed, >= 0.
    purpose: what is drawn, e.g. ``"split"``, ``"noise"``, ``"algorithm"``.
    """
    digest = hashlib.sha256(f"{secret}\0{seed}\0{purpose}".encode()).digest()
    return np.random.SeedSequence(np.frombuffer(digest, dtype=np.uint32).tolist())


def generator(secret: str, seed: int, purpose: str) -> np.random.Generator:
    """A numpy Generator seeded by :func:`seed_sequence`."""
    return np.random.default_rng(seed_sequence(secret, seed, purpose))
