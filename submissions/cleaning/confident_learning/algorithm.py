"""Fill gaps with the column's mean or commonest level, then leave out repeats and rows whose label is doubted.

Northcutt, Jiang and Chuang (2021), "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 70: a row is
doubted if a class other than its own reaches that class's mean self-confidence in 5-fold cross-validation. Rows that agree in
most of the cells they both have are repeats of each other; they share a fold, and one of them stays.
"""

import numpy as np

FOLDS = 5


def clean(task):
    cells = task.cells.copy()
    for j in range(cells.shape[1]):
        good = plausible(task, j)
        cells[~good, j] = usual(task, j, cells[good, j])
    return cells, trusted(task, cells)


def trusted(task, cells):
    """Which rows to keep: the first of every group of repeats, unless its label is doubted."""
    group = repeats(task)
    X = encode(task, cells)
    fold = (task.rng.permutation(group.max() + 1) % FOLDS)[group]
    parts = [np.flatnonzero(fold != f) for f in range(FOLDS) if (fold != f).any()]
    proba = task.model.fit_many(X, task.y, subsets=parts).predict_proba(X)[
        np.minimum(fold, len(parts) - 1), np.arange(len(X))
    ]
    classes = np.arange(task.n_classes)
    threshold = np.array([proba[task.y == c, c].mean() if (task.y == c).any() else np.inf for c in classes])
    confident = np.where(proba >= threshold, proba, -1.0)
    suggested = np.where(confident.max(axis=1) >= 0, confident.argmax(axis=1), task.y)
    keep = suggested == task.y
    order = np.lexsort((np.arange(len(group)), ~keep, group))  # of a group, a trusted row first
    first = np.zeros(len(group), bool)
    first[order[np.unique(group[order], return_index=True)[1]]] = True
    keep &= first
    for c in np.setdiff1d(task.y, task.y[keep]):  # of a class that is doubted as a whole, the row believed most
        own = np.flatnonzero(task.y == c)
        keep[own[proba[own, c].argmax()]] = True
    return keep


def repeats(task):
    """A number for every row [n]; rows that agree in six of ten cells both have, half of all at least, share it."""
    n, d = task.cells.shape
    same, both = np.zeros((2, n, n))
    for column in task.cells.T:
        known = np.isfinite(column)
        shared = known[:, None] & known
        both += shared
        same += shared & (column[:, None] == column)
    return ((same >= 0.6 * both) & (both >= d / 2) | np.eye(n, dtype=bool)).argmax(axis=1)


def encode(task, cells):
    """Numbers standardised, levels as columns of 0 and 1."""
    numbers = cells[:, ~task.is_category]
    spread = numbers.std(axis=0)
    blocks = [(numbers - numbers.mean(axis=0)) / np.where(spread > 0, spread, 1.0)]
    blocks += [column[:, None] == np.unique(column) for column in cells[:, task.is_category].T]
    return np.concatenate(blocks, axis=1).astype(np.float32)


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
