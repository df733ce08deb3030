import numpy as np


def select(task):
    return np.ones(1 << 32)[:1]
