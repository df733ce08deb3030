import numpy as np


def select(task):
    return np.zeros(40_000_000, dtype=np.int8)
