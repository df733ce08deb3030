import numpy as np


def select(task):
    return np.array([0.0, np.nan])
