import numpy as np


def select(task):
    return np.array([1, "two", None], dtype=object)
