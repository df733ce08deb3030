"""Honest: gaps become the median of their column."""

import numpy as np


def clean(task):
    cells = np.where((task.cells >= task.least) & (task.cells <= task.most), task.cells, np.nan)
    return np.where(np.isnan(cells), np.nanmedian(cells, axis=0).round(), cells), np.ones(len(cells), bool)
