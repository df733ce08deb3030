"""The pool as it stands: its order must not say which documents are of the target domains."""

import numpy as np


def select(task):
    return np.arange(len(task.texts))
