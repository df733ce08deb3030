"""Sources weighted by their estimated accuracy beyond chance: a model of the clean rows says how often their labels are right.

Weights go with the log-odds of an accuracy, as the votes of independent judges do (Nitzan and Paroush, Optimal decision rules
in uncertain dichotomous choice situations, 1982). What the model itself gets wrong is taken off: agreement with a right
label is what it reaches on held-out clean rows.
"""

import numpy as np

FOLDS = 5


def weigh(task):
    n, c = len(task.y), task.n_classes
    fold = task.rng.permutation(len(task.y_val)) % FOLDS
    inside = (fold != np.arange(FOLDS)[:, None]).astype(np.float32)
    held_out = task.model.fit_many(task.X_val, task.y_val, weights=inside).predict(task.X_val)
    sure = np.clip(np.mean(held_out[fold, np.arange(len(fold))] == task.y_val), 1 / c + 0.05, 1)
    agrees = task.model.fit(task.X_val, task.y_val).predict(task.X) == task.y
    rows = np.bincount(task.source, minlength=task.n_sources)
    agreement = np.bincount(task.source, agrees, task.n_sources) / np.maximum(rows, 1)
    chance = (1 - sure) / (c - 1)  # of agreeing with a wrong label
    accuracy = np.clip((agreement - chance) / (sure - chance), 0.5 / n, 1 - 0.02)
    weights = np.maximum(np.log(accuracy * (c - 1) / (1 - accuracy)), 0) + 1e-6
    return weights if task.by_source else weights[task.source]
