"""Read what was meant out of what was written; fill what is left with the column's mean or commonest level.

Domains and patterns as in Raman and Hellerstein (2001), "Potter's Wheel: An Interactive Data Cleaning System", VLDB. A
text that is no number gives the number in it; a number out of its domain is brought back by the power of ten that brings it
nearest to the median, if one does; a level that is not allowed becomes the allowed one of least edit distance (Levenshtein,
1966), up to 2.
"""

import re

import numpy as np

NUMBER = re.compile(r"[+-]?\d+(\.\d*)?")
TENS = np.array([0.01, 0.1, 10.0, 100.0])


def clean(task):
    cells, good = mend(task)
    for j in range(cells.shape[1]):
        cells[~good[:, j], j] = usual(task, j, cells[good[:, j], j])
    return cells, np.ones(len(cells), bool)


def mend(task):
    """Cells [n, d] as they were meant, and which of them are known [n, d]."""
    cells, good = task.cells.copy(), np.zeros(task.cells.shape, bool)
    for j in range(cells.shape[1]):
        spell(task, cells, j) if task.is_category[j] else read(task, cells, j)
        good[:, j] = plausible(task, j, cells[:, j])
        outside = np.flatnonzero(~good[:, j] & np.isfinite(cells[:, j]) & ~task.is_category[j])
        if not len(outside) or not good[:, j].any():
            continue
        tried = cells[outside, j, None] * TENS
        within = (tried >= task.least[j]) & (tried <= task.most[j])
        away = np.where(within, np.abs(tried - np.median(cells[good[:, j], j])), np.inf)
        cells[outside, j] = tried[np.arange(len(outside)), away.argmin(axis=1)]
        good[outside, j] = within.any(axis=1)
    return cells, good


def read(task, cells, j):
    """Numbers out of texts of column j, in place."""
    d = cells.shape[1]
    for i in np.flatnonzero(np.isnan(cells[:, j]) & ~task.missing[:, j]):
        found = NUMBER.search(task.raw[int(i) * d + j])
        cells[i, j] = float(found[0]) if found else np.nan


def spell(task, cells, j):
    """Levels of column j as the nearest allowed one, in place."""
    first, last = task.first_level[j : j + 2]
    words = list(task.levels[first:last])
    right = np.flatnonzero(task.allowed[first:last])
    for code in np.setdiff1d(np.arange(len(words)), right):
        away = [edits(words[code], words[k]) for k in right]
        if len(away) and min(away) <= 2:
            cells[cells[:, j] == code, j] = right[int(np.argmin(away))]


def edits(a, b):
    """Letters to insert, delete or replace to make one word of the other."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        before, row = row, [i]
        for k, z in enumerate(b, start=1):
            row.append(min(before[k] + 1, row[-1] + 1, before[k - 1] + (x != z)))
    return row[-1]


def usual(task, j, entries):
    """The mean of a column's entries, or their commonest code."""
    if not len(entries):
        return np.clip(0.0, task.least[j], task.most[j])
    return np.bincount(entries.astype(int)).argmax() if task.is_category[j] else entries.mean()


def plausible(task, j, column):
    """Which entries of column j are of its domain."""
    good = (column >= task.least[j]) & (column <= task.most[j])
    if task.is_category[j]:
        allowed = task.allowed[task.first_level[j] : task.first_level[j + 1]]
        good[good] = allowed[column[good].astype(int)]
    return good
