"""The same weight for every row, as if nothing were known."""

import numpy as np


def weigh(task):
    return np.ones(task.n_sources if task.by_source else len(task.y))
