"""Ridge regression (Hoerl and Kennard, 1970) on shares and their square roots; the penalty by leave-one-out error.

A little of a domain teaches much and more of it ever less, which the square root follows better than the share.
"""

import numpy as np
from sklearn.linear_model import RidgeCV

PENALTIES = 10.0 ** np.arange(-6, 3)


def predict(task):
    known, asked = (features(shares) for shares in (task.mixtures, task.candidates))
    return RidgeCV(PENALTIES, alpha_per_target=True).fit(known, task.losses).predict(asked).reshape(len(asked), -1)


def features(shares):
    """Shares [n, d] beside their square roots: [n, 2 d]."""
    shares = np.maximum(shares.astype(np.float64), 0)
    return np.concatenate([shares, np.sqrt(shares)], axis=1)
