"""Integers that become equal when rounded to float64."""

import numpy as np


def value(task):
    return 2**62 + np.arange(len(task.y))
