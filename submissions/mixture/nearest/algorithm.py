"""The losses of the known mixture that shares most with the candidate: the least total variation distance."""

import numpy as np


def predict(task):
    far = np.abs(task.candidates[:, None].astype(np.float64) - task.mixtures[None]).sum(axis=2)
    return task.losses[far.argmin(axis=1)]
