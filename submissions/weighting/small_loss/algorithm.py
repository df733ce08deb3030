"""Small loss: only rows that the model finds easy are trained on; it is fitted to them and chooses again.

The selection rule of Han et al., Co-teaching, NeurIPS 2018 (Jiang et al., MentorNet, ICML 2018): the share left out rises to
the noise rate. The rate is the share of rows whose label the models of other folds do not predict; losses, too, come from
other folds, as a model fitted to its optimum finds every row easy that it has seen. Clean rows, where there are any, train
along with each fold.
"""

import numpy as np

FOLDS, ROUNDS = 5, 5


def weigh(task):
    n = len(task.y)
    X, y = task.X, task.y
    if task.X_val is not None:
        X, y = np.concatenate([X, task.X_val]), np.concatenate([y, task.y_val])
    fold = task.rng.permutation(n) % FOLDS
    kept, rate = np.ones(n), None
    for step in range(1, ROUNDS + 1):
        inside = np.ones((FOLDS, len(y)), np.float32)
        inside[:, :n] = kept * (fold != np.arange(FOLDS)[:, None])
        proba = task.model.fit_many(X, y, weights=inside).predict_proba(task.X)[fold, np.arange(n)]
        if rate is None:
            rate = np.mean(proba.argmax(axis=1) != task.y)
        keep = max(1, round(n * (1 - rate * step / ROUNDS)))
        easiest = np.lexsort((task.rng.permutation(n), -proba[np.arange(n), task.y]))[:keep]
        kept = np.zeros(n)
        kept[easiest] = 1
    return answer(task, kept)


def answer(task, weights):
    """Row weights [n] as they are, or their mean in each source where the task asks for one weight a source."""
    if not task.by_source:
        return weights
    rows = np.bincount(task.source, minlength=task.n_sources)
    return np.bincount(task.source, weights, task.n_sources) / np.maximum(rows, 1)
