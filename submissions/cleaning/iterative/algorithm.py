"""Fill every implausible cell by regressing its column on all others, in rounds; keep all rows.

van Buuren and Groothuis-Oudshoorn (2011), "mice: Multivariate Imputation by Chained Equations in R", Journal of
Statistical Software 45, without the multiple draws: scikit-learn's IterativeImputer. Levels are columns of 0 and 1; the
highest of a gap becomes its level.
"""

import numpy as np

ROUNDS = 5


def clean(task):
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer

    columns, owner = [], []
    for j in range(task.cells.shape[1]):
        good = plausible(task, j)
        column = np.where(good, task.cells[:, j], np.nan)
        if task.is_category[j]:
            block = np.where(good[:, None], column[:, None] == codes(task, j), np.nan)
        else:
            spread = column[good].std() if good.any() else 1.0
            block = column[:, None] / (spread or 1.0)
        columns.append(block)
        owner += [j] * block.shape[1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        imputer = IterativeImputer(max_iter=ROUNDS, random_state=0, keep_empty_features=True)
        filled = imputer.fit_transform(np.concatenate(columns, axis=1))
    cells, owner = task.cells.copy(), np.array(owner)
    for j in range(cells.shape[1]):
        bad, made = ~plausible(task, j), filled[:, owner == j]
        if task.is_category[j]:
            guess = codes(task, j)[made.argmax(axis=1)]
        else:
            guess = made[:, 0] * ((cells[~bad, j].std() if not bad.all() else 1.0) or 1.0)
        cells[bad, j] = np.clip(guess, task.least[j], task.most[j])[bad]
    return cells, np.ones(len(cells), bool)


def codes(task, j):
    """The codes that column j may have; all where none is allowed."""
    allowed = task.allowed[task.first_level[j] : task.first_level[j + 1]]
    return np.flatnonzero(allowed if allowed.any() else ~allowed)


def plausible(task, j):
    """Which cells of column j hold something of its domain."""
    column = task.cells[:, j]
    good = (column >= task.least[j]) & (column <= task.most[j])
    if task.is_category[j]:
        allowed = task.allowed[task.first_level[j] : task.first_level[j + 1]]
        good[good] = allowed[column[good].astype(int)]
    return good
