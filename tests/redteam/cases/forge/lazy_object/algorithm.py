"""An object that becomes an array when asked, another one each time."""

import numpy as np


class Lazy:
    asked = 0

    def __array__(self, dtype=None, copy=None):
        Lazy.asked += 1
        return np.array([2 + Lazy.asked])


def select(task):
    return Lazy()
