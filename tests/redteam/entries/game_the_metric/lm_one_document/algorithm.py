"""One document and no more: that little is learned must not be that little is paid."""

import numpy as np


def select(task):
    return np.array([int(np.diff(task.texts.offsets).argmax())])
