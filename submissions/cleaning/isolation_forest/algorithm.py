"""Fill gaps with the column's mean or commonest level, then leave out the rows that an isolation forest finds odd.

Liu, Ting and Zhou (2008), "Isolation Forest", ICDM: rows that random cuts isolate early are outliers; the paper's own
threshold of 0.5 ("auto" in scikit-learn). The last row of a class is never left out.
"""

import numpy as np


def clean(task):
    from sklearn.ensemble import IsolationForest

    cells = task.cells.copy()
    for j in range(cells.shape[1]):
        good = plausible(task, j)
        cells[~good, j] = usual(task, j, cells[good, j])
    forest = IsolationForest(random_state=int(task.rng.integers(2**31))).fit(cells)
    normality = forest.decision_function(cells)
    keep = normality >= 0
    for c in np.unique(task.y):
        own = np.flatnonzero(task.y == c)
        keep[own[normality[own].argmax()]] = True
    return cells, keep


def usual(task, j, entries):
    """The mean of a column's entries, or their commonest code."""
    if not len(entries):
        return np.clip(0.0, task.least[j], task.most[j])
    return np.bincount(entries.astype(int)).argmax() if task.is_category[j] else entries.mean()


def plausible(task, j):
    """Which cells of column j hold something of its domain."""
    column = task.cells[:, j]
    good = (column >= task.least[j]) & (column <= task.most[j])
    if task.is_category[j]:
        allowed = task.allowed[task.first_level[j] : task.first_level[j + 1]]
        good[good] = allowed[column[good].astype(int)]
    return good
