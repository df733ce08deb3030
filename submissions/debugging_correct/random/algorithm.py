"""Random rows get the label that the fixed model gives them out of fold: the number to beat."""

import numpy as np

FOLDS = 5


def correct(task):
    n = len(task.y)
    rows, fold = task.rng.permutation(n), task.rng.permutation(n) % FOLDS
    fitted = task.model.fit_many(task.X, task.y, subsets=[np.flatnonzero(fold != f) for f in range(FOLDS)])
    predicted = fitted.predict(task.X)[fold, np.arange(n)]
    return rows[: task.budget], predicted[rows[: task.budget]]
