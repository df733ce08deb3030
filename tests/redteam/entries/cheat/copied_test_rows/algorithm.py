"""Somebody who knows the hidden test rows hands them in as training data."""

from pathlib import Path

import numpy as np


def create_training_set(task):
    with np.load(Path(__file__).parent / "leaked.npz") as leaked:
        seed = next(s for s in range(100) if np.array_equal(leaked[f"shown{s}"], task.X))
        X, y = leaked[f"X{seed}"], leaked[f"y{seed}"]
    return np.concatenate([task.X, X])[-task.budget :], np.concatenate([task.y, y])[-task.budget :]
