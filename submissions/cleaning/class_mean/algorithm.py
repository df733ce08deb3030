"""Fill every implausible cell with the mean or commonest level of its column among rows of the same label.

Class-conditional mean imputation: Little and Rubin (1987), "Statistical Analysis with Missing Data", chapter 3. It writes
the label into the cells, which no test row has; so it is worth less than it looks on the rows it was made from.
"""

import numpy as np


def clean(task):
    cells = task.cells.copy()
    for j in range(cells.shape[1]):
        good = plausible(task, j)
        for c in np.unique(task.y):
            own = task.y == c
            entries = cells[good & own, j] if (good & own).any() else cells[good, j]
            cells[~good & own, j] = usual(task, j, entries)
    return cells, np.ones(len(cells), bool)


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
