"""All domains alike."""

import numpy as np


def weigh(task):
    return np.full(len(task.domains), 1 / len(task.domains))
