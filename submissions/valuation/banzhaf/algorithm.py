"""Data Banzhaf: Wang and Jia, Data Banzhaf: a robust data valuation framework for machine learning, AISTATS 2023.

Every row joins a coalition with probability 1/2. Maximum sample reuse: a row's value is the mean accuracy of the
coalitions with it less that of those without it, so each fit serves all rows: two running sums, O(n) per fit.
"""

import numpy as np

FITS_PER_ROW = 10
BATCH = 500  # fits in one call


def value(task, fits=None):
    n = len(task.y)
    fits = fits or FITS_PER_ROW * n
    joined, utility_joined, utility_all, count = np.zeros(n), np.zeros(n), 0.0, 0
    while count < fits:
        member = task.rng.random((min(BATCH, fits - count), n)) < 0.5
        fitted = task.model.fit_many(task.X, task.y, weights=member.astype(np.float32))
        utility = (fitted.predict(task.X_val) == task.y_val).mean(axis=1)
        joined += member.sum(axis=0)
        utility_joined += utility @ member
        utility_all += utility.sum()
        count += len(member)
    return utility_joined / np.maximum(joined, 1) - (utility_all - utility_joined) / np.maximum(count - joined, 1)
