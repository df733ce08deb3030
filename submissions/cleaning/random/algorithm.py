"""Floor: fill every implausible cell with a random entry of its column; keep all rows."""

import numpy as np


def clean(task):
    cells = task.cells.copy()
    for j in range(cells.shape[1]):
        good = plausible(task, j)
        entries = cells[good, j] if good.any() else np.clip([0.0], task.least[j], task.most[j])
        cells[~good, j] = task.rng.choice(entries, size=int((~good).sum()))
    return cells, np.ones(len(cells), bool)


def plausible(task, j):
    """Which cells of column j hold something of its domain."""
    column = task.cells[:, j]
    good = (column >= task.least[j]) & (column <= task.most[j])
    if task.is_category[j]:
        allowed = task.allowed[task.first_level[j] : task.first_level[j + 1]]
        good[good] = allowed[column[good].astype(int)]
    return good
