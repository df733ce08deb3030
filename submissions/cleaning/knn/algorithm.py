"""Fill every implausible cell from the ten nearest rows that have it: their mean or commonest level; keep all rows.

Troyanskaya et al. (2001), "Missing value estimation methods for DNA microarrays", Bioinformatics 17. Rows of numbers and
levels are compared as by Wilson and Martinez (1997), "Improved Heterogeneous Distance Functions", JAIR 6: squared
differences in standard deviations, 2 for another level, mean over the columns that both rows have.
"""

import numpy as np

NEIGHBOURS = 10


def clean(task):
    good = np.column_stack([plausible(task, j) for j in range(task.cells.shape[1])])
    return fill(task, task.cells, good), np.ones(len(good), bool)


def fill(task, cells, good):
    """Cells [n, d] with what is not good [n, d] taken from near rows."""
    order = np.argsort(distances(task, cells, good), axis=1)  # every row is the first of its own
    filled = cells.copy()
    for j in range(cells.shape[1]):
        for i in np.flatnonzero(~good[:, j]):
            near = order[i][good[order[i], j]][:NEIGHBOURS]
            filled[i, j] = usual(task, j, cells[near, j])
    return filled


def distances(task, cells, good):
    """Mean squared difference [n, n] over the columns both rows have; infinite where they share none."""
    total, shared = np.zeros((2, len(cells), len(cells)))
    for j in range(cells.shape[1]):
        both = good[:, j, None] & good[:, j]
        column = np.where(good[:, j], cells[:, j], 0.0)
        spread = column[good[:, j]].std() if good[:, j].any() else 0.0
        apart = column[:, None] - column
        apart = 2.0 * (apart != 0) if task.is_category[j] else (apart / (spread or 1.0)) ** 2
        total += np.where(both, apart, 0.0)
        shared += both
    return np.where(shared > 0, total / np.maximum(shared, 1), np.inf)


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
