"""Margin sampling: label the rows whose two most probable classes are closest.

Scheffer, Decomain, Wrobel: Active hidden Markov models for information extraction, IDA 2001.
"""

import numpy as np


def choose(task):
    top = np.sort(task.proba, axis=1)
    return np.argsort(top[:, -1] - top[:, -2], kind="stable")[: task.budget]
