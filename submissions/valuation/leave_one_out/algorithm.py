"""Leave-one-out: validation accuracy with all rows less that without the row (Cook, Technometrics 1977).

Accuracy moves in steps of one validation row and one row of many seldom moves it, so ties are the rule: they are
broken by the likelihood of the validation labels, scaled so that it never outweighs a step.
"""

import numpy as np

BATCH = 500  # fits in one call


def value(task):
    n = len(task.y)
    coalitions = np.ones((n + 1, n), np.float32)
    coalitions[np.arange(n), np.arange(n)] = 0  # the last one keeps all
    utility = np.concatenate([score(task, coalitions[i : i + BATCH]) for i in range(0, n + 1, BATCH)])
    return utility[-1] - utility[:-1]


def score(task, coalitions):
    """Accuracy on the validation rows plus, as a tie-break, less than one row's worth of likelihood: [B]."""
    proba = task.model.fit_many(task.X, task.y, weights=coalitions).predict_proba(task.X_val)
    likelihood = proba[:, np.arange(len(task.y_val)), task.y_val]
    return (proba.argmax(axis=2) == task.y_val).mean(axis=1) + likelihood.mean(axis=1) / (2 * len(task.y_val))
