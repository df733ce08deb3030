"""A pipeline: mend what can be read, empty what no near row has the like of, fill gaps from near rows, leave rows out.

Formats and spellings as in Raman and Hellerstein (2001), gaps as in Troyanskaya et al. (2001), wrong numbers as distance
to near rows (Ramaswamy, Rastogi and Shim, 2000, "Efficient Algorithms for Mining Outliers from Large Data Sets", SIGMOD),
wrong labels as in Wilson (1972), "Asymptotic Properties of Nearest Neighbor Rules Using Edited Data": a row whose label at
most one of its ten nearest has is left out.
"""

import re

import numpy as np

NUMBER = re.compile(r"[+-]?\d+(\.\d*)?")
NEIGHBOURS, FAR, FEW = 10, 4.0, 1


def clean(task):
    cells, good = read(task)
    gap, order = near_rows(task, cells, good)
    for j in np.flatnonzero(~task.is_category):
        for i in np.flatnonzero(good[:, j]):
            near = cells[order[i][good[order[i], j]][:NEIGHBOURS], j]
            good[i, j] = not len(near) or abs(cells[i, j] - near.mean()) <= FAR * max(
                near.std(), 0.1 * cells[good[:, j], j].std()
            )
    gap, order = near_rows(task, cells, good)
    filled = cells.copy()
    for j in range(cells.shape[1]):
        for i in np.flatnonzero(~good[:, j]):
            filled[i, j] = usual(task, j, cells[order[i][good[order[i], j]][:NEIGHBOURS], j])
    keep = (task.y[order[:, :NEIGHBOURS]] == task.y[:, None]).sum(axis=1) > FEW
    first = np.minimum.reduce([np.where(gap < 1e-9, np.arange(len(gap)), len(gap)).min(axis=1), np.arange(len(gap))])
    keep &= first == np.arange(len(gap))
    for c in np.setdiff1d(task.y, task.y[keep]):
        keep[np.flatnonzero(task.y == c)[0]] = True
    return filled, keep


def near_rows(task, cells, good):
    """Mean squared difference [n, n] over the columns both rows have, and all other rows in its order [n, n - 1]."""
    total, shared = np.zeros((2, len(cells), len(cells)))
    for j in range(cells.shape[1]):
        both = good[:, j, None] & good[:, j]
        column = np.where(good[:, j], cells[:, j], 0.0)
        spread = column[good[:, j]].std() if good[:, j].any() else 0.0
        apart = column[:, None] - column
        apart = 2.0 * (apart != 0) if task.is_category[j] else (apart / (spread or 1.0)) ** 2
        total += np.where(both, apart, 0.0)
        shared += both
    gap = np.where(shared > 0, total / np.maximum(shared, 1), np.inf)
    np.fill_diagonal(gap, np.inf)
    return gap, np.argsort(gap, axis=1)[:, :-1]


def read(task):
    """Cells as they were meant [n, d], and which of them are known [n, d]."""
    cells, good = task.cells.copy(), np.zeros(task.cells.shape, bool)
    d = cells.shape[1]
    for j in range(d):
        if task.is_category[j]:
            spell(task, cells, j)
        for i in np.flatnonzero(np.isnan(cells[:, j]) & ~task.missing[:, j]):
            found = NUMBER.search(task.raw[int(i) * d + j])
            cells[i, j] = float(found[0]) if found else np.nan
        good[:, j] = (cells[:, j] >= task.least[j]) & (cells[:, j] <= task.most[j])
        if task.is_category[j]:
            allowed = task.allowed[task.first_level[j] : task.first_level[j + 1]]
            good[good[:, j], j] = allowed[cells[good[:, j], j].astype(int)]
    return cells, good


def spell(task, cells, j):
    """Levels of column j that are not allowed as the allowed one that shares most letters in place, in place."""
    first, last = task.first_level[j : j + 2]
    words = list(task.levels[first:last])
    right = np.flatnonzero(task.allowed[first:last])
    for code in np.setdiff1d(np.arange(len(words)), right):
        same = [
            sum(a == b for a, b in zip(words[code], words[k], strict=False)) - abs(len(words[code]) - len(words[k]))
            for k in right
        ]
        if same and max(same) >= len(words[code]) - 2:
            cells[cells[:, j] == code, j] = right[int(np.argmax(same))]


def usual(task, j, entries):
    """The mean of a column's entries, or their commonest code."""
    if not len(entries):
        return np.clip(0.0, task.least[j], task.most[j])
    return np.bincount(entries.astype(int)).argmax() if task.is_category[j] else entries.mean()
