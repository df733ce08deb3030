"""The first rows of the pool, in the hope that those of small groups, or easy ones, were put first."""

import numpy as np


def select(task):
    return np.arange(task.budget)
