"""The pool as it stands: its order must not say which documents are clean, nor which of two copies came first."""

import numpy as np


def clean(task):
    return np.arange(len(task.texts))
