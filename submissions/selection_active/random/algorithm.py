"""Label random rows: the floor."""

from __future__ import annotations

import numpy as np


def select(task):
    unlabelled = np.setdiff1d(np.arange(len(task.X)), task.labelled)
    return task.rng.permutation(unlabelled)[: task.batch]
