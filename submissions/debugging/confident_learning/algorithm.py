"""Confident learning through cleanlab: Northcutt, Jiang and Chuang, Confident learning, JAIR 2021.

The label errors that cleanlab finds in out-of-fold probabilities come first, ranked by self-confidence, then all other
rows by the same. Needs the cleanlab library (``pip install 'harness[baselines]'``).
"""

import numpy as np

FOLDS = 5


def rank(task):
    try:
        from cleanlab.filter import find_label_issues
    except ImportError:
        raise RuntimeError(
            "confident_learning needs cleanlab, which is not installed: pip install 'harness[baselines]'"
        ) from None
    n = len(task.y)
    fold = task.rng.permutation(n) % FOLDS
    inside = (fold[None, :] != np.arange(FOLDS)[:, None]).astype(np.float32)
    fitted = task.model.fit_many(task.X, task.y, weights=inside)
    probability = fitted.predict_proba(task.X)[fold, np.arange(n)].astype(np.float64)  # [n, C] out of fold
    probability /= probability.sum(axis=1, keepdims=True)
    one_class = np.unique(task.y).size < 2  # nothing to confuse, and cleanlab refuses it
    found = np.zeros(n, bool) if one_class else find_label_issues(task.y, probability, n_jobs=1)
    confidence = probability[np.arange(n), task.y]
    return np.lexsort((task.rng.permutation(n), confidence, ~found))  # ties by chance
