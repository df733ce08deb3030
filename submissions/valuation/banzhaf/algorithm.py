"""Data Banzhaf: Wang and Jia, Data Banzhaf: a robust data valuation framework for machine learning, AISTATS 2023.

Every row joins a coalition with probability 1/2. Maximum sample reuse: a row's value is the mean accuracy of the
coalitions with it less that of those without it, so each fit serves all rows: two running sums, O(n) per fit.
"""

import numpy as np

from harness.models.coalitions import Banzhaf, utilities

FITS_PER_ROW = 60
BATCH = 500  # fits in one call


def value(task, fits=None):
    n = len(task.y)
    fits = fits or FITS_PER_ROW * n
    values = Banzhaf(n)
    while values.count < fits:
        member = task.rng.random((min(BATCH, fits - values.count), n)) < 0.5
        values.add(member, utilities(task.model, task.X, task.y, member.astype(np.float32), task.X_val, task.y_val))
    return values.values()
